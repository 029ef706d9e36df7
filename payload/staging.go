package payload

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// staging is the directory a component is unpacked to. Its name is .NAME.partial-RANDOM, next to the target NAME. It is
// locked while its process lives, so that the next run knows what a dead one left.
//
// Everything is done relative to the open directory that the target is in: a user who may rename the directories on the
// way cannot lead a process with more rights elsewhere.
type staging struct {
	target string   // path, for errors
	parent *os.File // the directory that the target is in
	name   string   // in parent
	dir    *os.File // locked; nil once done
	need   int64    // bytes, of everything that is unpacked at the same time
}

// SpaceError says that a file system has too little room for a component.
type SpaceError struct {
	Path       string
	Need, Have int64 // bytes
	Err        error // of the write that failed; nil if it was seen before anything was written
}

func (e *SpaceError) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return fmt.Sprintf("it needs %d MB and the file system of %s has %d MB free", e.Need>>20+1, e.Path, e.Have>>20)
}

// Unwrap makes the error one of ENOSPC, as a write without room gives it.
func (e *SpaceError) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	return unix.ENOSPC
}

// Hint says what to do next.
func (e *SpaceError) Hint() string {
	return fmt.Sprintf("make room for %d MB on the file system of %s, or choose a directory elsewhere; nothing was "+
		"left behind", e.Need>>20+1, e.Path)
}

// NoExecError says that programs unpacked to a directory could not be run.
type NoExecError struct{ Path string }

func (e *NoExecError) Error() string {
	return fmt.Sprintf("the file system of %s is mounted noexec, so its programs could not be run", e.Path)
}

// Hint says what to do next.
func (e *NoExecError) Hint() string {
	return fmt.Sprintf("mount -o remount,exec the file system of %s, or choose a directory elsewhere", e.Path)
}

// newStaging makes a staging directory for a target.
func newStaging(t Target, need int64, o ExtractOptions) (s *staging, err error) {
	target, err := filepath.Abs(t.Path)
	if err != nil {
		return nil, err
	}
	parent, err := openParent(t, target)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, parent.Close())
		}
	}()
	name := filepath.Base(target)
	if err := absent(parent, name); err != nil {
		return nil, &fs.PathError{Op: "create", Path: target, Err: err}
	}
	if err := removeStale(parent, name); err != nil {
		return nil, err
	}
	if err := checkFileSystem(parent, need, o); err != nil {
		return nil, err
	}
	for {
		var random [4]byte
		rand.Read(random[:])
		s := &staging{target: target, parent: parent, name: partialPrefix(name) + hex.EncodeToString(random[:]),
			need: need}
		if err := unix.Mkdirat(int(parent.Fd()), s.name, 0o700); err != nil {
			return nil, &fs.PathError{Op: "mkdir", Path: filepath.Join(parent.Name(), s.name), Err: err}
		}
		ok, err := s.lock()
		if ok {
			return s, nil
		}
		// Another run may have taken the new directory for a stale one before it was locked.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, removeIn(parent, s.name))
		}
	}
}

// openParent opens the directory that a target is in.
func openParent(t Target, target string) (*os.File, error) {
	if t.Parent == nil {
		return os.Open(filepath.Dir(target))
	}
	return openDirIn(t.Parent, ".")
}

// openDirIn opens a directory, which must not be a link, in another.
func openDirIn(parent *os.File, name string) (*os.File, error) {
	path := filepath.Join(parent.Name(), name)
	fd, err := openat(int(parent.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// absent returns nil when nothing has a name in a directory.
func absent(parent *os.File, name string) error {
	var st unix.Stat_t
	switch err := unix.Fstatat(int(parent.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err {
	case nil:
		return fs.ErrExist
	case unix.ENOENT:
		return nil
	default:
		return err
	}
}

func partialPrefix(name string) string { return "." + name + ".partial-" }

// lock opens and locks the directory; it reports whether the directory is still there and this process's own.
func (s *staging) lock() (bool, error) {
	dir, err := openDirIn(s.parent, s.name)
	if err != nil {
		return false, err
	}
	if err := flock(dir); errors.Is(err, unix.EWOULDBLOCK) {
		dir.Close()
		return false, nil
	}
	// A file system without locks is used all the same: removeStale leaves everything alone there.
	var opened, named unix.Stat_t
	err1 := unix.Fstat(int(dir.Fd()), &opened)
	err2 := unix.Fstatat(int(s.parent.Fd()), s.name, &named, unix.AT_SYMLINK_NOFOLLOW)
	if err := errors.Join(err1, err2); err != nil || opened.Dev != named.Dev || opened.Ino != named.Ino {
		dir.Close()
		return false, err
	}
	s.dir = dir
	return true, nil
}

func flock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EINTR {
			return err
		}
	}
}

// removeStale removes the staging directories for name whose process is dead.
func removeStale(parent *os.File, name string) error {
	list, err := openDirIn(parent, ".") // read from its beginning
	if err != nil {
		return err
	}
	defer list.Close()
	names, err := list.Readdirnames(-1)
	if err != nil {
		return err
	}
	prefix := partialPrefix(name)
	for _, found := range names {
		if len(found) != len(prefix)+8 || found[:len(prefix)] != prefix {
			continue
		}
		dir, err := openDirIn(parent, found)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // another run was faster, or it is another user's
		}
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			continue // it is none of ours
		}
		if err != nil {
			return err
		}
		if flock(dir) == nil {
			err = removeIn(parent, found)
		}
		dir.Close()
		if err != nil {
			return fmt.Errorf("cannot remove what an interrupted run left: %w", err)
		}
	}
	return nil
}

// removeIn removes a tree in an open directory. No link is followed. Directories of the tree may lack write permission.
func removeIn(parent *os.File, name string) error {
	// the directory itself, whatever its path is now
	root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", parent.Fd()))
	if errors.Is(err, fs.ErrNotExist) {
		root, err = os.OpenRoot(parent.Name()) // /proc is not mounted
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.RemoveAll(name); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = fs.WalkDir(root.FS(), name, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && err == nil {
			_ = root.Chmod(p, 0o700)
		}
		return nil
	})
	return root.RemoveAll(name)
}

// publish gives the directory its name.
func (s *staging) publish() error {
	return renameNew(int(s.parent.Fd()), s.name, filepath.Base(s.target))
}

// withdraw takes the name away again.
func (s *staging) withdraw() error {
	return renameNew(int(s.parent.Fd()), filepath.Base(s.target), s.name)
}

// done keeps what was published.
func (s *staging) done() {
	s.dir.Close()
	s.dir = nil
}

// close removes the directory unless done was called.
func (s *staging) close() error {
	defer s.parent.Close()
	if s.dir == nil {
		return nil
	}
	err := removeIn(s.parent, s.name)
	s.dir.Close()
	s.dir = nil
	return err
}
