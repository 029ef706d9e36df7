package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// CopyOptions say how [Host.CopyTree] copies.
type CopyOptions struct {
	// Link lets files share their content with the original instead of copying it, where both are on one file system. It
	// is right for trees whose files are replaced and never written in place, such as installed programs.
	Link bool
	// Skip leaves out a file or directory, given by its path below the tree; may be nil.
	Skip func(rel string) bool
	// Progress is told how many bytes of files have been dealt with; may be nil.
	Progress func(done int64)
}

// CopyTree copies a directory with permissions, owners, times and links to a place that does not exist. The copy is
// durable, and it appears by one rename, so that a copy that was cut off is none.
func (h *Host) CopyTree(ctx context.Context, from, to string, o CopyOptions) (err error) {
	if err := h.mayChange("copy", to); err != nil {
		return err
	}
	if h.Exists(to) {
		return &fs.PathError{Op: "copy", Path: to, Err: fs.ErrExist}
	}
	temp := TempName(to)
	if err := h.RemoveAll(temp); err != nil { // of a run that was cut off
		return err
	}
	if err := h.try(OpCreate, to); err != nil {
		return err
	}
	c := treeCopy{CopyOptions: o, ctx: ctx, from: h.Path(from), to: h.Path(temp)}
	err = filepath.WalkDir(c.from, c.visit)
	if err == nil {
		err = errors.Join(c.finishDirs(), h.recordCopy(from, temp))
	}
	if err == nil {
		err = h.SyncAll(temp)
	}
	if err == nil {
		err = h.Rename(temp, to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot copy %s to %s: %w", from, to, err), h.RemoveAll(temp))
	}
	return nil
}

// recordCopy gives the copy the owners that a tree only remembers.
func (h *Host) recordCopy(from, to string) error {
	if h.IsSystem() {
		return nil
	}
	owner, group, err := h.Owner(from)
	if err != nil {
		return err
	}
	return h.RecordOwners(to, owner, group)
}

// treeCopy is a copy under way. Its paths are those of this process.
type treeCopy struct {
	CopyOptions
	ctx      context.Context
	from, to string
	done     int64
	dirs     []copiedDir // whose attributes are set when nothing is put into them any more
}

type copiedDir struct {
	path string
	info fs.FileInfo
}

func (c *treeCopy) visit(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	rel, err := filepath.Rel(c.from, path)
	if err != nil {
		return err
	}
	if rel != "." && c.Skip != nil && c.Skip(rel) {
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	target := filepath.Join(c.to, rel)
	switch {
	case d.IsDir():
		c.dirs = append(c.dirs, copiedDir{target, info})
		return os.Mkdir(target, 0o700)
	case info.Mode()&fs.ModeSymlink != 0:
		return c.symlink(path, target, info)
	case info.Mode().IsRegular():
		return c.file(path, target, info)
	}
	return nil // sockets and pipes are made by the programs that use them
}

func (c *treeCopy) symlink(path, target string, info fs.FileInfo) error {
	leads, err := os.Readlink(path)
	if err != nil {
		return err
	}
	return errors.Join(os.Symlink(leads, target), chownAs(target, info))
}

func (c *treeCopy) file(path, target string, info fs.FileInfo) error {
	c.done += info.Size()
	if c.Progress != nil {
		defer func() { c.Progress(c.done) }()
	}
	if c.Link {
		if err := os.Link(path, target); !errors.Is(err, syscall.EXDEV) {
			return err
		}
	}
	// The tree belongs to somebody less trusted than root, who might put a link in the place of the file meanwhile: what is
	// opened is looked at again, and the copy gets the owner of what was really read.
	in, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	if info, err = in.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%s is no regular file any more", path))
	}
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in) // by the kernel, which shares the blocks where the file system can
	return errors.Join(err, out.Close(), attributes(target, info))
}

// finishDirs sets the attributes of directories, the deepest first.
func (c *treeCopy) finishDirs() error {
	for i := len(c.dirs) - 1; i >= 0; i-- {
		if err := attributes(c.dirs[i].path, c.dirs[i].info); err != nil {
			return err
		}
	}
	return nil
}

// attributes gives a copy the owner, permission and time of its original.
func attributes(path string, info fs.FileInfo) error {
	if err := chownAs(path, info); err != nil {
		return err
	}
	return errors.Join(os.Chmod(path, info.Mode()), os.Chtimes(path, info.ModTime(), info.ModTime()))
}

// chownAs gives a copy the owner of its original. Nobody but root can, and needs to.
func chownAs(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return unix.Lchown(path, int(st.Uid), int(st.Gid))
}

// Exchange lets two files or directories on one file system change places, durably and, where the kernel can do that
// (ext4 since Linux 3.15, xfs since 4.0), at once. Elsewhere it takes three renames.
func (h *Host) Exchange(a, b string) error {
	if err := errors.Join(h.mayChange("exchange", a), h.mayChange("exchange", b), h.try(OpRename, a)); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, h.Path(a), unix.AT_FDCWD, h.Path(b), unix.RENAME_EXCHANGE)
	switch {
	case err == nil:
		return errors.Join(h.syncDir(filepath.Dir(a)), h.syncDir(filepath.Dir(b)))
	case !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOSYS):
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
	}
	return h.exchangeByRenames(a, b)
}

// exchangeByRenames is Exchange where the kernel cannot. When one of the renames fails, those before it are taken back:
// what is exchanged may be the only copy of a database.
func (h *Host) exchangeByRenames(a, b string) error {
	temp := exchangeName(a)
	moves := [][2]string{{a, temp}, {b, a}, {temp, b}}
	for i, move := range moves {
		if err := h.Rename(move[0], move[1]); err != nil {
			for _, done := range slices.Backward(moves[:i]) {
				err = errors.Join(err, h.Rename(done[1], done[0]))
			}
			return err
		}
	}
	return nil
}

// MendExchange puts a back where a power cut between the renames of an Exchange has left nothing at that name.
func (h *Host) MendExchange(a string) error {
	if temp := exchangeName(a); !h.Exists(a) && h.Exists(temp) {
		return h.Rename(temp, a)
	}
	return nil
}

// exchangeName is where a is during an exchange by renames. No other change leaves anything there.
func exchangeName(a string) string {
	return filepath.Join(filepath.Dir(a), "."+filepath.Base(a)+".fate-exchange")
}
