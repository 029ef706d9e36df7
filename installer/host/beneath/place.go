package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Place is an entry of an open directory, which may or may not exist. It is to be closed.
type Place struct {
	root   *Root
	dir    *os.File // an O_PATH descriptor
	parent string   // resolved path of dir below the root
	name   string

	known  bool   // whether the directories on the way were looked at, which gives writer and owner
	writer string // the first directory on the way that an untrusted user may write, or ""
	owner  uint32 // of dir
}

// Close closes the directory.
func (p *Place) Close() error { return p.dir.Close() }

// Path is the resolved path below the root, free of links but for the last element.
func (p *Place) Path() string { return filepath.Join(p.parent, p.name) }

// Sibling is another entry of the same directory. It shares the descriptor with p, which stays the one to close.
func (p *Place) Sibling(name string) *Place {
	s := *p
	s.name = name
	return &s
}

// Writer names the first directory on the way to p that a user other than the trusted one may write; "" when none may.
// It is known only for a place that [Root.Exact] or [Root.Follow] has found.
func (p *Place) Writer() string { return p.writer }

// real is the path in this process, for names of files and errors.
func (p *Place) real() string { return filepath.Join(p.root.dir, p.Path()) }

func (p *Place) fd() int { return int(p.dir.Fd()) }

func (p *Place) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: p.real(), Err: err}
}

// ErrNotFile is the cause when something is opened that is neither a regular file nor a directory.
var ErrNotFile = errors.New("it is neither a regular file nor a directory")

// ErrHardLink is the cause when a file is not changed because it has another name: in a directory of another user it
// may be a file from elsewhere that this user has linked there.
var ErrHardLink = errors.New("it is a hard link, and may be a file from elsewhere")

// Open opens a regular file or a directory. It never follows a link, never waits for the other end of a pipe, and
// refuses pipes, sockets and devices with [ErrNotFile]. A file that exists and is opened in a directory that an
// untrusted user may write must have no other name, else the error wraps [ErrHardLink]; for reading it may have one
// when it is the directory's owner's. For that the place must come from [Root.Exact] or [Root.Follow].
func (p *Place) Open(flag int, perm fs.FileMode) (*os.File, error) {
	truncate := flag & unix.O_TRUNC
	fd, err := openat(p.fd(), p.name, flag&^truncate|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, uint32(perm.Perm()))
	switch {
	case err == unix.ENXIO: // a socket, or a pipe without a reader
		return nil, p.fail("open", ErrNotFile)
	case err != nil:
		return nil, p.fail("open", err)
	}
	err = p.checkOpened(fd, flag)
	if err == nil && truncate != 0 {
		err = unix.Ftruncate(fd, 0)
	}
	if err == nil {
		err = block(fd, flag)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, p.fail("open", err)
	}
	return os.NewFile(uintptr(fd), p.real()), nil
}

// block takes O_NONBLOCK away from a descriptor that was opened with flag, in one call.
func block(fd, flag int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flag&(unix.O_APPEND|unix.O_DIRECT|unix.O_NOATIME))
	return err
}

func (p *Place) checkOpened(fd, flag int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	kind := st.Mode & unix.S_IFMT
	if kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return ErrNotFile
	}
	if flag&unix.O_EXCL != 0 || kind != unix.S_IFREG || p.writer == "" || st.Nlink == 1 {
		return nil
	}
	reads := flag&(unix.O_WRONLY|unix.O_RDWR) == 0
	if reads && p.ownersOwn(&st) {
		return nil
	}
	return ErrHardLink
}

// ownersOwn reports whether a file belongs to the owner of the directory it is in, who could do with it what is to be
// done. It is false in a directory of the trusted user.
func (p *Place) ownersOwn(st *unix.Stat_t) bool {
	return st.Uid == p.owner && int(p.owner) != p.root.trusted
}

// pin opens the entry itself, be it a link, without any effect on it.
func (p *Place) pin(op string) (*os.File, error) {
	fd, err := openat(p.fd(), p.name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, p.fail(op, err)
	}
	return os.NewFile(uintptr(fd), p.real()), nil
}

// Lstat describes the entry.
func (p *Place) Lstat() (fs.FileInfo, error) {
	f, err := p.pin("lstat")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

// Readlink returns the target of a link.
func (p *Place) Readlink() (string, error) {
	target, err := readlinkat(p.fd(), p.name)
	return target, p.fail("readlink", err)
}

// Mkdir makes a directory.
func (p *Place) Mkdir(perm fs.FileMode) error {
	return p.fail("mkdir", unix.Mkdirat(p.fd(), p.name, uint32(perm.Perm())))
}

// Remove removes a file, a link or an empty directory.
func (p *Place) Remove() error { return p.fail("remove", unlink(p.fd(), p.name)) }

// Drop is Remove, where nothing is no error.
func (p *Place) Drop() error { return IgnoreAbsent(p.Remove()) }

// unlink removes what is not a directory, or an empty directory.
func unlink(dir int, name string) error {
	err := unix.Unlinkat(dir, name, 0)
	if err != unix.EISDIR && err != unix.EPERM { // EPERM: some file systems' answer for a directory
		return err
	}
	if again := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); again != unix.ENOTDIR {
		return again
	}
	return err
}

// Rename renames the entry to another place, replacing what rename(2) replaces.
func (p *Place) Rename(to *Place) error {
	return p.linkFail("rename", to, unix.Renameat(p.fd(), p.name, to.fd(), to.name))
}

// Exchange lets two entries change places at once. It fails with EINVAL or ENOSYS where the kernel or the file system
// cannot do that: before Linux 3.15.
func (p *Place) Exchange(with *Place) error {
	return p.linkFail("exchange", with, unix.Renameat2(p.fd(), p.name, with.fd(), with.name, unix.RENAME_EXCHANGE))
}

// Link gives the entry, which is not followed, another name.
func (p *Place) Link(to *Place) error {
	return p.linkFail("link", to, unix.Linkat(p.fd(), p.name, to.fd(), to.name, 0))
}

func (p *Place) linkFail(op string, to *Place, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: op, Old: p.real(), New: to.real(), Err: err}
}

// Symlink makes a link.
func (p *Place) Symlink(target string) error {
	return p.fail("symlink", unix.Symlinkat(target, p.fd(), p.name))
}

// Chmod changes the permission of a file or directory. A link has none, and fails with ELOOP. See [Place.Chown] for
// what is refused.
func (p *Place) Chmod(perm fs.FileMode) error {
	return p.change("chmod", func(f *os.File, info fs.FileInfo) error {
		if info.Mode()&fs.ModeSymlink != 0 {
			return unix.ELOOP
		}
		// fchmod does not take an O_PATH descriptor, and fchmodat2 is of Linux 6.6. The file that the descriptor is
		// open on has this name in /proc, which is no link to a path.
		return unix.Fchmodat(unix.AT_FDCWD, procName(f), bits(perm), 0)
	})
}

// Chown changes the owner of a file, a directory or a link; -1 leaves an id alone. In a directory that an untrusted
// user may write, a file that has another name is refused with [ErrHardLink] unless it is the directory's owner's, who
// could do the same: the place must come from [Root.Exact].
func (p *Place) Chown(uid, gid int) error {
	return p.change("chown", func(f *os.File, _ fs.FileInfo) error {
		return unix.Fchownat(int(f.Fd()), "", uid, gid, unix.AT_EMPTY_PATH)
	})
}

// change pins the entry, checks that it may be changed, and changes it.
func (p *Place) change(op string, change func(f *os.File, info fs.FileInfo) error) error {
	if !p.known {
		return p.fail(op, errors.New("the way to it was not looked at"))
	}
	f, err := p.pin(op)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return p.fail(op, err)
	}
	if p.writer != "" && !info.IsDir() && st.Nlink != 1 && !p.ownersOwn(&st) {
		return p.fail(op, ErrHardLink)
	}
	return p.fail(op, change(f, info))
}

// bits are the permission bits of a mode as system calls take them.
func bits(mode fs.FileMode) uint32 {
	out := uint32(mode.Perm())
	for bit, value := range map[fs.FileMode]uint32{
		fs.ModeSetuid: unix.S_ISUID, fs.ModeSetgid: unix.S_ISGID, fs.ModeSticky: unix.S_ISVTX,
	} {
		if mode&bit != 0 {
			out |= value
		}
	}
	return out
}

// procName is the name of an open file in /proc, through which the kernel reaches exactly that file.
func procName(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

// SyncDir makes the entries of the directory the place is in durable. File systems that cannot do it say EINVAL, which
// is no error.
func (p *Place) SyncDir() error {
	fd, err := openat(p.fd(), ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return &fs.PathError{Op: "sync", Path: p.dir.Name(), Err: err}
	}
	defer unix.Close(fd)
	if err := unix.Fsync(fd); err != nil && err != unix.EINVAL && err != unix.ENOTSUP {
		return &fs.PathError{Op: "sync", Path: p.dir.Name(), Err: err}
	}
	return nil
}

// OpenDir opens the directory the place is in, for reading and for system calls relative to it.
func (p *Place) OpenDir() (*os.File, error) {
	fd, err := openat(p.fd(), ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p.dir.Name(), Err: err}
	}
	return os.NewFile(uintptr(fd), p.dir.Name()), nil
}

// ProcPath is a path by which this process reaches the entry through the open directory, for system calls that take
// nothing but a path, such as connect(2). It is valid until p is closed, and does not protect from a link at the name.
func (p *Place) ProcPath() string { return procName(p.dir) + "/" + p.name }

func openat(dir int, name string, flag int, perm uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flag|unix.O_CLOEXEC, perm)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// readlinkat reads a link of any length; with an empty name that of an O_PATH descriptor.
func readlinkat(dir int, name string) (string, error) {
	for size := 256; ; size *= 2 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(dir, name, buf)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buf[:n]), nil
		}
		if size > 1<<20 {
			return "", fmt.Errorf("the link's target is longer than %d bytes", size)
		}
	}
}

// OwnDir reports whether the directory the place is in belongs to this process's user and no other user may write it:
// what is in it, only this user has put there.
func (p *Place) OwnDir() bool {
	var st unix.Stat_t
	return unix.Fstat(p.fd(), &st) == nil && int(st.Uid) == os.Geteuid() && st.Mode&0o022 == 0
}
