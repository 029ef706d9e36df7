package host

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"fate-installer/payload/dynlink"
)

// Libraries are the shared libraries that the dynamic linker finds for a program of the machine's own kind, by file
// name (libaio.so.1), each with its directory: what a program's needed libraries are looked up in.
type Libraries map[string]string

// systemLibraryDirs are the directories that the dynamic linker of a C library has compiled in, for each of the places
// where distributions put the C library itself; TRIPLET is Debian's name of the machine. What lies elsewhere,
// /usr/local/lib for one, is found through ld.so.cache or not at all.
var systemLibraryDirs = [][]string{
	{"/lib/TRIPLET", "/usr/lib/TRIPLET", "/lib", "/usr/lib"},
	{"/lib64", "/usr/lib64"},
	{"/lib", "/usr/lib"},
}

// elfMachines has Debian's name and ELF's number for each architecture.
var elfMachines = map[string]struct {
	triplet string
	machine elf.Machine
}{
	"amd64": {"x86_64-linux-gnu", elf.EM_X86_64}, "arm64": {"aarch64-linux-gnu", elf.EM_AARCH64},
	"riscv64": {"riscv64-linux-gnu", elf.EM_RISCV}, "loong64": {"loongarch64-linux-gnu", elf.EM_LOONGARCH},
}

// libraries looks where the dynamic linker does: in ld.so.cache, and then in the default directories. A tree that has
// not booted may have no cache yet; the directories of ld.so.conf count there, as ldconfig will take them.
func (g *gatherer) libraries() {
	g.f.Libraries = Libraries{}
	m, known := elfMachines[g.f.Arch]
	if !known {
		g.f.Unknown["libraries"] = fmt.Sprintf("it is not known where the dynamic linker of %q looks", g.f.Arch)
		return
	}
	s := &librarySearch{g: g, machine: m.machine, names: map[string][]string{}}
	if !s.cache() {
		for _, dir := range g.configuredLibraryDirs("/etc/ld.so.conf", 0) {
			s.directory(dir)
		}
	}
	for _, dirs := range systemLibraryDirs {
		dirs = slices.Clone(dirs)
		for i := range dirs {
			dirs[i] = strings.ReplaceAll(dirs[i], "TRIPLET", m.triplet)
		}
		if slices.ContainsFunc(dirs, func(dir string) bool { return s.has(dir, "libc.so.6") }) {
			for _, dir := range dirs {
				s.directory(dir)
			}
			break
		}
	}
	if len(g.f.Libraries) == 0 {
		g.f.Unknown["libraries"] = "no shared library in the usual directories"
	}
}

// librarySearch is one look at the libraries of a machine.
type librarySearch struct {
	g       *gatherer
	machine elf.Machine
	names   map[string][]string // of the directories that have been read, sorted
}

// maxCache bounds what is read of ld.so.cache; a large desktop has 300 kB.
const maxCache = 16 << 20

// cache takes what ld.so.cache has, and reports whether there is one. The linker looks on when an entry's file is gone,
// and takes a damaged cache for none.
func (s *librarySearch) cache() bool {
	f, err := s.g.h.Open("/etc/ld.so.cache")
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		s.g.f.Unknown["ld.so.cache"] = err.Error()
		return true
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCache))
	if err != nil {
		s.g.f.Unknown["ld.so.cache"] = err.Error()
		return true
	}
	entries, err := dynlink.ParseCache(data, s.machine)
	if err != nil {
		s.g.f.Unknown["ld.so.cache"] = err.Error()
		return true
	}
	seen := map[string]bool{}
	for _, e := range entries {
		if dir := path.Dir(e.Path); !seen[e.Name] && s.has(dir, path.Base(e.Path)) {
			s.g.f.Libraries[e.Name] = dir
		}
		seen[e.Name] = true
	}
	return true
}

// directory takes the libraries of a directory that have not been found before.
func (s *librarySearch) directory(dir string) {
	for _, name := range s.list(dir) {
		if _, known := s.g.f.Libraries[name]; !known && strings.Contains(name, ".so") && s.loads(path.Join(dir, name)) {
			s.g.f.Libraries[name] = dir
		}
	}
}

// loads reports whether a file is an ELF file for the machine: directories may have libraries for several.
func (s *librarySearch) loads(file string) bool {
	f, err := s.g.h.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	machine, err := dynlink.MachineOf(f)
	return err == nil && machine == s.machine
}

func (s *librarySearch) has(dir, name string) bool {
	_, found := slices.BinarySearch(s.list(dir), name)
	return found
}

func (s *librarySearch) list(dir string) []string {
	names, read := s.names[dir]
	if !read {
		entries, _ := s.g.h.ReadDir(dir) // many exist on another distribution only
		for _, e := range entries {
			names = append(names, e.Name())
		}
		slices.Sort(names)
		s.names[dir] = names
	}
	return names
}

// maxIncludes bounds include directives of ld.so.conf that include each other.
const maxIncludes = 4

// configuredLibraryDirs reads ld.so.conf(5): a directory per line, # comments, and include with a pattern.
func (g *gatherer) configuredLibraryDirs(file string, depth int) []string {
	data, err := g.h.ReadFile(file)
	if err != nil || depth > maxIncludes {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 2 && fields[0] == "include":
			dirs = append(dirs, g.includedLibraryDirs(path.Dir(file), fields[1], depth)...)
		case len(fields) > 0 && path.IsAbs(fields[0]) && !slices.Contains(dirs, fields[0]):
			dirs = append(dirs, fields[0])
		}
	}
	return dirs
}

func (g *gatherer) includedLibraryDirs(base, pattern string, depth int) []string {
	if !path.IsAbs(pattern) {
		pattern = path.Join(base, pattern)
	}
	entries, err := g.h.ReadDir(path.Dir(pattern))
	if err != nil {
		return nil
	}
	var dirs []string
	for _, e := range entries {
		if ok, err := path.Match(path.Base(pattern), e.Name()); err == nil && ok {
			dirs = append(dirs, g.configuredLibraryDirs(path.Join(path.Dir(pattern), e.Name()), depth+1)...)
		}
	}
	return dirs
}
