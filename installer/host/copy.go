package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"

	"fate-installer/installer/host/beneath"

	"golang.org/x/sys/unix"
)

// CopyOptions say how [Host.CopyTree] copies.
type CopyOptions struct {
	// Link lets files share their content with the original instead of copying it, where both are on one file system.
	// It is right for trees whose files are replaced and never written in place, such as installed programs.
	Link bool
	// Skip leaves out a file or directory, given by its path below the tree; may be nil.
	Skip func(rel string) bool
	// Progress receives how many bytes of files have been dealt with; may be nil.
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
	err = h.copyTree(ctx, from, temp, o)
	if err == nil {
		err = h.recordCopy(from, temp)
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

func (h *Host) copyTree(ctx context.Context, from, temp string, o CopyOptions) error {
	return h.files.both("copy", from, temp, func(source, target *beneath.Place) error {
		return source.CopyTree(target, beneath.CopyOptions{Link: o.Link, Skip: o.Skip, Progress: o.Progress,
			Interrupted: ctx.Err})
	})
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

// Device tells file systems apart: two paths with the same one are on one file system.
func (h *Host) Device(abs string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(h.Path(abs), &st); err != nil {
		return 0, fmt.Errorf("cannot find the file system of %s: %w", abs, err)
	}
	return uint64(st.Dev), nil
}

// OpExchange is the exchange of two entries at once. A fault that answers EINVAL makes the kernel one that cannot.
const OpExchange Op = "exchange"

// Exchange lets two files or directories on one file system change places, durably and, where the kernel can do that
// (ext4 since Linux 3.15, xfs since 4.0), at once. Elsewhere it takes three renames.
func (h *Host) Exchange(a, b string) error {
	if err := errors.Join(h.mayChange("exchange", a), h.mayChange("exchange", b), h.try(OpRename, a)); err != nil {
		return err
	}
	err := h.files.both("exchange", a, b, func(first, second *beneath.Place) error {
		if err := h.try(OpExchange, a); err != nil {
			return err
		}
		if err := first.Exchange(second); err != nil {
			return err
		}
		return errors.Join(h.syncPlace(first, a), h.syncPlace(second, b))
	})
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) {
		return h.exchangeByRenames(a, b)
	}
	return err
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

// EndExchange completes Exchange(a, b) where a power cut came before the last of its renames: b is at a, and nothing is
// at b.
func (h *Host) EndExchange(a, b string) error {
	if temp := exchangeName(a); h.Exists(a) && !h.Exists(b) && h.Exists(temp) {
		return h.Rename(temp, b)
	}
	return nil
}

// exchangeName is where a is during an exchange by renames. No other change leaves anything there.
func exchangeName(a string) string {
	return filepath.Join(filepath.Dir(a), "."+filepath.Base(a)+".fate-exchange")
}
