package payload

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// largeFile is the size from which writing a file to disk begins at once, rather than with the final sync.
const largeFile = 1 << 20

// destination is the tree below a staging directory. Every name is looked up in an open directory, one element at a
// time and never through a symbolic link, so nothing is written outside whatever names a payload has. Links are made
// after everything else.
type destination struct {
	c     *Component
	s     *staging
	o     ExtractOptions
	umask uint32 // what open(2) takes away from a mode, or all bits if it is not known

	mu    sync.Mutex
	made  map[string]bool // directories that were needed before their entry came
	dirs  map[string]dirState
	links []entry
	files int
	size  int64

	spread map[string]*spreadFile // files in more than one frame; the map does not change

	only  map[string]bool // entries that are extracted; nil: all. The map does not change.
	left  map[string]bool // of only: those that did not come yet
	unmet []string        // files that hard links among only lead to, and that are not among only
}

// dirState is the entry of a directory.
type dirState struct {
	mode  uint32
	mtime int64
	exact bool // whether it was made with this mode
}

func newDestination(c *Component, s *staging, only map[string]bool, o ExtractOptions) *destination {
	d := &destination{
		c: c, s: s, o: o, umask: readUmask(s.dir), made: map[string]bool{}, dirs: map[string]dirState{},
		spread: map[string]*spreadFile{}, only: only, left: maps.Clone(only),
	}
	for i := range c.Frames {
		k := c.Frames[i].Continues
		if k == nil || !d.wants(k.Path) {
			continue
		}
		if d.spread[k.Path] == nil {
			d.spread[k.Path] = &spreadFile{missing: 1, fd: -1} // the piece after its header
		}
		d.spread[k.Path].missing++
	}
	return d
}

func (d *destination) newDirStack() *dirStack {
	return &dirStack{d: d, root: int(d.s.dir.Fd())}
}

// add writes the entry e with the part of its data that is in the frame of its header.
func (d *destination) add(dirs *dirStack, e entry, data []byte) error {
	var err error
	switch {
	case e.kind == kindDir:
		err = d.addDir(dirs, e)
	case e.kind != kindFile:
		d.mu.Lock()
		d.links = append(d.links, e)
		d.note(e)
		d.mu.Unlock()
	case int64(len(data)) < e.size:
		err = d.beginFile(dirs, e, data)
	default:
		err = d.addFile(dirs, e, data)
	}
	return atPath(e.name, err)
}

// atPath says which entry a system call failed for. In a new directory that no other process writes to, some failures
// can only come from the names themselves.
func atPath(name string, err error) error {
	errno, ok := err.(unix.Errno)
	if !ok {
		return err
	}
	switch errno {
	case unix.EEXIST, unix.ENOTDIR, unix.ELOOP, unix.ENOENT:
		return &contentError{fmt.Sprintf("entry %q collides with another", name), errno}
	}
	return &fs.PathError{Op: "write", Path: name, Err: errno}
}

func (d *destination) addDir(dirs *dirStack, e entry) error {
	parent, base, err := d.enter(dirs, e.name)
	if err != nil {
		return err
	}
	// Workers need to write into it until the end.
	mode := e.mode&0o777 | 0o700
	err = unix.Mkdirat(parent, base, mode)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == unix.EEXIST && d.made[e.name] {
		delete(d.made, e.name)
		err, mode = nil, 0
	}
	d.note(e)
	d.dirs[e.name] = dirState{mode: e.mode, mtime: e.mtime, exact: mode&^d.umask == e.mode}
	return err
}

// enter opens the directory that name is in, and returns it with the last element of name.
func (d *destination) enter(dirs *dirStack, name string) (parent int, base string, err error) {
	dir, base := "", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dir, base = name[:i], name[i+1:]
	}
	parent, err = dirs.enter(dir)
	return parent, base, atPath(dir, err)
}

// addFile writes a whole file.
func (d *destination) addFile(dirs *dirStack, e entry, data []byte) error {
	if d.spread[e.name] != nil {
		return badContent("entry %q is continued in another frame, but whole in its own", e.name)
	}
	parent, base, err := d.enter(dirs, e.name)
	if err != nil {
		return err
	}
	fd, err := createFile(parent, base, e.mode&0o777)
	if err != nil {
		return err
	}
	err = d.fill(fd, data, 0)
	if err == nil {
		err = d.finishFile(fd, parent, base, e, e.mode&0o777)
	}
	if e := unix.Close(fd); err == nil {
		err = e
	}
	return err
}

// fill writes data at offset of a file.
func (d *destination) fill(fd int, data []byte, offset int64) error {
	if err := pwrite(fd, data, offset); err != nil {
		return err
	}
	if len(data) >= largeFile && !d.o.NoSync {
		startWriting(fd, offset, int64(len(data)))
	}
	return nil
}

// finishFile counts a written file, which was created with mode created, and gives it its owner, mode and time, in this
// order: a change of owner takes setuid away.
func (d *destination) finishFile(fd, parent int, base string, e entry, created uint32) error {
	d.mu.Lock()
	d.note(e)
	d.files++
	d.size += e.size
	d.mu.Unlock()
	if d.o.UID >= 0 || d.o.GID >= 0 {
		if err := unix.Fchown(fd, max(d.o.UID, -1), max(d.o.GID, -1)); err != nil {
			return err
		}
	}
	if created&^d.umask != e.mode {
		if err := unix.Fchmod(fd, e.mode); err != nil {
			return err
		}
	}
	return setTime(parent, base, e.mtime)
}

func setTime(parent int, base string, mtime int64) error {
	t := []unix.Timespec{{Sec: mtime}, {Sec: mtime}}
	return unix.UtimesNanoAt(parent, base, t, unix.AT_SYMLINK_NOFOLLOW)
}

// finish does what has to wait for all frames: links, then owner, mode and time of the directories. It is an error if
// anything the manifest promised is missing.
func (d *destination) finish(ctx context.Context) error {
	dirs := d.newDirStack()
	defer dirs.close()
	for name, f := range d.spread {
		if f.missing != 0 {
			return badContent("entry %q is not complete", name)
		}
	}
	if d.only != nil {
		if err := d.checkPart(); err != nil {
			return err
		}
	} else if d.files != d.c.Files || d.size != d.c.Size || len(d.dirs) != d.c.Dirs || len(d.links) != d.c.Links {
		return badContent("it has %d files with %d bytes, %d directories and %d links, the manifest says %d with %d, "+
			"%d and %d",
			d.files, d.size, len(d.dirs), len(d.links), d.c.Files, d.c.Size, d.c.Dirs, d.c.Links)
	}
	for name := range d.made {
		return badContent("directory %q has no entry of its own", name)
	}
	if err := d.makeLinks(ctx, dirs); err != nil {
		return err
	}
	return d.finishDirs(ctx, dirs)
}

// makeLinks makes hard links first: while there are no symbolic links, none can be taken for a directory or a file.
func (d *destination) makeLinks(ctx context.Context, dirs *dirStack) error {
	slices.SortFunc(d.links, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
	})
	links := map[string]bool{}
	for _, e := range d.links {
		links[e.name] = true
	}
	from := d.newDirStack()
	defer from.close()
	for _, e := range d.links {
		if e.kind == kindLink && links[e.target] {
			return badContent("entry %q is a hard link to %q, which is a link", e.name, e.target)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := atPath(e.name, d.makeLink(dirs, from, e)); err != nil {
			return err
		}
	}
	return nil
}

func (d *destination) makeLink(dirs, from *dirStack, e entry) error {
	parent, base, err := d.enter(dirs, e.name)
	if err != nil {
		return err
	}
	if e.kind == kindLink {
		dir, target, err := d.enter(from, e.target)
		if err != nil {
			return err
		}
		err = unix.Linkat(dir, target, parent, base, 0)
		if err == unix.EPERM { // how Linux says that it is a directory
			return &contentError{fmt.Sprintf("entry %q is a hard link to %q, which is not a file", e.name, e.target),
				err}
		}
		return err
	}
	if err := unix.Symlinkat(e.target, parent, base); err != nil {
		return err
	}
	if d.o.UID >= 0 || d.o.GID >= 0 {
		if err := unix.Fchownat(parent, base, max(d.o.UID, -1), max(d.o.GID, -1),
			unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	return setTime(parent, base, e.mtime)
}

// finishDirs works from the bottom up, since the mode of a directory may lock its content away.
func (d *destination) finishDirs(ctx context.Context, dirs *dirStack) error {
	names := make([]string, 0, len(d.dirs))
	for name := range d.dirs {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(b, a) })
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		state := d.dirs[name]
		parent, base, err := d.enter(dirs, name)
		if err == nil {
			err = d.finishDir(parent, base, state)
		}
		if err != nil {
			return atPath(name, err)
		}
	}
	dirs.close()
	return d.finishDir(int(d.s.dir.Fd()), ".", dirState{mode: 0o755, mtime: -1})
}

func (d *destination) finishDir(parent int, base string, state dirState) error {
	if d.o.UID >= 0 || d.o.GID >= 0 {
		if err := unix.Fchownat(parent, base, max(d.o.UID, -1), max(d.o.GID, -1),
			unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	if !state.exact || state.mode&0o7000 != 0 {
		if err := unix.Fchmodat(parent, base, state.mode, 0); err != nil {
			return err
		}
	}
	if state.mtime < 0 {
		return nil
	}
	return setTime(parent, base, state.mtime)
}
