package bundle

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"syscall"
)

// writeDirTar writes the canonical tar of the tree at dir, without what the filters leave out. It opens everything
// through an os.Root, so a link that is changed while we read cannot lead out of the tree.
func writeDirTar(ctx context.Context, w io.Writer, dir string, f *filters) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("cannot read directory: %w", err)
	}
	defer root.Close()
	d := &dirTar{ctx: ctx, name: dir, root: root, tw: newTarWriter(w), filters: f, inodes: map[inode]string{}}
	names, err := d.list(".")
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := d.add(name); err != nil {
			return err
		}
	}
	return d.tw.Close()
}

// inode identifies a file with several names.
type inode struct{ dev, ino uint64 }

type dirTar struct {
	ctx     context.Context
	name    string
	root    *os.Root
	tw      tarWriter
	filters *filters
	inodes  map[inode]string // first path of each file that has several
}

// add writes the object at p and, depth first, what is below it. A directory sorts before its content but, byte-wise,
// a/b sorts after a-b: the order within one directory therefore compares a directory as if its name ended in a slash.
func (d *dirTar) add(p string) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if cleaned, err := cleanPath(p); err != nil || cleaned != p {
		return d.refuse(p, fmt.Sprint(err))
	}
	info, err := d.root.Lstat(p)
	if err != nil {
		return fmt.Errorf("cannot read directory %s: %w", d.name, err)
	}
	e := entry{path: p, mode: unixMode(info.Mode())}
	selected := d.filters.selects(p)
	switch info.Mode().Type() {
	case fs.ModeDir:
		return d.addDir(e, selected)
	case 0:
		e.kind, e.size = kindFile, info.Size()
	case fs.ModeSymlink:
		e.kind = kindSymlink
	default:
		if selected {
			return d.refuse(p, "is a "+typeName(info.Mode()))
		}
	}
	if !selected {
		return nil
	}
	if e.kind == kindSymlink {
		return d.addLink(e)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Nlink > 1 {
		id := inode{uint64(stat.Dev), stat.Ino}
		if first, seen := d.inodes[id]; seen {
			return d.tw.add(entry{path: p, kind: kindHardlink, mode: e.mode, target: first}, nil)
		}
		d.inodes[id] = p
	}
	return d.addFile(e)
}

func (d *dirTar) addDir(e entry, selected bool) error {
	e.kind = kindDir
	names, err := d.list(e.path)
	if err != nil {
		return err
	}
	// Not selected, a directory may still have selected content; then it is there without a mode of its own.
	if selected {
		if err := d.tw.add(e, nil); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := d.add(name); err != nil {
			return err
		}
	}
	return nil
}

func (d *dirTar) addLink(e entry) error {
	target, err := d.root.Readlink(e.path)
	if err != nil {
		return fmt.Errorf("cannot read directory %s: %w", d.name, err)
	}
	if wrong := linkTarget(target); wrong != "" {
		return d.refuse(e.path, wrong)
	}
	e.target = target
	return d.tw.add(e, nil)
}

func (d *dirTar) addFile(e entry) error {
	f, err := d.root.Open(e.path)
	if err != nil {
		return fmt.Errorf("cannot read directory %s: %w", d.name, err)
	}
	defer f.Close()
	if err := d.tw.add(e, f); err != nil {
		return fmt.Errorf("cannot read directory %s (is it being changed?): %w", d.name, err)
	}
	return nil
}

func (d *dirTar) refuse(p, reason string) error {
	return &ArchiveError{Archive: d.name, Entry: p, Reason: reason, hint: excludeHint}
}

// list returns the paths below the directory p in the order of the canonical tar.
func (d *dirTar) list(p string) ([]string, error) {
	f, err := d.root.Open(p)
	if err != nil {
		return nil, fmt.Errorf("cannot read directory %s: %w", d.name, err)
	}
	defer f.Close()
	items, err := f.ReadDir(-1)
	if err != nil {
		return nil, fmt.Errorf("cannot read directory %s: %w", d.name, err)
	}
	names := make([]string, len(items))
	keys := make(map[string]string, len(items))
	for i, item := range items {
		names[i] = path.Join(p, item.Name())
		keys[names[i]] = names[i]
		if item.IsDir() {
			keys[names[i]] += "/"
		}
	}
	sort.Slice(names, func(i, j int) bool { return keys[names[i]] < keys[names[j]] })
	return names, nil
}

// unixMode brings Go's file mode back to the bits of chmod(2).
func unixMode(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for _, b := range []struct {
		from fs.FileMode
		to   uint32
	}{{fs.ModeSetuid, modeSetuid}, {fs.ModeSetgid, modeSetgid}, {fs.ModeSticky, modeSticky}} {
		if m&b.from != 0 {
			bits |= b.to
		}
	}
	return bits
}
