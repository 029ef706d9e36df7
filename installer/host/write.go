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

	"golang.org/x/sys/unix"
)

// TempName is where [Host.WriteFile] prepares the new content of a file. The name is always the same, so that
// what a power cut leaves behind is overwritten by the next attempt instead of piling up.
func TempName(abs string) string {
	return filepath.Join(filepath.Dir(abs), "."+filepath.Base(abs)+".fate-tmp")
}

// WriteFile replaces the content of a file: a temporary file beside it, owner, permission, fsync, rename, fsync of
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
	mode = h.keepMode(abs, mode)
	temp := TempName(abs)
	if err := h.writeNew(temp, abs, mode, write); err != nil {
		return err
	}
	err := h.try(OpRename, abs)
	if err == nil {
		err = h.rename(temp, abs)
	}
	if errors.Is(err, syscall.EBUSY) {
		// A bind mount, as /etc/hosts in a container, can not be renamed over.
		err = h.copyInPlace(temp, abs)
	}
	if err != nil {
		return errors.Join(err, h.dropTemp(temp))
	}
	return h.syncDir(filepath.Dir(abs))
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
func (h *Host) writeNew(temp, abs string, mode FileMode, write func(io.Writer) error) (err error) {
	if err := h.files.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := h.create(temp, abs)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), h.dropTemp(temp))
		}
	}()
	// Owner first: chown clears the set-uid bits, and a secret is never readable by a wrong owner.
	if err := h.setOwner(temp, f, mode); err != nil {
		return err
	}
	if err := h.setPerm(f, abs, mode.Perm); err != nil {
		return err
	}
	h.copyLabel(f, abs)
	if err := h.fill(f, abs, write); err != nil {
		return err
	}
	return f.Close()
}

func (h *Host) create(temp, abs string) (*os.File, error) {
	if err := h.try(OpCreate, abs); err != nil {
		return nil, err
	}
	// O_EXCL: in a directory of a less trusted user the name may be a planted link.
	return h.files.open(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
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
func (h *Host) keepMode(abs string, mode FileMode) FileMode {
	fi, err := h.files.lstat(abs)
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
func (h *Host) copyLabel(f *os.File, abs string) {
	if !h.IsSystem() {
		return
	}
	label := make([]byte, 256)
	n, err := unix.Lgetxattr(abs, "security.selinux", label)
	if err == nil && n > 0 {
		_ = unix.Fsetxattr(int(f.Fd()), "security.selinux", label[:n], 0)
	}
}

func (h *Host) dropTemp(temp string) error {
	err := h.files.remove(temp)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
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

func (h *Host) copyInPlace(from, to string) error {
	src, err := h.files.open(from, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := h.files.open(to, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err == nil {
		err = dst.Sync()
	}
	return errors.Join(err, dst.Close(), h.dropTemp(from))
}

// Append opens a file for appending, creating it with perm and durably linking it into its directory.
func (h *Host) Append(abs string, perm fs.FileMode) (*os.File, error) {
	if err := h.mayChange("append", abs); err != nil {
		return nil, err
	}
	if err := h.try(OpCreate, abs); err != nil {
		return nil, err
	}
	f, err := h.open(abs, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, perm)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(perm); err != nil { // also when it existed, and whatever the umask
		return nil, errors.Join(err, f.Close())
	}
	if err := h.syncDir(filepath.Dir(abs)); err != nil {
		return nil, errors.Join(err, f.Close())
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

// syncDir makes the entries of a directory durable. File systems that cannot do it say EINVAL.
func (h *Host) syncDir(abs string) error {
	if err := h.try(OpSyncDir, abs); err != nil {
		return err
	}
	d, err := h.files.open(abs, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
