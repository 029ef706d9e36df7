package beneath

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// MountError means that a tree is not removed because other file systems are mounted at or below it: their content
// would be removed with it, and the directory they are mounted on could not be.
type MountError struct {
	Path   string
	Mounts []string // mount points, the deepest last
}

func (e *MountError) Error() string {
	return fmt.Sprintf("cannot remove %s: a file system is mounted there: %s", e.Path, strings.Join(e.Mounts, ", "))
}

// Repeat says what to do before the command is run again.
func (e *MountError) Repeat() (before, after string) {
	return fmt.Sprintf("umount %s, then", strings.Join(e.Mounts, " ")), ""
}

// RemoveAll removes the entry and everything below it. Nothing is no error. When a file system is mounted at or below
// it, the error is a [*MountError] and nothing is removed; one that is mounted while the removal is under way is not
// entered.
func (p *Place) RemoveAll() error {
	if err := p.unmounted(); err != nil {
		return err
	}
	err := unlink(p.fd(), p.name)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	if err != unix.ENOTEMPTY && err != unix.EEXIST {
		return p.fail("remove", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(p.fd(), &st); err != nil {
		return p.fail("remove", err)
	}
	r := remover{dev: st.Dev, path: p.Path()}
	return r.tree(p.fd(), p.name, p.Path())
}

// unmounted refuses a tree at or below which a file system is mounted.
func (p *Place) unmounted() error {
	mounts, err := p.root.MountsBelow(p.Path())
	if err == nil && len(mounts) > 0 {
		err = &MountError{Path: p.Path(), Mounts: mounts}
	}
	return err
}

// remover is a removal under way.
type remover struct {
	dev   uint64 // the file system it stays on
	path  string
	top   int // the directory that is removed
	moved int // directories that were moved up to it

	only uint32 // the owner of all directories that are entered
	own  bool   // whether only is looked at
}

// maxDepth is how many directories are open at once. What is deeper is moved up first: a user may nest directories
// deeper than a process may have files open.
const maxDepth = 100

// tree removes the directory name of dir.
func (r *remover) tree(dir int, name, path string) error {
	fd, err := r.enter(dir, name, path)
	if err != nil {
		return IgnoreAbsent(err)
	}
	r.top = fd
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	return r.emptied(f, dir, name, path, 1)
}

// maxPasses bounds how often a directory is read again because entries have appeared in it.
const maxPasses = 100

// emptied removes what is in f, and then f itself, which is name in dir.
func (r *remover) emptied(f *os.File, dir int, name, path string, depth int) error {
	for range maxPasses {
		if err := r.pass(f, path, depth); err != nil {
			return err
		}
		err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
		if err == nil || err == unix.ENOENT {
			return nil
		}
		if err != unix.ENOTEMPTY && err != unix.EEXIST { // a running program has put something there
			return &fs.PathError{Op: "remove", Path: path, Err: err}
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	return &fs.PathError{Op: "remove", Path: path, Err: unix.ENOTEMPTY}
}

// pass removes the entries of a directory once.
func (r *remover) pass(f *os.File, path string, depth int) error {
	for {
		names, err := f.Readdirnames(1000)
		for _, name := range names {
			if err := r.entry(int(f.Fd()), name, filepath.Join(path, name), depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *remover) entry(dir int, name, path string, depth int) error {
	err := unlink(dir, name)
	switch {
	case err == nil, err == unix.ENOENT:
		return nil
	case err == unix.EBUSY:
		return &MountError{Path: r.path, Mounts: []string{path}}
	case err != unix.ENOTEMPTY && err != unix.EEXIST:
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	case depth >= maxDepth:
		return r.moveUp(dir, name, path)
	}
	fd, err := r.enter(dir, name, path)
	if err != nil {
		return IgnoreAbsent(err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	return r.emptied(f, dir, name, path, depth+1)
}

// moveUp makes a directory that is too deep an entry of the top one, which is read again.
func (r *remover) moveUp(dir int, name, path string) error {
	for {
		r.moved++
		err := unix.Renameat(dir, name, r.top, fmt.Sprintf(".removed-%d", r.moved))
		if err == unix.ENOTEMPTY || err == unix.EEXIST || err == unix.ENOTDIR {
			continue // the name is taken
		}
		if err != nil && err != unix.ENOENT {
			return &fs.PathError{Op: "remove", Path: path, Err: err}
		}
		return nil
	}
}

// enter opens a directory on the file system of the removal.
func (r *remover) enter(dir int, name, path string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	var fd int
	var err error
	if hasOpenat2() {
		fd, err = unix.Openat2(dir, name, &unix.OpenHow{
			Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
		})
	} else {
		fd, err = openat(dir, name, flags, 0)
	}
	if err == unix.EXDEV {
		return -1, &MountError{Path: r.path, Mounts: []string{path}}
	}
	if err != nil {
		return -1, &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Dev != r.dev {
		_ = unix.Close(fd)
		if err != nil {
			return -1, &fs.PathError{Op: "remove", Path: path, Err: err}
		}
		return -1, &MountError{Path: r.path, Mounts: []string{path}}
	}
	if r.own && st.Uid != r.only {
		_ = unix.Close(fd)
		return -1, &fs.PathError{Op: "remove", Path: path, Err: ErrOtherOwner}
	}
	return fd, nil
}

// IgnoreAbsent is the error of a change for which nothing has to be there: nil where nothing was.
func IgnoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
