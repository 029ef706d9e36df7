// Package beneath reaches files through directory descriptors, so that the owner of a directory on the way cannot
// choose what a more privileged process opens, changes or removes.
//
// A path is resolved from an open root directory, one element at a time, and the result is a [Place]: an open directory
// and the name of an entry in it. Every operation works on that pair and never follows a link at the name. What is
// renamed or exchanged above the directory after that does not matter.
//
// A link on the way is followed only if nobody but a trusted user can have made it or moved it there: the link belongs
// to the trusted user, and so does every directory from the root to the one that holds it, none of which its group or
// others may write. So a /data that an administrator has made a link to another disk works, and so does /var/run, but
// no link below a directory of the service user is followed, not even one of root's, which that user may have moved or
// linked there.
//
// Where the kernel has openat2 (Linux 5.6) a path without links is resolved by one call. Older kernels, down to
// Linux 3.10, take one call for each element.
package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Anyone as the trusted user of a [Root] has every link followed.
const Anyone = -1

// Root is a directory below which paths are resolved, as chroot(2) shows it: an absolute link starts again at the
// root, and ".." does not lead above it.
type Root struct {
	dir     string
	fd      *os.File
	trusted int // uid whose links are followed, or Anyone
}

// Open opens the root of a file system or of a tree. Links are followed when only the user trusted can have made them;
// see the package comment. The path dir itself is trusted.
func Open(dir string, trusted int) (*Root, error) {
	fd, err := openat(unix.AT_FDCWD, dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return &Root{dir: filepath.Clean(dir), fd: os.NewFile(uintptr(fd), dir), trusted: trusted}, nil
}

// System opens "/" for the effective user of this process. Only root can be led by others' links to what they could not
// change themselves: for root only root's links are followed, for anyone else all are.
func System() (*Root, error) {
	if os.Geteuid() == 0 {
		return Open("/", 0)
	}
	return Open("/", Anyone)
}

// Close closes the root. Places that were found stay usable.
func (r *Root) Close() error { return r.fd.Close() }

// ErrUntrustedLink is the cause when a link is not followed because another user may have put it there.
var ErrUntrustedLink = errors.New("a user other than root may have put this link there")

// LinkError is a link that is not followed. It wraps [ErrUntrustedLink].
type LinkError struct {
	Op     string
	Path   string // of the link
	Target string
	Dir    string // the directory that others may change, or "" when the link itself is another user's
}

func (e *LinkError) Error() string {
	why := "the link does not belong to root"
	if e.Dir != "" {
		why = "users other than root may write to " + e.Dir
	}
	return fmt.Sprintf("%s %s: the link to %s is not followed: %s", e.Op, e.Path, e.Target, why)
}

// Unwrap makes the error one of [ErrUntrustedLink].
func (e *LinkError) Unwrap() error { return ErrUntrustedLink }

// Hint says what an administrator who wants the files elsewhere can do.
func (e *LinkError) Hint() string {
	return fmt.Sprintf("if the files are to be in %s, replace the link by a directory and mount that there: mount --bind %s %s",
		e.Target, e.Target, e.Path)
}

// maxLinks is the number of links the kernel follows in one path before it gives up with ELOOP; see path_resolution(7).
const maxLinks = 40

// hasOpenat2 reports whether the kernel, and a container's filter of system calls, has openat2.
var hasOpenat2 = sync.OnceValue(func() bool {
	fd, err := unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
})

// At resolves path, whose last element need not exist and is not followed when it is a link. The directory that it is in
// must exist. The place is to be closed.
func (r *Root) At(op, path string) (*Place, error) {
	if p := r.direct(path); p != nil {
		return p, nil
	}
	p, _, err := r.walk(op, path, false)
	return p, err
}

// Follow is [Root.At] that also follows a link at the last element.
func (r *Root) Follow(op, path string) (*Place, error) {
	p, _, err := r.walk(op, path, true)
	return p, err
}

// Exact is [Root.At] that also finds out who may change the directory the place is in; see [Place.Open].
func (r *Root) Exact(op, path string) (*Place, error) {
	p, _, err := r.walk(op, path, false)
	return p, err
}

// Resolve returns path with every link followed, also the last. Elements that do not exist are kept as they are.
func (r *Root) Resolve(op, path string) (string, error) {
	p, missing, err := r.walk(op, path, true)
	if missing != "" {
		return missing, nil
	}
	if err != nil {
		return "", err
	}
	defer p.Close()
	return p.Path(), nil
}

// direct resolves a path without links in one call, or returns nil when the elements have to be looked at.
func (r *Root) direct(path string) *Place {
	if !hasOpenat2() {
		return nil
	}
	todo := elements(path)
	if len(todo) == 0 || strings.Contains(path, "..") {
		return nil
	}
	dir := strings.Join(todo[:len(todo)-1], "/")
	fd, err := unix.Openat2(int(r.fd.Fd()), cmpOr(dir, "."), &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil // the walk tells why, or follows a trusted link
	}
	return &Place{root: r, dir: os.NewFile(uintptr(fd), filepath.Join(r.dir, dir)), parent: filepath.Join("/", dir), name: todo[len(todo)-1]}
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

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

// walk resolves path. When a directory on the way does not exist, missing is the path as far as it was resolved with the
// rest of it added.
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

// elements splits a path, keeping "..": after a link it must not be removed by name.
func elements(path string) []string {
	var out []string
	for _, e := range strings.Split(path, "/") {
		if e != "" && e != "." {
			out = append(out, e)
		}
	}
	return out
}

// MkdirAll makes a directory and its missing parents. What exists is not changed.
func (r *Root) MkdirAll(path string, perm fs.FileMode) error {
	err := r.mkdir(path, perm)
	if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
		return err
	}
	if err := r.MkdirAll(filepath.Dir(path), perm); err != nil {
		return err
	}
	return r.mkdir(path, perm)
}

func (r *Root) mkdir(path string, perm fs.FileMode) error {
	p, err := r.Follow("mkdir", path)
	if err != nil {
		return err
	}
	defer p.Close()
	err = p.Mkdir(perm)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := p.Lstat()
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "mkdir", Path: path, Err: unix.ENOTDIR}
	}
	return err
}
