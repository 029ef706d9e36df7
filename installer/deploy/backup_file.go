package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"fate-installer/installer/backup"
	"fate-installer/installer/exit"
	"fate-installer/installer/host/beneath"

	"golang.org/x/sys/unix"
)

// write writes the file under another name, and gives it its own when it is on the disk and can be opened.
func (b *backupRun) write(ctx context.Context, sealed *backup.Sealed, c backup.Content) (err error) {
	if err := b.dropAbandoned(); err != nil {
		return err
	}
	dir, name := filepath.Split(b.done.File)
	name = backup.TempName(name)
	temp := b.place.Sibling(name)
	if err := temp.Drop(); err != nil {
		return err
	}
	out, err := temp.Open(os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	current := temp
	defer func() {
		if err != nil {
			err = errors.Join(err, current.Drop())
		}
	}()
	defer func() { err = errors.Join(err, out.Close()) }()
	// A file system without locks has no two hosts that write to it.
	_ = unix.Flock(int(out.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err := backup.Create(ctx, out, b.done.Manifest, sealed, c, b.opts.To); err != nil {
		return err
	}
	if err := b.open(filepath.Join(dir, name)); err != nil {
		return err
	}
	if err := temp.Rename(b.place); err != nil {
		return err
	}
	current = b.place
	return b.place.SyncDir()
}

// open opens what was written as a restore would, and remembers what it is.
func (b *backupRun) open(file string) error {
	a, err := backup.Open(file)
	if err != nil {
		return fmt.Errorf("the file that was written is no good backup: %w", err)
	}
	b.done.Digest, b.done.Size = a.Digest(), a.Size()
	return a.Close()
}

// dropAbandoned removes what killed runs of this host have left in the directory. A host that has the same name may be
// at work there: it holds a lock of its file.
func (b *backupRun) dropAbandoned() error {
	entries, err := os.ReadDir(filepath.Dir(b.done.File))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !b.done.Manifest.OwnsTemp(e.Name()) {
			continue
		}
		if err := dropUnlocked(b.place.Sibling(e.Name())); err != nil {
			return fmt.Errorf("cannot remove what an earlier run left: %w", err)
		}
	}
	return nil
}

// dropUnlocked removes a regular file of this process's user, unless another process holds a lock of it.
func dropUnlocked(p *beneath.Place) error {
	f, err := p.Open(os.O_RDWR, 0)
	if err != nil {
		return beneath.IgnoreAbsent(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || !ok || int(st.Uid) != os.Geteuid() {
		return nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	return p.Drop()
}

// finish removes older backups and says what was done. A backup in which files are missing takes the place of no other.
func (b *backupRun) finish(tell func(*Backed) error) (err error) {
	lacks := b.done.Manifest.Missing() > 0
	if b.opts.Keep > 0 && !lacks {
		if b.done.Removed, err = b.prune(); err != nil {
			return exit.With(fmt.Errorf("%s is complete, but older backups could not be removed: %w", b.done.File, err),
				exit.Step)
		}
	}
	if err := tell(&b.done); err != nil || !lacks {
		return err
	}
	return exit.Silently(exit.Unproven)
}

// prune removes the oldest backups of this host and party from the directory of the new one.
func (b *backupRun) prune() (removed []string, err error) {
	found, err := backup.List(filepath.Dir(b.done.File))
	if err != nil {
		return nil, err
	}
	for _, f := range backup.Older(found, b.done.File, b.done.Manifest, b.opts.Keep) {
		if err := b.place.Sibling(filepath.Base(f.File)).Remove(); err != nil {
			return removed, err
		}
		removed = append(removed, f.File)
	}
	return removed, b.place.SyncDir()
}
