package bundle

import (
	"maps"
	"path"
	"slices"
	"strings"

	"fate-installer/payload"
	"fate-installer/payload/dynlink"
)

// linking is the result of the dynamic loader's rules for a component.
type linking struct {
	*elfTree
	hostLibraries []string

	libraryPath []string
	programs    map[string]dynlink.Result // of each program
	modules     map[string]dynlink.Result // of each other object, as if it were loaded alone
}

// link looks at the ELF files of a finished tree as the dynamic loader does. It computes the directories that the
// programs need on LD_LIBRARY_PATH when the lock file gives none, and refuses a tree whose programs would not start.
// needs is nil if there are no ELF files for the platform.
func (t *tree) link(c *Component, platform string) (needs *payload.Needs, libraryPath []string, err error) {
	if _, ok := elfMachines[platform]; !ok {
		return nil, c.LibraryPath, nil
	}
	l := &linking{elfTree: t.readELF(platform), hostLibraries: c.HostLibraries, libraryPath: c.LibraryPath}
	if len(l.elfTree.programs)+len(l.elfTree.others) == 0 {
		return nil, c.LibraryPath, nil
	}
	l.listAll()
	if len(c.LibraryPath) == 0 {
		for dir := l.wantedDir(); dir != ""; dir = l.wantedDir() {
			l.libraryPath = append(l.libraryPath, dir)
			l.listAll()
		}
	}
	if faults := l.faults(); len(faults) > 0 {
		return nil, nil, &LibraryError{Component: c.Name, Faults: faults}
	}
	return l.needs(), l.libraryPath, nil
}

func (l *linking) listAll() {
	l.programs, l.modules = map[string]dynlink.Result{}, map[string]dynlink.Result{}
	for _, p := range l.elfTree.programs {
		l.programs[p] = l.list(p, l.libraryPath)
	}
	for _, p := range l.elfTree.others {
		l.modules[p] = l.list(p, l.libraryPath)
	}
}

// wantedDir returns a directory of the tree that LD_LIBRARY_PATH lacks: one that alone has a library which a program
// needs; or one of the tree's own library directories that has what is needed by an object which is loaded later. A
// directory further down belongs to what loads from it, as lib/server of a JDK does.
func (l *linking) wantedDir() string {
	for _, p := range l.elfTree.programs {
		for _, m := range l.programs[p].Missing {
			if dirs := l.different(m.Name); len(dirs) == 1 && !slices.Contains(l.libraryPath, dirs[0]) {
				return dirs[0]
			}
		}
	}
	for _, p := range l.elfTree.others {
		for _, m := range l.modules[p].Missing {
			if dirs := l.different(m.Name); len(dirs) == 1 && isLibraryDir(dirs[0]) &&
				!slices.Contains(l.libraryPath, dirs[0]) {
				return dirs[0]
			}
		}
	}
	return ""
}

// isLibraryDir reports whether a directory is where a tree has libraries for all of it: lib, usr/lib64,
// lib/x86_64-linux-gnu.
func isLibraryDir(dir string) bool {
	dir = strings.TrimPrefix(dir, "usr/")
	first, rest, _ := strings.Cut(dir, "/")
	return (first == "lib" || first == "lib64") && (rest == "" || strings.HasSuffix(rest, "-linux-gnu"))
}

// different lists the directories that have a library of that name, only the first of those that have the same bytes.
func (l *linking) different(name string) []string {
	var out []string
	var seen []*blob
	for _, dir := range l.dirs[name] {
		n := l.file(path.Join(dir, name))
		same := func(b *blob) bool { equal, err := l.spool.same(b, n.blob); return b == n.blob || err == nil && equal }
		if n != nil && !slices.ContainsFunc(seen, same) {
			seen = append(seen, n.blob)
			out = append(out, dir)
		}
	}
	return out
}

// file is the node that a path leads to, if that is a file.
func (l *linking) file(p string) *node {
	end, err := l.follow(&node{path: "x", target: p})
	if n := l.nodes[end]; err == nil && n != nil && n.kind == kindFile {
		return n
	}
	return nil
}

// faults lists what keeps programs from starting, sorted by library: what the host is not known to have.
func (l *linking) faults() []LibraryFault {
	byName := map[string]*LibraryFault{}
	note := func(name, file, reason string, where []string) {
		f := byName[name]
		if f == nil {
			f = &LibraryFault{Library: name, Where: where, Reason: reason}
			byName[name] = f
		}
		if !slices.Contains(f.Files, file) {
			f.Files = append(f.Files, file)
		}
	}
	for _, p := range l.elfTree.programs {
		for _, m := range l.programs[p].Missing {
			if dirs := l.dirs[m.Name]; len(dirs) > 0 || !l.ofHost(m.Name) {
				note(m.Name, m.By, "", dirs)
			}
		}
		for _, v := range l.programs[p].Versions {
			note(v.Library, v.By, "is "+v.Path+", which lacks version "+v.Version, nil)
		}
		for _, o := range l.programs[p].Loaded {
			if o.Object != nil && o.Name == "libc.so.6" && strings.HasPrefix(l.objects[l.nodes[p].blob].Interp,
				"/lib") {
				note(o.Name, p,
					"is "+o.Path+": a C library works only with its own loader, and the host's is used; exclude it",
					nil)
			}
		}
	}
	var out []LibraryFault
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		slices.Sort(byName[name].Files)
		out = append(out, *byName[name])
	}
	return out
}

// ofHost reports whether a library is left to the host: every host has it, or the lock file says so.
func (l *linking) ofHost(name string) bool {
	matches := func(pattern string) bool { ok, err := path.Match(pattern, name); return ok && err == nil }
	return slices.Contains(everywhere, name) || slices.ContainsFunc(l.hostLibraries, matches)
}

// needs says what the component takes from the host.
func (l *linking) needs() *payload.Needs {
	n := &payload.Needs{Glibc: l.glibc()}
	found := map[[2]string]bool{} // object and library: found when a program loads the object
	for _, p := range l.elfTree.programs {
		r := l.programs[p]
		missing := map[[2]string]bool{}
		for _, m := range r.Missing {
			n.Add(m.Name, p)
			missing[[2]string{m.By, m.Name}] = true
		}
		for _, o := range r.Loaded {
			if o.Object == nil {
				continue
			}
			for _, name := range o.Object.Needed {
				found[[2]string{o.Path, name}] = !missing[[2]string{o.Path, name}]
			}
		}
	}
	modules := map[string]bool{}
	for _, p := range l.elfTree.others {
		for _, m := range l.modules[p].Missing {
			if !found[[2]string{m.By, m.Name}] && !slices.Contains(n.Programs, m.Name) {
				modules[m.Name] = true
			}
		}
	}
	n.Modules = slices.Sorted(maps.Keys(modules))
	return n
}
