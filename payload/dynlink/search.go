package dynlink

import (
	"path"
	"slices"
	"strings"
)

// Files are the files that a search may meet.
type Files interface {
	// Object returns the ELF file at an absolute path, with symbolic links followed as the kernel does; the path is not
	// clean. It returns nil when there is none for the machine, which lets the loader look on, and an error when there
	// is one that it cannot load, which ends the search.
	Object(file string) (*Object, error)
}

// Search has the settings that decide, apart from an object itself, which file a needed library is.
type Search struct {
	Files       Files
	LibraryPath []string // absolute directories of LD_LIBRARY_PATH
	Lib         string   // what $LIB stands for: lib64, or lib/x86_64-linux-gnu where the loader is Debian's
	Platform    string   // what $PLATFORM stands for: AT_PLATFORM of the kernel, such as x86_64
	// System reports whether a library is in ld.so.cache or the default directories. What such a library needs is
	// there, too; it is not followed.
	System func(name string) bool
}

// Loaded is an object that the loader would map, with how it came to be.
type Loaded struct {
	Name   string  // as it was needed; of the first, its path
	Path   string  // where it was found, clean; empty for one of the system
	Object *Object // nil for one of the system

	loader *Loaded // the object that needs it first
}

// Missing is a library that the loader would not find.
type Missing struct {
	Name string
	By   string // path of the first object that needs it
}

// MissingVersion is a version of symbols that the library found does not have, for which the loader ends the program.
type MissingVersion struct {
	Library, Version string
	Path             string // the library's
	By               string // path of the object that needs it
}

// Result is the loader's result for a file.
type Result struct {
	Loaded   []*Loaded // in the loader's order, the file itself first
	Missing  []Missing
	Versions []MissingVersion
}

// List does what ld.so --list FILE does: it looks for the libraries of the object at an absolute path, for theirs, and
// so on, breadth first.
func (s *Search) List(file string, o *Object) Result {
	l := &listing{Search: s, names: map[string]*Loaded{}}
	l.main = &Loaded{Name: file, Path: path.Clean(file), Object: o}
	l.add(l.main, file)
	for i := 0; i < len(l.result.Loaded); i++ { // it grows
		if by := l.result.Loaded[i]; by.Object != nil {
			for _, name := range by.Object.Needed {
				l.need(name, by)
			}
		}
	}
	l.versions()
	return l.result
}

// listing is one run of List.
type listing struct {
	*Search
	main   *Loaded
	names  map[string]*Loaded // every name that an object loaded is known by, nil for what is missing
	result Result
}

func (l *listing) add(o *Loaded, name string) {
	l.names[name] = o
	if o.Object != nil && o.Object.Soname != "" && l.names[o.Object.Soname] == nil {
		l.names[o.Object.Soname] = o
	}
	l.result.Loaded = append(l.result.Loaded, o)
}

// need looks for a library that is not loaded yet.
func (l *listing) need(name string, by *Loaded) {
	if _, known := l.names[name]; known {
		return
	}
	file, o, stop := l.find(name, by)
	switch {
	case o != nil:
		// The same file may have been found before by another name.
		if i := slices.IndexFunc(l.result.Loaded, func(x *Loaded) bool { return x.Object == o }); i >= 0 {
			l.names[name] = l.result.Loaded[i]
			return
		}
		l.add(&Loaded{Name: name, Path: path.Clean(file), Object: o, loader: by}, name)
	case !stop && !strings.Contains(name, "/") && !by.Object.NoDefaultLib && l.System != nil && l.System(name):
		l.add(&Loaded{Name: name, loader: by}, name)
	default:
		l.names[name] = nil
		l.result.Missing = append(l.result.Missing, Missing{Name: name, By: by.Path})
	}
}

// find looks in the directories that the objects and the environment name, in the order of _dl_map_object. stop is set
// when a file was found that cannot be loaded.
func (l *listing) find(name string, by *Loaded) (file string, o *Object, stop bool) {
	if strings.Contains(name, "/") {
		return l.open(l.expand(name, by))
	}
	for _, dir := range l.directories(by) {
		if file, o, stop := l.open(dir + "/" + name); o != nil || stop {
			return file, o, stop
		}
	}
	return "", nil, false
}

// directories lists where an object's libraries are looked for before the system's directories.
func (l *listing) directories(by *Loaded) []string {
	var dirs []string
	expand := func(list []string, o *Loaded) {
		for _, dir := range list {
			dirs = append(dirs, l.expand(dir, o))
		}
	}
	if !by.Object.HasRunPath {
		seenMain := false
		for o := by; o != nil; o = o.loader {
			if !o.Object.HasRunPath {
				expand(o.Object.RPath, o)
			}
			seenMain = seenMain || o == l.main
		}
		if !seenMain && !l.main.Object.HasRunPath {
			expand(l.main.Object.RPath, l.main)
		}
	}
	dirs = append(dirs, l.LibraryPath...)
	expand(by.Object.RunPath, by)
	return dirs
}

func (l *listing) open(file string) (string, *Object, bool) {
	if !path.IsAbs(file) {
		return "", nil, false // depends on the directory that the program is started in
	}
	o, err := l.Files.Object(file)
	return file, o, err != nil
}

// expand replaces the dynamic string tokens of ld.so(8). $ORIGIN is the directory an object was found in, and not that
// of the file that a symbolic link leads to.
func (l *listing) expand(s string, o *Loaded) string {
	if !strings.Contains(s, "$") {
		return s
	}
	for _, token := range []struct{ name, value string }{{"ORIGIN", path.Dir(o.Path)}, {"LIB", l.Lib},
		{"PLATFORM", l.Platform}} {
		s = strings.ReplaceAll(s, "${"+token.name+"}", token.value)
		s = strings.ReplaceAll(s, "$"+token.name, token.value)
	}
	return s
}

// versions compares the versions that objects need with those that the libraries found define. The loader lets a
// library pass that defines none at all.
func (l *listing) versions() {
	for _, by := range l.result.Loaded {
		if by.Object == nil {
			continue
		}
		for _, v := range by.Object.Versions {
			o := l.names[v.Library]
			if v.Weak || o == nil || o.Object == nil || len(o.Object.Defines) == 0 ||
				slices.Contains(o.Object.Defines, v.Version) {
				continue
			}
			l.result.Versions = append(l.result.Versions, MissingVersion{Library: v.Library, Version: v.Version,
				Path: o.Path, By: by.Path})
		}
	}
}
