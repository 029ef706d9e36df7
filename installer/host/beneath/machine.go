package beneath

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Machine returns the file system for what this process does with its own rights: System, opened once.
var Machine = sync.OnceValues(System)

// At finds the place of a file on the machine and does something there. A link at the last element is not followed.
func At(path string, do func(p *Place) error) error {
	root, err := Machine()
	if err != nil {
		return err
	}
	p, err := root.Exact("open", path)
	if err != nil {
		return err
	}
	defer p.Close()
	return do(p)
}

// Drop removes a file, a link or an empty directory of the machine. Nothing is no error.
func Drop(path string) error { return IgnoreAbsent(At(path, (*Place).Remove)) }

// MkdirAll makes a directory of the machine, with those above it.
func MkdirAll(path string, perm fs.FileMode) error {
	root, err := Machine()
	if err != nil {
		return err
	}
	return root.MkdirAll(path, perm)
}

// WithoutPath drops the path from a file error whose text names the file already.
func WithoutPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// ClockGrain is how much earlier than the clock the times of files may be: the kernel takes them from its last tick.
const ClockGrain = 20 * time.Millisecond

// FileID is a file's device and inode.
type FileID struct {
	Dev uint64 `json:"dev"`
	Ino uint64 `json:"ino"`
}

// IDOf returns the identity of the file that info describes.
func IDOf(info fs.FileInfo) FileID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return FileID{uint64(st.Dev), st.Ino}
	}
	return FileID{}
}

// idOf is the identity of a file that was looked at by a system call.
func idOf(st *unix.Stat_t) FileID { return FileID{uint64(st.Dev), st.Ino} }

// Dup returns another descriptor of an open file.
func Dup(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
