package beneath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// hasOpenat2 reports whether the kernel, and a container's filter of system calls, has openat2.
var hasOpenat2 = sync.OnceValue(func() bool {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, "/", &how)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
})

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
	fd, err := r.openat2(cmpOr(dir, "."), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil // the walk tells why, or follows a trusted link
	}
	return &Place{
		root: r, dir: os.NewFile(uintptr(fd), filepath.Join(r.dir, dir)), parent: filepath.Join("/", dir),
		name: todo[len(todo)-1],
	}
}

// openat2 opens a path below the root on which there is no link.
func (r *Root) openat2(rel string, flags uint64) (int, error) {
	return unix.Openat2(int(r.fd.Fd()), rel, &unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// once opens a path without links, be the last element one, in one call. It reports false when the elements have to be
// looked at. What does not exist is an error.
func (r *Root) once(op, path string, flags uint64) (*os.File, error, bool) {
	rel := strings.Join(elements(path), "/")
	if !hasOpenat2() || rel == "" || strings.Contains(rel, "..") {
		return nil, nil, false
	}
	fd, err := r.openat2(rel, flags|unix.O_NOFOLLOW)
	switch err {
	case nil:
		return os.NewFile(uintptr(fd), filepath.Join(r.dir, rel)), nil, true
	case unix.ENOENT:
		return nil, &fs.PathError{Op: op, Path: filepath.Join(r.dir, rel), Err: err}, true
	}
	return nil, nil, false
}

// Lstat describes what is at path, which is not followed when it is a link.
func (r *Root) Lstat(path string) (fs.FileInfo, error) {
	f, err, done := r.once("lstat", path, unix.O_PATH)
	if done && err != nil {
		return nil, err
	}
	if done {
		defer f.Close()
		return f.Stat()
	}
	p, err := r.At("lstat", path)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Lstat()
}

// OpenRead opens a regular file or a directory for reading; a trusted link at the last element is followed. See
// [Place.Open] for what is refused.
func (r *Root) OpenRead(path string) (*os.File, error) {
	f, err, done := r.once("open", path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if done && err != nil {
		return nil, err
	}
	if done && !hasOtherNames(f) {
		return readable(f)
	}
	if done { // only the long way tells whether an untrusted user may have linked it there
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	p, err := r.Exact("open", path)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	f, err = p.Open(unix.O_RDONLY, 0)
	if !errors.Is(err, unix.ELOOP) {
		return f, err
	}
	followed, err := r.Follow("open", path)
	if err != nil {
		return nil, err
	}
	defer followed.Close()
	return followed.Open(unix.O_RDONLY, 0)
}

// OpenReadDir opens a directory for reading; a trusted link at the last element is followed. It takes fewer system
// calls than [Root.OpenRead], which must find out what it has opened.
func (r *Root) OpenReadDir(path string) (*os.File, error) {
	f, err, done := r.once("open", path, unix.O_RDONLY|unix.O_DIRECTORY)
	if done {
		return f, err
	}
	p, err := r.Follow("open", path)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Open(unix.O_RDONLY|unix.O_DIRECTORY, 0)
}

// hasOtherNames reports whether an open regular file is a hard link.
func hasOtherNames(f *os.File) bool {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return err != nil || st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink != 1
}

// readable checks what once has opened.
func readable(f *os.File) (*os.File, error) {
	p := Place{}
	err := p.checkOpened(int(f.Fd()), unix.O_RDONLY)
	if err == nil {
		err = block(int(f.Fd()), unix.O_RDONLY)
	}
	if err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: f.Name(), Err: err}
	}
	return f, nil
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
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
