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

// staging is the directory a component is unpacked to. Its name is .NAME.partial-RANDOM, beside the target NAME. It is
// locked while its process lives, so that the next run knows what a dead one left.
type staging struct {
	target string
	path   string
	dir    *os.File // locked; nil once done
	need   int64    // bytes, of everything that is unpacked beside it too
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
	return fmt.Sprintf("make room for %d MB on the file system of %s, or choose a directory elsewhere; nothing was left behind", e.Need>>20+1, e.Path)
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

func newStaging(target string, need int64, o ExtractOptions) (*staging, error) {
	target, err := filepath.Abs(target)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(target); err == nil {
		return nil, &fs.PathError{Op: "create", Path: target, Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	parent, name := filepath.Dir(target), filepath.Base(target)
	if err := removeStale(parent, name); err != nil {
		return nil, err
	}
	if err := checkFileSystem(parent, need, o); err != nil {
		return nil, err
	}
	for {
		var random [4]byte
		rand.Read(random[:])
		s := &staging{target: target, path: filepath.Join(parent, partialPrefix(name)+hex.EncodeToString(random[:])), need: need}
		if err := os.Mkdir(s.path, 0o700); err != nil {
			return nil, err
		}
		ok, err := s.lock()
		if ok {
			return s, nil
		}
		// Another run may have taken the new directory for a stale one before it was locked.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, os.RemoveAll(s.path))
		}
	}
}

func partialPrefix(name string) string { return "." + name + ".partial-" }

// lock opens and locks the directory; it reports whether the directory is still there and this process's own.
func (s *staging) lock() (bool, error) {
	dir, err := os.Open(s.path)
	if err != nil {
		return false, err
	}
	if err := flock(dir); errors.Is(err, unix.EWOULDBLOCK) {
		dir.Close()
		return false, nil
	}
	// A file system without locks is used all the same: removeStale leaves everything alone there.
	opened, err1 := dir.Stat()
	named, err2 := os.Lstat(s.path)
	if err := errors.Join(err1, err2); err != nil || !os.SameFile(opened, named) {
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
func removeStale(parent, name string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	prefix := partialPrefix(name)
	for _, e := range entries {
		if len(e.Name()) != len(prefix)+8 || e.Name()[:len(prefix)] != prefix || !e.IsDir() {
			continue
		}
		path := filepath.Join(parent, e.Name())
		dir, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // another run was faster, or it is another user's
		}
		if err != nil {
			return err
		}
		if flock(dir) == nil {
			err = removeTree(path)
		}
		dir.Close()
		if err != nil {
			return fmt.Errorf("cannot remove what an interrupted run left: %w", err)
		}
	}
	return nil
}

// removeTree is os.RemoveAll for trees that may have directories without write permission.
func removeTree(path string) error {
	err := os.RemoveAll(path)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && err == nil {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

// publish gives the directory its name.
func (s *staging) publish() error { return renameNew(s.path, s.target) }

// withdraw takes the name away again.
func (s *staging) withdraw() error { return renameNew(s.target, s.path) }

// done keeps what was published.
func (s *staging) done() {
	s.dir.Close()
	s.dir = nil
}

// syncDir makes the names in a directory survive a crash.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// close removes the directory unless done was called.
func (s *staging) close() error {
	if s.dir == nil {
		return nil
	}
	err := removeTree(s.path)
	s.dir.Close()
	s.dir = nil
	return err
}
