package host

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"fate-installer/installer/host/beneath"

	"golang.org/x/sys/unix"
)

// TempName is where [Host.WriteFile] prepares the new content of a file. The name is always the same, so that
// what a power cut leaves behind is overwritten by the next attempt instead of piling up.
func TempName(abs string) string {
	return filepath.Join(filepath.Dir(abs), "."+filepath.Base(abs)+".fate-tmp")
}

// WriteFile replaces the content of a file: a temporary file next to it, owner, permission, fsync, rename, fsync of
// the directory. A link at abs is replaced, not followed. In /proc and /sys it writes in place.
func (h *Host) WriteFile(abs string, data []byte, mode FileMode) error {
	return h.WriteFrom(abs, mode, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	})
}

// WriteFrom is [Host.WriteFile] for content that is produced while it is written. When write fails, abs keeps
// what it had.
func (h *Host) WriteFrom(abs string, mode FileMode, write func(io.Writer) error) error {
	if err := h.mayChange("write", abs); err != nil {
		return err
	}
	if h.IsSystem() && isKernelFile(abs) {
		return h.writeInPlace(abs, write)
	}
	// Everything happens in this one directory, wherever its name may lead by then.
	return h.files.at("write", abs, func(p *beneath.Place) error {
		mode = h.keepMode(p, abs, mode)
		temp := p.Sibling(filepath.Base(TempName(abs)))
		if err := h.writeNew(temp, p, abs, mode, write); err != nil {
			return err
		}
		err := h.try(OpRename, abs)
		if err == nil {
			err = h.renamePlace(temp, TempName(abs), p, abs)
		}
		if errors.Is(err, syscall.EBUSY) {
			// A bind mount, as /etc/hosts in a container, can not be renamed over.
			err = copyInPlace(temp, p)
		}
		if err != nil {
			return errors.Join(err, temp.Drop())
		}
		return h.syncPlace(p, abs)
	})
}

// WriteNew makes a file that is not there yet, with content that is produced while it is written. The caller calls
// [Host.SyncAll] when all files of a tree are written, which is faster than to wait for each. When write fails, a part
// of the file is left.
func (h *Host) WriteNew(abs string, mode FileMode, write func(io.Writer) error) error {
	if err := h.mayChange("write", abs); err != nil {
		return err
	}
	return h.files.at("write", abs, func(p *beneath.Place) (err error) {
		f, err := h.create(p, abs)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if err := h.setOwner(abs, f, mode); err != nil {
			return err
		}
		if err := h.setPerm(f, abs, mode.Perm); err != nil {
			return err
		}
		if refused := h.try(OpWrite, abs); refused != nil {
			return errors.Join(write(&halfWriter{w: f, err: refused}), refused)
		}
		return write(f)
	})
}

// EditFile replaces the content of a file by what edit makes of it; a missing file is empty. Edits of one Host wait
// for each other, so that steps which run at the same time can share a file such as /etc/fstab. A link at abs is
// followed. When edit returns the content unchanged, nothing is written.
func (h *Host) EditFile(abs string, mode FileMode, edit func(old []byte) ([]byte, error)) error {
	h.edits.Lock()
	defer h.edits.Unlock()
	abs, err := h.Resolve(abs)
	if err != nil {
		return err
	}
	old, err := h.ReadFile(abs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	content, err := edit(old)
	if err != nil || bytes.Equal(content, old) {
		return err
	}
	return h.WriteFile(abs, content, mode)
}

// writeNew makes the file temp, complete and durable, with the mode and label that abs is to have.
func (h *Host) writeNew(temp, p *beneath.Place, abs string, mode FileMode, write func(io.Writer) error) (err error) {
	if err := temp.Drop(); err != nil {
		return err
	}
	f, err := h.create(temp, abs)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), temp.Drop())
		}
	}()
	// Owner first: chown clears the set-uid bits, and a secret is never readable by a wrong owner.
	if err := h.setOwner(TempName(abs), f, mode); err != nil {
		return err
	}
	if err := h.setPerm(f, abs, mode.Perm); err != nil {
		return err
	}
	h.copyLabel(f, p)
	if err := h.fill(f, abs, write); err != nil {
		return err
	}
	return f.Close()
}

func (h *Host) create(temp *beneath.Place, abs string) (*os.File, error) {
	if err := h.try(OpCreate, abs); err != nil {
		return nil, err
	}
	// O_EXCL: in a directory of a less trusted user the name may be a planted link.
	return temp.Open(os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (h *Host) fill(f *os.File, abs string, write func(io.Writer) error) error {
	refused := h.try(OpWrite, abs)
	w := io.Writer(f)
	if refused != nil {
		w = &halfWriter{w: f, err: refused}
	}
	if err := write(w); err != nil {
		return err
	}
	if refused != nil {
		return refused // an empty file writes nothing that could fail
	}
	if err := h.try(OpSync, abs); err != nil {
		return err
	}
	return f.Sync()
}

// halfWriter is a disk that gets full.
type halfWriter struct {
	w   io.Writer
	err error
}

func (h *halfWriter) Write(p []byte) (int, error) {
	n, _ := h.w.Write(p[:len(p)/2])
	return n, h.err
}

func (h *Host) setPerm(f *os.File, abs string, perm fs.FileMode) error {
	if err := h.try(OpChmod, abs); err != nil {
		return err
	}
	return f.Chmod(perm)
}

// keepMode fills the zero fields of mode from the file that will be replaced.
func (h *Host) keepMode(p *beneath.Place, abs string, mode FileMode) FileMode {
	fi, err := p.Lstat()
	if err != nil || !fi.Mode().IsRegular() {
		if mode.Perm == 0 {
			mode.Perm = 0o644
		}
		return mode
	}
	if mode.Perm == 0 {
		mode.Perm = fi.Mode().Perm()
	}
	owner, group := h.ownerOf(abs, fi)
	if mode.Owner == "" {
		mode.Owner = owner
	}
	if mode.Group == "" {
		mode.Group = group
	}
	return mode
}

// copyLabel keeps the SELinux label of the file that is replaced; without it a file renamed into /etc keeps the label
// of its directory, which is right for new files only. Best effort: most file systems have no labels.
func (h *Host) copyLabel(f *os.File, p *beneath.Place) {
	if !h.IsSystem() {
		return
	}
	label := make([]byte, 256)
	n, err := unix.Lgetxattr(p.ProcPath(), "security.selinux", label)
	if err == nil && n > 0 {
		_ = unix.Fsetxattr(int(f.Fd()), "security.selinux", label[:n], 0)
	}
}

// isKernelFile reports whether a file is an interface of the kernel, where there is no rename.
func isKernelFile(abs string) bool {
	abs = filepath.Clean(abs)
	return strings.HasPrefix(abs, "/proc/") || strings.HasPrefix(abs, "/sys/")
}

func (h *Host) writeInPlace(abs string, write func(io.Writer) error) error {
	if err := h.try(OpWrite, abs); err != nil {
		return err
	}
	f, err := h.files.open(abs, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	// The kernel takes a value in one write.
	var value bytes.Buffer
	err = write(&value)
	if err == nil {
		_, err = f.Write(value.Bytes())
	}
	return errors.Join(err, f.Close())
}

func copyInPlace(from, to *beneath.Place) error {
	src, err := from.Open(os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := to.Open(os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err == nil {
		err = dst.Sync()
	}
	return errors.Join(err, dst.Close(), from.Drop())
}

// Append opens a file for appending, creating it with perm and durably linking it into its directory.
func (h *Host) Append(abs string, perm fs.FileMode) (*os.File, error) {
	if err := h.mayChange("append", abs); err != nil {
		return nil, err
	}
	if err := h.try(OpCreate, abs); err != nil {
		return nil, err
	}
	var f *os.File
	err := h.files.at("append", abs, func(p *beneath.Place) (err error) {
		if f, err = p.Open(os.O_RDWR|os.O_APPEND|os.O_CREATE, perm); err != nil {
			return err
		}
		// The mode also when it existed, and whatever the umask.
		if err := errors.Join(f.Chmod(perm), h.syncPlace(p, abs)); err != nil {
			return errors.Join(err, f.Close())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Write appends data to a file opened with [Host.Append] and makes it durable.
func (h *Host) Write(f *os.File, abs string, data []byte) error {
	return h.fill(f, abs, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// syncPlace makes the entries of the directory of a place durable.
func (h *Host) syncPlace(p *beneath.Place, abs string) error {
	if err := h.try(OpSyncDir, filepath.Dir(abs)); err != nil {
		return err
	}
	return p.SyncDir()
}

// renamePlace renames within the tree, with the records of the owners.
func (h *Host) renamePlace(from *beneath.Place, fromAbs string, to *beneath.Place, toAbs string) error {
	return h.owners.renaming(fromAbs, toAbs, func() error { return from.Rename(to) })
}
