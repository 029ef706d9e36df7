package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
)

// tree is a component's files while its sources are merged into it: names in memory, content in the spool.
type tree struct {
	spool    *spool
	nodes    map[string]*node
	packages map[string]string // where each path of the merged .deb sources went; they share one root directory
	warnings []string
}

// node is one object of the tree.
type node struct {
	path   string
	kind   kind // file, dir or symlink: hard links are files that share a blob
	mode   uint32
	blob   *blob
	target string // of a symlink; final once links are resolved

	from   *origin
	stored string // path in that source
}

// origin is a source that has been merged.
type origin struct {
	name   string
	system bool              // its paths are meant from the root of a system, as in a .deb
	placed map[string]string // stored path -> path in the tree
	*mapping
}

func newTree(s *spool) *tree {
	return &tree{spool: s, nodes: map[string]*node{}, packages: map[string]string{}}
}

// merge starts a source. The entries it has are given to add.
func (t *tree) merge(s *Source, system bool) *origin {
	return &origin{name: s.String(), system: system, placed: map[string]string{}, mapping: newMapping(s)}
}

// add puts one entry of a source into the tree.
func (t *tree) add(o *origin, e entry, body io.Reader) error {
	refuse := func(reason, hint string) error {
		return &ArchiveError{Archive: o.name, Entry: e.path, Reason: reason, hint: hint}
	}
	if !o.selects(e.path) {
		return nil
	}
	at, ok := o.place(e.path)
	if !ok || at == "." && e.kind == kindDir {
		if ok || e.kind == kindDir {
			return nil // directories that strip removes, and the root
		}
		return refuse(fmt.Sprintf("has no path left after strip: %d", o.source.Strip), "exclude it, or strip less")
	}
	if at == "." {
		return refuse(fmt.Sprintf("is a %s, but would become the root of the component", e.kind), "")
	}
	if len(t.nodes) >= maxEntries {
		return refuse(fmt.Sprintf("is one more than the %d entries a component can have", maxEntries), "")
	}
	mode, reason := o.mode(e)
	if reason != "" {
		return refuse(reason, "exclude it, or say setuid: drop or setuid: allow in the lock file")
	}
	n := &node{path: at, kind: e.kind, mode: mode, target: e.target, from: o, stored: e.path}
	switch e.kind {
	case kindFile:
		blob, err := t.spool.add(body, e.size)
		var damage sourceError
		if errors.As(err, &damage) {
			return &ArchiveError{Archive: o.name, Entry: e.path, Reason: "cannot be read", Err: damage.error}
		}
		if err != nil {
			return err
		}
		n.blob = blob
	case kindHardlink:
		shared := t.nodes[o.placed[e.target]]
		if shared == nil || shared.from != o || shared.kind == kindDir {
			return refuse(fmt.Sprintf("is a hard link to %q, which is not an earlier file of the source", e.target),
				"include the file it shares too, or exclude this one")
		}
		n.kind, n.mode, n.blob, n.target, n.stored = shared.kind, shared.mode, shared.blob, shared.target, shared.stored
	}
	if err := t.put(n); err != nil {
		return err
	}
	o.placed[e.path] = at
	if o.system {
		t.packages[e.path] = at
	}
	return nil
}

// put inserts n, or settles it with what is there: directories merge, equal files are one, anything else is a conflict
// unless the later source says override.
func (t *tree) put(n *node) error {
	old := t.nodes[n.path]
	switch {
	case old == nil:
		t.nodes[n.path] = n
		return nil
	case old.kind == kindDir && n.kind == kindDir:
		return nil
	}
	difference, err := t.difference(old, n)
	if err != nil {
		return err
	}
	switch {
	case difference == "":
		return nil
	case n.from.source.Override && old.kind != kindDir && n.kind != kindDir:
		t.nodes[n.path] = n
		return nil
	}
	return &ArchiveError{
		Archive: n.from.name, Entry: n.stored,
		Reason: fmt.Sprintf("conflicts with %q of %s at %s: %s", old.stored, old.from.name, n.path, difference),
		hint:   "exclude one of them, rename one, or say override: true in the later source",
	}
}

// difference says how two nodes for one path differ, or nothing.
func (t *tree) difference(a, b *node) (string, error) {
	switch {
	case a.kind != b.kind:
		return fmt.Sprintf("one is a %s, the other a %s", a.kind, b.kind), nil
	case a.kind == kindSymlink:
		if a.target != b.target {
			return fmt.Sprintf("one leads to %q, the other to %q", a.target, b.target), nil
		}
		return "", nil
	case a.mode != b.mode:
		return fmt.Sprintf("one has mode %#o, the other %#o", a.mode, b.mode), nil
	}
	same, err := t.spool.same(a.blob, b.blob)
	if err == nil && !same {
		return "their contents differ", nil
	}
	return "", err
}

// finish is called once all sources of c are in: it adds the directories that no entry names and settles the links.
func (t *tree) finish(c *Component) error {
	if len(t.nodes) == 0 {
		return fmt.Errorf("nothing is left of its sources")
	}
	if err := t.addParents(); err != nil {
		return err
	}
	if err := t.resolveLinks(); err != nil {
		return err
	}
	for _, dir := range c.LibraryPath {
		if n := t.nodes[dir]; n == nil || n.kind == kindFile {
			return fmt.Errorf("library_path %q is no directory of it", dir)
		}
	}
	return t.spool.flush()
}

// addParents makes sure that everything lies in a directory.
func (t *tree) addParents() error {
	paths := make([]string, 0, len(t.nodes))
	for p := range t.nodes {
		paths = append(paths, p)
	}
	sort.Strings(paths) // so that the same mistake is named each time
	for _, p := range paths {
		n := t.nodes[p]
		for up := path.Dir(p); up != "."; up = path.Dir(up) {
			parent := t.nodes[up]
			if parent == nil {
				t.nodes[up] = &node{path: up, kind: kindDir, mode: modeDir, from: n.from, stored: n.stored}
				continue
			}
			if parent.kind != kindDir {
				return &ArchiveError{
					Archive: n.from.name, Entry: n.stored,
					Reason: fmt.Sprintf("would lie below %s, which is a %s of %s", up, parent.kind, parent.from.name),
					hint:   "rename one of them so that they do not meet",
				}
			}
			break // its own parents are checked when it is its turn
		}
	}
	return nil
}

// sorted returns the nodes in the order of a canonical tar: by path, a directory as if its name ended in a slash, so
// that a tree is stored in the order a depth-first walk meets it.
func (t *tree) sorted() []*node {
	keys := make([]string, 0, len(t.nodes))
	for p, n := range t.nodes {
		if n.kind == kindDir {
			p += "/"
		}
		keys = append(keys, p)
	}
	sort.Strings(keys)
	nodes := make([]*node, len(keys))
	for i, key := range keys {
		if n := t.nodes[key]; n != nil {
			nodes[i] = n
			continue
		}
		nodes[i] = t.nodes[key[:len(key)-1]]
	}
	return nodes
}

// writeTar writes the canonical tar of a finished tree. progress receives the bytes of file content written so far.
func (t *tree) writeTar(ctx context.Context, w io.Writer, progress func(done, total int64)) error {
	tw := newTarWriter(w)
	var done int64
	first := map[*blob]string{}
	for _, n := range t.sorted() {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := entry{path: n.path, kind: n.kind, mode: n.mode, target: n.target}
		var body io.Reader
		if n.kind == kindFile {
			if shared, seen := first[n.blob]; seen {
				e.kind, e.target = kindHardlink, shared
			} else {
				first[n.blob] = n.path
				e.size, body = n.blob.size, t.spool.open(n.blob)
			}
		}
		if err := tw.add(e, body); err != nil {
			return err
		}
		if done += e.size; e.size > 0 {
			progress(done, t.spool.size)
		}
	}
	return tw.Close()
}
