package beneath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// walker is a resolution under way: the open directories from the root down, and the elements that are left.
type walker struct {
	r     *Root
	op    string
	dirs  []walked
	todo  []string
	links int
}

// walked is an open directory on the way.
type walked struct {
	fd     int
	name   string
	writer string // the first directory on the way that an untrusted user may write, or ""
	owner  uint32
}

// walk resolves path. When a directory on the way does not exist, missing is the path as far as it was resolved with
// the rest of it added.
func (r *Root) walk(op, path string, follow bool) (p *Place, missing string, err error) {
	w := walker{r: r, op: op, todo: elements(path)}
	if err := w.begin(); err != nil {
		return nil, "", &fs.PathError{Op: op, Path: path, Err: err}
	}
	defer func() { w.cut(0) }()
	for len(w.todo) > 0 {
		name := w.todo[0]
		if name == ".." {
			w.todo = w.todo[1:]
			w.cut(max(1, len(w.dirs)-1))
			continue
		}
		if len(w.todo) == 1 && !follow {
			return w.place(name), "", nil
		}
		found, err := w.step(name)
		switch {
		case errors.Is(err, ErrUntrustedLink):
			return nil, "", err
		case err == unix.ENOENT:
			return nil, w.path(filepath.Join(w.todo...)), &fs.PathError{Op: op, Path: path, Err: err}
		case err != nil:
			return nil, "", &fs.PathError{Op: op, Path: path, Err: err}
		case found:
			return w.place(name), "", nil
		}
	}
	return w.place("."), "", nil
}

// begin puts the root on the stack.
func (w *walker) begin() error {
	fd, err := openat(int(w.r.fd.Fd()), ".", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return err
	}
	w.push(fd, "", &st)
	return nil
}

// push enters a directory.
func (w *walker) push(fd int, name string, st *unix.Stat_t) {
	d := walked{fd: fd, name: name, owner: st.Uid}
	if len(w.dirs) > 0 {
		d.writer = w.dirs[len(w.dirs)-1].writer
	}
	w.dirs = append(w.dirs, d)
	if d.writer == "" && w.r.trusted != Anyone && (int(st.Uid) != w.r.trusted || st.Mode&0o022 != 0) {
		w.dirs[len(w.dirs)-1].writer = w.path("")
	}
}

func (w *walker) cut(depth int) {
	for _, d := range w.dirs[depth:] {
		_ = unix.Close(d.fd)
	}
	w.dirs = w.dirs[:depth]
}

func (w *walker) top() *walked { return &w.dirs[len(w.dirs)-1] }

// path is the resolved path of an entry of the top directory.
func (w *walker) path(name string) string {
	parts := make([]string, 0, len(w.dirs)+1)
	for _, d := range w.dirs {
		parts = append(parts, d.name)
	}
	return filepath.Join("/", filepath.Join(parts...), name)
}

// step enters the next element, or puts in its place where it leads. It reports whether the element is the last one and
// no link.
func (w *walker) step(name string) (found bool, err error) {
	last := len(w.todo) == 1
	fd, err := openat(w.top().fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err == unix.ENOENT && last {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		err = w.link(fd, name, &st)
	case last:
		found = true
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		w.push(fd, name, &st)
		w.todo = w.todo[1:]
		return false, nil
	default:
		err = unix.ENOTDIR
	}
	_ = unix.Close(fd)
	return found, err
}

// link puts the target of a link in the place of the next element.
func (w *walker) link(fd int, name string, st *unix.Stat_t) error {
	target, err := readlinkat(fd, "")
	if err != nil {
		return err
	}
	if w.r.trusted != Anyone && (w.top().writer != "" || int(st.Uid) != w.r.trusted) {
		return &LinkError{Op: w.op, Path: w.path(name), Target: target, Dir: w.top().writer}
	}
	if w.links++; w.links > maxLinks {
		return unix.ELOOP
	}
	if filepath.IsAbs(target) {
		w.cut(1)
	}
	w.todo = append(elements(target), w.todo[1:]...)
	return nil
}

// place hands over the top directory.
func (w *walker) place(name string) *Place {
	top := *w.top()
	p := &Place{
		root: w.r, dir: os.NewFile(uintptr(top.fd), filepath.Join(w.r.dir, w.path(""))), parent: w.path(""), name: name,
		known: true, writer: top.writer, owner: top.owner,
	}
	w.dirs = w.dirs[:len(w.dirs)-1] // it stays open
	return p
}
