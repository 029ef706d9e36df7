package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"fate-installer/installer/host/beneath"

	"golang.org/x/sys/unix"
)

// Allocation is how a large file gets its blocks.
type Allocation struct {
	Size  int64
	Write bool // write zeros instead of reserving blocks: slow, and right for every file system
	NoCOW bool // first switch copy-on-write off, on file systems that have it
}

// allocBlock is how much is written between two looks at the context.
const allocBlock = 4 << 20

// Allocate makes a new file of mode 0600 whose blocks are all there, without holes, durably. When the file system
// cannot reserve blocks it writes them. It fails when abs exists, and then, as after any failure, leaves no new file.
func (h *Host) Allocate(ctx context.Context, abs string, a Allocation, progress func(done, total int64)) error {
	if err := h.mayChange("allocate", abs); err != nil {
		return err
	}
	if err := h.try(OpCreate, abs); err != nil {
		return err
	}
	return h.files.at("allocate", abs,
		func(p *beneath.Place) error { return h.allocatePlace(ctx, p, abs, a, progress) })
}

func (h *Host) allocatePlace(
	ctx context.Context, p *beneath.Place, abs string, a Allocation, progress func(done, total int64),
) (err error) {
	f, err := p.Open(os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			err = errors.Join(err, p.Drop())
		}
	}()
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	if a.NoCOW {
		if err := noCOW(f); err != nil {
			return fmt.Errorf("cannot switch copy-on-write off for %s: %w", abs, err)
		}
	}
	if err := h.try(OpWrite, abs); err != nil {
		return err
	}
	if err := allocate(ctx, f, a, progress); err != nil {
		return &fs.PathError{Op: "allocate", Path: abs, Err: err}
	}
	if err := h.try(OpSync, abs); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return h.syncPlace(p, abs)
}

func allocate(ctx context.Context, f *os.File, a Allocation, progress func(done, total int64)) error {
	if !a.Write {
		err := unix.Fallocate(int(f.Fd()), 0, 0, a.Size)
		if err == nil {
			progress(a.Size, a.Size)
			return nil
		}
		if !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.ENOSYS) {
			return err
		}
	}
	zeros := make([]byte, allocBlock)
	for done := int64(0); done < a.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.Write(zeros[:min(allocBlock, a.Size-done)])
		if err != nil {
			return err
		}
		done += int64(n)
		progress(done, a.Size)
	}
	return nil
}

// noCOW sets the attribute that chattr(1) calls C. It works on empty files only.
func noCOW(f *os.File) error {
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	const fsNoCOW = 0x00800000 // FS_NOCOW_FL of linux/fs.h
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags|fsNoCOW)
}

// WriteAt overwrites a part of an existing file in place, durably. It is for files that must not be replaced, such as
// one whose blocks the kernel will use directly.
func (h *Host) WriteAt(abs string, data []byte, offset int64) error {
	if err := h.mayChange("write", abs); err != nil {
		return err
	}
	if err := h.try(OpWrite, abs); err != nil {
		return err
	}
	f, err := h.open(abs, os.O_WRONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, offset)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ReadAt reads a part of a file; it is short when the file is.
func (h *Host) ReadAt(abs string, length int, offset int64) ([]byte, error) {
	f, err := h.open(abs, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, length)
	n, err := f.ReadAt(buf, offset)
	if n > 0 {
		err = nil
	}
	return buf[:n], err
}

// FileSystemType returns the type of the file system that abs is, or would be, on, as the mount table names it: ext4,
// xfs, btrfs. It is "" when the tree has no mount table.
func (h *Host) FileSystemType(abs string) (string, error) {
	m, err := h.mountOf(abs)
	return m.fstype, err
}
