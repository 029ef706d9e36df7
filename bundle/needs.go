package bundle

import (
	"debug/elf"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/payload"
)

// elfMachines are the processors that a platform's programs are for.
var elfMachines = map[string]elf.Machine{
	"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64, "linux/riscv64": elf.EM_RISCV, "linux/loong64": elf.EM_LOONGARCH,
}

// glibcLibraries begin the names of the libraries that come with the GNU C library, of whichever version.
var glibcLibraries = []string{
	"libc.so.", "libm.so.", "libdl.so.", "libpthread.so.", "librt.so.", "libutil.so.", "libresolv.so.", "libanl.so.",
	"libmvec.so.", "libthread_db.so.", "libBrokenLocale.so.", "ld-linux", "linux-vdso.so.",
}

// elfFile is what matters here of an ELF file.
type elfFile struct {
	program bool // it asks for a dynamic linker, so it can be started
	needed  []string
}

// elfNeeds collects what the ELF files of a tree need.
type elfNeeds struct {
	machine elf.Machine
	files   map[*blob]*elfFile
	glibc   string
}

// needs looks at the ELF files of a finished tree. It returns nil if there are none for the platform.
func (t *tree) needs(platform string) *payload.Needs {
	machine, ok := elfMachines[platform]
	if !ok {
		return nil
	}
	e := &elfNeeds{machine: machine, files: map[*blob]*elfFile{}}
	for _, n := range t.nodes {
		if n.kind == kindFile && e.files[n.blob] == nil {
			e.add(n.blob, t.spool.open(n.blob))
		}
	}
	if len(e.files) == 0 {
		return nil
	}
	// A library is found by its file name, be it that of a link. Where in the tree it is, is the programs' own concern.
	brought := map[string]*elfFile{}
	for p, n := range t.nodes {
		if n.kind == kindSymlink {
			end, err := t.follow(n)
			if n = t.nodes[end]; err != nil || n == nil {
				continue
			}
		}
		if n.kind == kindFile {
			brought[path.Base(p)] = e.files[n.blob]
		}
	}
	programs, all := e.missing(brought)
	for name := range programs {
		delete(all, name)
	}
	return &payload.Needs{Programs: slices.Sorted(maps.Keys(programs)), Modules: slices.Sorted(maps.Keys(all)), Glibc: e.glibc}
}

// missing lists the libraries that are not among those brought: what programs need to start, and what any file needs.
func (e *elfNeeds) missing(brought map[string]*elfFile) (programs, all map[string]bool) {
	programs, all = map[string]bool{}, map[string]bool{}
	visited := map[*elfFile]bool{}
	var visit func(f *elfFile)
	visit = func(f *elfFile) {
		if f == nil || visited[f] {
			return
		}
		visited[f] = true
		for _, name := range f.needed {
			if library, ok := brought[name]; ok {
				visit(library)
			} else {
				programs[name] = true
			}
		}
	}
	for _, f := range e.files {
		if f.program {
			visit(f)
		}
		for _, name := range f.needed {
			if _, ok := brought[name]; !ok {
				all[name] = true
			}
		}
	}
	return programs, all
}

// add looks at one file. What is no whole ELF file of the machine, as a test's broken example may be, needs nothing.
func (e *elfNeeds) add(b *blob, file io.ReaderAt) {
	var magic [len(elf.ELFMAG)]byte
	if _, err := file.ReadAt(magic[:], 0); err != nil || string(magic[:]) != elf.ELFMAG {
		return
	}
	f, err := elf.NewFile(file)
	if err != nil || f.Machine != e.machine || f.Class != elf.ELFCLASS64 {
		return
	}
	found := &elfFile{program: slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })}
	e.files[b] = found
	needed, err := f.ImportedLibraries()
	if err != nil {
		return
	}
	found.needed = slices.DeleteFunc(needed, isGlibc)
	versions, err := f.DynamicVersionNeeds()
	if err != nil {
		return
	}
	for _, library := range versions {
		for _, v := range library.Needs {
			if version, ok := strings.CutPrefix(v.Dep, "GLIBC_"); ok && laterGlibc(version, e.glibc) {
				e.glibc = version
			}
		}
	}
}

func isGlibc(library string) bool {
	return slices.ContainsFunc(glibcLibraries, func(prefix string) bool { return strings.HasPrefix(library, prefix) })
}

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
