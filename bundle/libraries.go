package bundle

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/payload/dynlink"
)

// elfMachines are the processors that a platform's programs are for, with what $LIB and $PLATFORM mean to the dynamic
// loader there. $LIB differs between distributions; as a directory of a tree it is the one of most of them.
var elfMachines = map[string]struct {
	machine       elf.Machine
	lib, platform string
}{
	"linux/amd64":   {elf.EM_X86_64, "lib64", "x86_64"},
	"linux/arm64":   {elf.EM_AARCH64, "lib64", "aarch64"},
	"linux/riscv64": {elf.EM_RISCV, "lib64", ""},
	"linux/loong64": {elf.EM_LOONGARCH, "lib64", "loongarch64"},
}

// glibcLibraries begin the names of the libraries that come with the GNU C library, of whichever version.
var glibcLibraries = []string{
	"libc.so.", "libm.so.", "libdl.so.", "libpthread.so.", "librt.so.", "libutil.so.", "libresolv.so.", "libanl.so.",
	"libmvec.so.", "libthread_db.so.", "libBrokenLocale.so.", "ld-linux", "linux-vdso.so.",
}

func isGlibc(library string) bool {
	return slices.ContainsFunc(glibcLibraries, func(prefix string) bool { return strings.HasPrefix(library, prefix) })
}

// everywhere are the other libraries that the smallest installation of nearly every distribution has: rpm and dpkg need
// them, and libcrypt was a part of the GNU C library up to 2.37. Check looks for them on the host like for any other.
var everywhere = []string{"libcrypt.so.1", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"}

// treeRoot is where a tree is taken to be while its libraries are looked for. No path of a host begins so: what an
// absolute path, or one that leaves the tree, leads to is not in the component.
const treeRoot = "/\x00tree"

// elfTree is a finished tree as the dynamic loader sees it.
type elfTree struct {
	*tree
	machine  elf.Machine
	lib      string // what $LIB and $PLATFORM stand for
	platform string
	objects  map[*blob]*dynlink.Object
	damaged  map[*blob]error
	programs []string // paths of what the kernel starts with a loader, sorted
	others   []string // paths of the other objects, sorted
	dirs     map[string][]string
}

// readELF reads the ELF files of a tree. What is damaged, as a test's broken example may be, is no object.
func (t *tree) readELF(platform string) *elfTree {
	m := elfMachines[platform]
	e := &elfTree{
		tree: t, machine: m.machine, lib: m.lib, platform: m.platform,
		objects: map[*blob]*dynlink.Object{}, damaged: map[*blob]error{}, dirs: map[string][]string{},
	}
	for p, n := range t.nodes {
		file := n
		if n.kind == kindSymlink {
			end, err := t.follow(n)
			if file = t.nodes[end]; err != nil || file == nil {
				continue
			}
		}
		if file.kind != kindFile {
			continue
		}
		o := e.object(file.blob)
		if o == nil {
			continue
		}
		e.dirs[path.Base(p)] = append(e.dirs[path.Base(p)], path.Dir(p))
		switch {
		case n.kind != kindFile:
		case o.IsProgram():
			e.programs = append(e.programs, p)
		default:
			e.others = append(e.others, p)
		}
	}
	for _, dirs := range e.dirs {
		slices.SortFunc(dirs, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	}
	slices.Sort(e.programs)
	slices.Sort(e.others)
	return e
}

func (e *elfTree) object(b *blob) *dynlink.Object {
	if o, known := e.objects[b]; known {
		return o
	}
	o, err := dynlink.Read(e.spool.open(b), e.machine)
	if err != nil {
		o = nil
		if !errors.Is(err, dynlink.ErrOther) {
			e.damaged[b] = err
		}
	}
	e.objects[b] = o
	return o
}

// Object is dynlink's view of the tree.
func (e *elfTree) Object(file string) (*dynlink.Object, error) {
	inside, ok := strings.CutPrefix(file, treeRoot+"/")
	if !ok {
		return nil, nil
	}
	end, err := e.follow(&node{path: "x", target: inside})
	n := e.nodes[end]
	if err != nil || n == nil || n.kind != kindFile {
		return nil, nil
	}
	o := e.object(n.blob)
	if o == nil && e.damaged[n.blob] != nil {
		return nil, e.damaged[n.blob]
	}
	return o, nil
}

// list does what the loader would with a file of the tree, on a host that has the C library and nothing else.
func (e *elfTree) list(file string, libraryPath []string) dynlink.Result {
	s := &dynlink.Search{Files: e, Lib: e.lib, Platform: e.platform, System: isGlibc}
	for _, dir := range libraryPath {
		s.LibraryPath = append(s.LibraryPath, treeRoot+"/"+dir)
	}
	r := s.List(treeRoot+"/"+file, e.objects[e.nodes[file].blob])
	for i := range r.Missing {
		r.Missing[i].By = inTree(r.Missing[i].By)
	}
	for i := range r.Versions {
		r.Versions[i].By, r.Versions[i].Path = inTree(r.Versions[i].By), inTree(r.Versions[i].Path)
	}
	for _, o := range r.Loaded {
		o.Path = inTree(o.Path)
	}
	return r
}

func inTree(file string) string { return strings.TrimPrefix(file, treeRoot+"/") }

// laterGlibc compares versions such as 2.9 and 2.17. GLIBC_PRIVATE is none.
func laterGlibc(a, b string) bool {
	parse := func(s string) (parts []int) {
		for part := range strings.SplitSeq(s, ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return nil
			}
			parts = append(parts, n)
		}
		return parts
	}
	return slices.Compare(parse(a), parse(b)) > 0
}

// glibc is the latest version of the GNU C library whose symbols a file of the tree uses.
func (e *elfTree) glibc() (latest string) {
	for _, o := range e.objects {
		if o == nil {
			continue
		}
		for _, v := range o.Versions {
			if version, ok := strings.CutPrefix(v.Version, "GLIBC_"); ok && laterGlibc(version, latest) {
				latest = version
			}
		}
	}
	return latest
}

// LibraryError says which shared libraries the programs of a component would not find on a bare host.
type LibraryError struct {
	Component string
	Faults    []LibraryFault
}

// LibraryFault is one library that the dynamic loader would not find, or not in the version that is needed.
type LibraryFault struct {
	Library string
	Files   []string // that need it, sorted: the programs' own, or those of their libraries
	Where   []string // directories of the tree that have it, and that the loader does not look into
	Reason  string   // in place of "not found"
}

func (e *LibraryError) Error() string {
	s := &strings.Builder{}
	fmt.Fprintf(s, "programs of it would not start on a host that has only the C library:")
	for _, f := range e.Faults {
		io.WriteString(s, "\n  "+f.String())
	}
	return s.String()
}

func (f LibraryFault) String() string {
	s := f.Library + ", which " + firstOf(f.Files) + " needs, "
	switch {
	case f.Reason != "":
		return s + f.Reason
	case len(f.Where) > 0:
		return s + "is in " + strings.Join(f.Where, " and ") + ", where the loader does not look for it"
	}
	return s + "is not in the component"
}

// firstOf names the first of some files and counts the others.
func firstOf(files []string) string {
	if len(files) == 1 {
		return files[0]
	}
	return fmt.Sprintf("%s (and %d more)", files[0], len(files)-1)
}

// Hint says what to write into the lock file.
func (e *LibraryError) Hint() string {
	var absent, where []string
	for _, f := range e.Faults {
		switch {
		case f.Reason != "":
		case len(f.Where) == 0:
			absent = append(absent, f.Library)
		case !slices.Contains(where, f.Where[0]):
			where = append(where, f.Where[0])
		}
	}
	var hints []string
	if len(where) > 0 {
		hints = append(hints, fmt.Sprintf("name the directory that is meant: library_path: %s", listText(where)))
	}
	if len(absent) > 0 {
		slices.Sort(absent)
		hints = append(hints, fmt.Sprintf("add a source that brings %s into the component, or exclude the programs; "+
			"if every host is to have them installed, say host_libraries: %s",
			strings.Join(absent, ", "), listText(absent)))
	}
	if len(hints) == 0 {
		return "take the library in the version that the program was built with"
	}
	return strings.Join(hints, "; ")
}
