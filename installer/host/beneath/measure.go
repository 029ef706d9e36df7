package beneath

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a file or a directory with all that is below it takes on its file system.
type Usage struct {
	ID     FileID
	Owner  uint32 // of the file or directory itself
	IsDir  bool
	Bytes  int64 // of the blocks that its removal frees: those of a file with another name elsewhere stay in use
	Files  int64 // files and directories in it, with itself
	Newest time.Time
}

// AnyOwner as the owner of what is measured takes directories of every user.
const AnyOwner = -1

// ErrOtherOwner is the cause when a tree is left because a directory in it is another user's: the owner of the
// directories above could not remove it, and so must not have it removed by giving it another name.
var ErrOtherOwner = errors.New("it belongs to another user, or a directory in it does")

// ErrReplaced is the cause when a name leads to something else than what was measured.
var ErrReplaced = errors.New("something else has taken its place")

// errTooMany is the cause when a tree has more entries than are counted.
var errTooMany = fmt.Errorf("it has more than %d files", mostMeasured)

// mostMeasured bounds how many entries of a tree are looked at.
const mostMeasured = 1 << 21

// Measure adds up what a file or a directory takes. It follows no link, and does not leave the file system of the
// directory that the place is in: what is mounted there is a [*MountError]. Directories have to belong to owner, unless
// that is [AnyOwner]: else the error is [ErrOtherOwner].
func (p *Place) Measure(ctx context.Context, owner int) (Usage, error) {
	var parent, st unix.Stat_t
	if err := unix.Fstat(p.fd(), &parent); err != nil {
		return Usage{}, p.fail("measure", err)
	}
	if err := unix.Fstatat(p.fd(), p.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Usage{}, p.fail("measure", err)
	}
	m := measurer{ctx: ctx, owner: owner, dev: parent.Dev, linked: map[uint64]uint64{}}
	m.usage = Usage{ID: idOf(&st), Owner: st.Uid, IsDir: st.Mode&unix.S_IFMT == unix.S_IFDIR}
	if st.Dev != parent.Dev {
		return m.usage, &MountError{Path: p.Path(), Mounts: []string{p.Path()}}
	}
	if owner != AnyOwner && int(st.Uid) != owner {
		return m.usage, p.fail("measure", ErrOtherOwner)
	}
	if err := p.unmounted(); err != nil { // also of the same file system
		return m.usage, err
	}
	m.add(&st)
	if !m.usage.IsDir {
		return m.usage, nil
	}
	fd, err := m.enter(p.fd(), p.name, p.Path())
	if err != nil {
		return m.usage, err
	}
	return m.usage, m.dir(fd, p.Path(), 1)
}

// measurer adds up a tree.
type measurer struct {
	ctx    context.Context
	owner  int
	dev    uint64
	usage  Usage
	linked map[uint64]uint64 // names that were not seen yet of files with several, by inode
}

// add counts an entry. A file with several names counts with the last of them.
func (m *measurer) add(st *unix.Stat_t) {
	m.usage.Files++
	if at := time.Unix(st.Mtim.Unix()); at.After(m.usage.Newest) {
		m.usage.Newest = at
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Nlink > 1 {
		left, seen := m.linked[st.Ino]
		if !seen {
			left = uint64(st.Nlink)
		}
		m.linked[st.Ino] = left - 1
		if left != 1 {
			return
		}
	}
	if bytes := st.Blocks * 512; m.usage.Bytes > math.MaxInt64-bytes {
		m.usage.Bytes = math.MaxInt64
	} else {
		m.usage.Bytes += bytes
	}
}

// enter opens a directory, and looks at what it has opened.
func (m *measurer) enter(dir int, name, path string) (*os.File, error) {
	fd, err := openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "measure", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	switch err := unix.Fstat(fd, &st); {
	case err != nil:
		return nil, errors.Join(&fs.PathError{Op: "measure", Path: path, Err: err}, f.Close())
	case st.Dev != m.dev:
		return nil, errors.Join(&MountError{Path: path, Mounts: []string{path}}, f.Close())
	case m.owner != AnyOwner && int(st.Uid) != m.owner:
		return nil, errors.Join(&fs.PathError{Op: "measure", Path: path, Err: ErrOtherOwner}, f.Close())
	}
	return f, nil
}

// dir adds up what is in an open directory, and closes it.
func (m *measurer) dir(f *os.File, path string, depth int) error {
	defer f.Close()
	if depth > maxDepth {
		return &fs.PathError{Op: "measure", Path: path, Err: errTooDeep}
	}
	for {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		names, err := f.Readdirnames(1000)
		for _, name := range names {
			if err := m.entry(f, name, filepath.Join(path, name), depth); err != nil {
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

func (m *measurer) entry(dir *os.File, name, path string, depth int) error {
	var st unix.Stat_t
	err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return nil // it is gone by now
	}
	if err != nil {
		return &fs.PathError{Op: "measure", Path: path, Err: err}
	}
	if m.usage.Files >= mostMeasured {
		return &fs.PathError{Op: "measure", Path: path, Err: errTooMany}
	}
	m.add(&st)
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	f, err := m.enter(int(dir.Fd()), name, path)
	if err != nil {
		return IgnoreAbsent(err)
	}
	return m.dir(f, path, depth+1)
}

// Discard removes what was measured, and nothing else: when the name leads to something else by now, the error wraps
// [ErrReplaced]. A directory is first renamed to aside, in the same directory: at no moment is there a part of it under
// its own name. In it no directory is removed that is of another owner than the one that was measured. Aside may be the
// name itself, for what a run that was killed has renamed.
func (p *Place) Discard(u Usage, aside string) error {
	if !u.IsDir {
		if err := p.stillIs(u); err != nil {
			return err
		}
		return p.fail("remove", unix.Unlinkat(p.fd(), p.name, 0))
	}
	if err := p.unmounted(); err != nil {
		return err
	}
	if err := p.stillIs(u); err != nil {
		return err
	}
	to := p.Sibling(aside)
	if aside != p.name {
		if err := p.Rename(to); err != nil {
			return err
		}
	}
	r := remover{dev: u.ID.Dev, path: to.Path(), only: u.Owner, own: true}
	fd, err := r.enter(p.fd(), to.name, to.Path())
	if err == nil {
		var st unix.Stat_t
		if err = u.is(&st, unix.Fstat(fd, &st)); err != nil {
			_ = unix.Close(fd)
		}
	}
	if err != nil { // its owner has exchanged it in this moment: whatever was renamed gets its name back
		if aside != p.name {
			_ = unix.Renameat2(p.fd(), to.name, p.fd(), p.name, unix.RENAME_NOREPLACE)
		}
		return p.fail("remove", WithoutPath(err))
	}
	r.top = fd
	f := os.NewFile(uintptr(fd), to.Path())
	defer f.Close()
	return r.emptied(f, p.fd(), to.name, to.Path(), 1)
}

// stillIs reports whether the name leads to what was measured.
func (p *Place) stillIs(u Usage) error {
	var st unix.Stat_t
	return p.fail("remove", u.is(&st, unix.Fstatat(p.fd(), p.name, &st, unix.AT_SYMLINK_NOFOLLOW)))
}

// is returns the error of a look at a file, or [ErrReplaced] when that is not what was measured.
func (u Usage) is(st *unix.Stat_t, err error) error {
	if err == nil && idOf(st) != u.ID {
		err = ErrReplaced
	}
	return err
}
