package step

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// listName is a file in the root of every unpacked tree: what the component brought, one path a line, and after a tab
// what it is. With it a Check sees what is missing, changed or foreign for the price of reading the directories.
//
//	bin/run<TAB>f 10240 1600000000 0755    a file: size, seconds since 1970, mode
//	bin/tool<TAB>l ../lib/tool             a link and its target
//	plugins<TAB>d                          a directory
//	bin/run                                written by an older release: a file or a link, of which nothing more is known
const listName = ".fate-component.files"

// listed is the list's record of an entry.
type listed struct {
	kind   byte // 'f', 'l', 'd', or 0 when it is not known
	size   int64
	mtime  int64
	perm   fs.FileMode
	target string
}

// inventory is the content of a list, by path. It is nil when there is no list.
type inventory map[string]listed

func (l listed) String() string {
	switch l.kind {
	case 'f':
		return fmt.Sprintf("f %d %d %s", l.size, l.mtime, octal(l.perm))
	case 'l':
		return "l " + l.target
	case 'd':
		return "d"
	}
	return ""
}

// parseListed is the inverse of String. What it does not understand, such as the form of a later release, is not known.
func parseListed(text string) listed {
	kind, rest, _ := strings.Cut(text, " ")
	switch kind {
	case "d":
		return listed{kind: 'd'}
	case "l":
		return listed{kind: 'l', target: rest}
	case "f":
		fields := strings.Fields(rest)
		if len(fields) != 3 {
			return listed{}
		}
		size, err := strconv.ParseInt(fields[0], 10, 64)
		mtime, err2 := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || err2 != nil {
			return listed{}
		}
		return listed{kind: 'f', size: size, mtime: mtime, perm: parseOctal(fields[2])}
	}
	return listed{}
}

func parseInventory(text string) inventory {
	inv := inventory{}
	for line := range strings.Lines(text) {
		name, what, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if path.Clean(name) == name && name != "." && filepath.IsLocal(name) {
			inv[name] = parseListed(what)
		}
	}
	return inv
}

func (inv inventory) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(inv)) {
		b.WriteString(name)
		if what := inv[name].String(); what != "" {
			b.WriteString("\t" + what)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// readInventory reads the list of a tree.
func readInventory(env *engine.Env, dir string) (inventory, error) {
	text, err := env.Host.ReadFile(path.Join(dir, listName))
	if notExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseInventory(string(text)), nil
}

func writeInventory(env *engine.Env, dir string, inv inventory) error {
	return env.Host.WriteFile(path.Join(dir, listName), []byte(inv.String()), host.FileMode{Perm: 0o644})
}

// takeInventory lists a tree that has nothing but what a component brings. A tree that has a list already is one that
// was kept, which may hold more.
func (u Unpack) takeInventory(env *engine.Env, root string) (inventory, error) {
	if inv, err := readInventory(env, root); inv != nil || err != nil {
		return inv, err
	}
	inv := inventory{}
	for dirs := []string{""}; len(dirs) > 0; {
		rel := dirs[len(dirs)-1]
		dirs = dirs[:len(dirs)-1]
		err := env.Host.EachEntry(path.Join(root, rel), func(e fs.DirEntry) (err error) {
			at := path.Join(rel, e.Name())
			if u.isOwn(at) || e.IsDir() && e.Name() == pythonCache || strings.ContainsAny(at, "\n\t") {
				return nil
			}
			if e.IsDir() {
				dirs = append(dirs, at)
			}
			inv[at], err = listEntry(env, path.Join(root, at), e)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return inv, nil
}

// listEntry describes an entry of a directory.
func listEntry(env *engine.Env, at string, e fs.DirEntry) (listed, error) {
	switch {
	case e.IsDir():
		return listed{kind: 'd'}, nil
	case e.Type()&fs.ModeSymlink != 0:
		target, err := env.Host.Readlink(at)
		return listed{kind: 'l', target: target}, err
	}
	fi, err := e.Info()
	if err != nil {
		return listed{}, err
	}
	return listed{kind: 'f', size: fi.Size(), mtime: fi.ModTime().Unix(), perm: fi.Mode().Perm()}, nil
}

// pythonCache is the name of the directories in which Python keeps compiled code.
const pythonCache = "__pycache__"

// isOwn reports whether a path in the tree is data, or a record of this installer.
func (u Unpack) isOwn(rel string) bool {
	return rel == markerName || rel == listName || rel == keptName ||
		!u.purge && rel == ReplacedFiles || slices.Contains(u.Keep, rel)
}

// kept lists the paths in the tree that move along to another version and that an undo leaves.
func (u Unpack) kept() []string {
	if u.purge {
		return nil
	}
	return union(u.Keep, []string{ReplacedFiles})
}

// names lists the first of some paths, in one line.
func names(paths []string, shown int) string {
	text := strings.Join(paths[:min(shown, len(paths))], ", ")
	if more := len(paths) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
