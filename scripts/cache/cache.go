// Package cache is the one directory in which the scripts keep things on disk: root
// file systems of lab hosts, labs that are up, downloaded packages and the demo's
// appliance. Removing it is always safe while nothing of theirs runs.
package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Dir returns the directory elem below the cache, making it if need be. The cache is
// below $XDG_CACHE_HOME, and below /var/cache for a caller without a home.
func Dir(elem ...string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = "/var/cache"
	}
	dir := filepath.Join(append([]string{base, "fate-installer"}, elem...)...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the cache directory: %w", err)
	}
	return dir, nil
}

// ErrBusy is returned by Lock when another process holds the lock.
var ErrBusy = errors.New("locked by another process")

// Lock takes the lock file at path, creating it. The lock belongs to the open file,
// so it can be handed to a child and ends with the last process that has it. mode is
// unix.LOCK_EX or unix.LOCK_SH, with unix.LOCK_NB for ErrBusy instead of waiting.
// Who holds it exclusively may remove the file before letting go.
func Lock(path string, mode int) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("cannot open the lock: %w", err)
		}
		if err := flock(f, mode); err != nil {
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, ErrBusy
			}
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		// The holder before us may have removed the file while we waited for it.
		held, err1 := f.Stat()
		named, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(held, named) {
			return f, nil
		}
		f.Close()
		if err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot look at the lock: %w", err2)
		}
	}
}

func flock(f *os.File, mode int) error {
	for {
		err := unix.Flock(int(f.Fd()), mode)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
