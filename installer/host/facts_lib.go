package host

import (
	"path"
	"slices"
	"strings"
)

// Libraries are the shared libraries in the dynamic linker's directories, by file name (libaio.so.1), each with its
// directory: what a program's needed libraries are looked up in.
type Libraries map[string]string

// defaultLibraryDirs are searched by the dynamic linker in any case; the multiarch ones are Debian's.
var defaultLibraryDirs = []string{
	"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib", "/usr/local/lib64",
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
}

// libraries lists directories instead of reading ld.so.cache, whose format depends on the C library and which a tree
// that has not booted may not have.
func (g *gatherer) libraries() {
	g.f.Libraries = Libraries{}
	for _, dir := range append(g.configuredLibraryDirs("/etc/ld.so.conf", 0), defaultLibraryDirs...) {
		entries, err := g.h.ReadDir(dir)
		if err != nil {
			continue // most of them exist on another distribution only
		}
		for _, e := range entries {
			if _, known := g.f.Libraries[e.Name()]; !known && strings.Contains(e.Name(), ".so") {
				g.f.Libraries[e.Name()] = dir
			}
		}
	}
	if len(g.f.Libraries) == 0 {
		g.f.Unknown["libraries"] = "no shared library in the usual directories"
	}
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
