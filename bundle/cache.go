package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/payload"
)

// Cache keeps fetched files by their sha256, so that a build whose inputs were fetched once needs no network:
//
//	DIR/sha256/<digest>       whole files; what is there has been checked when it was put there
//	DIR/partial/<key>         downloads under way, each locked by the process that writes it
//
// Readers check a file's digest again while they use it; a file that has gone bad is thus an error, never a wrong
// component. Use of the directory by several processes at once is safe.
type Cache struct {
	Dir string
	Max int64 // bytes of whole files to keep; 0 keeps everything. What this process used is never removed.

	used []string
}

// DefaultCacheDir is where a user's cache is when no other place is named.
func DefaultCacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cannot find a place for the cache: %w", err)
	}
	return filepath.Join(dir, "fate-installer", "sources"), nil
}

func (c *Cache) path(digest string) string { return filepath.Join(c.Dir, "sha256", digest) }

// lookup returns the path of the file with that digest and size, if the cache has it.
func (c *Cache) lookup(want payload.Blob) (string, bool) {
	if want.SHA256 == "" {
		return "", false
	}
	file := c.path(want.SHA256)
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || want.Size > 0 && info.Size() != want.Size {
		return "", false
	}
	now := time.Now()
	_ = os.Chtimes(file, now, now) // only the order of removal depends on it
	c.used = append(c.used, want.SHA256)
	return file, true
}

// forget removes a file that is not what its name says.
func (c *Cache) forget(digest string) error {
	if err := os.Remove(c.path(digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove a damaged file from the cache: %w", err)
	}
	return nil
}

// partial opens the download with that key for this process alone; it may hold what an earlier try left.
func (c *Cache) partial(key string) (*os.File, error) {
	dir := filepath.Join(c.Dir, "partial")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot use the cache: %w", err)
	}
	for {
		f, err := openOwn(filepath.Join(dir, key))
		if err != nil {
			return nil, fmt.Errorf("cannot use the cache: %w", err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot lock a download in the cache: %w", err)
		}
		// The former holder of the lock may have finished and moved the file; then this one has no name any more.
		held, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot use the cache: %w", err)
		}
		if named, err := os.Stat(f.Name()); err == nil && os.SameFile(held, named) {
			return f, nil
		}
		f.Close()
	}
}

// keep moves a finished download to its place and makes room.
func (c *Cache) keep(f *os.File, digest string) (string, error) {
	file := c.path(digest)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", fmt.Errorf("cannot use the cache: %w", err)
	}
	if err := f.Sync(); err != nil {
		return "", fmt.Errorf("cannot write to the cache: %w", err)
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return "", fmt.Errorf("cannot write to the cache: %w", err)
	}
	c.used = append(c.used, digest)
	return file, c.trim()
}

// trim removes the files that were not used for longest until the rest fits.
func (c *Cache) trim() error {
	if c.Max <= 0 {
		return nil
	}
	items, err := os.ReadDir(filepath.Join(c.Dir, "sha256"))
	if err != nil {
		return fmt.Errorf("cannot use the cache: %w", err)
	}
	var files []fs.FileInfo
	var total int64
	for _, item := range items {
		info, err := item.Info()
		if err != nil || strings.HasPrefix(item.Name(), ".") {
			continue // another process has removed it
		}
		files = append(files, info)
		total += info.Size()
	}
	sort.Slice(files, func(i, j int) bool { return files[i].ModTime().Before(files[j].ModTime()) })
	for _, info := range files {
		if total <= c.Max {
			return nil
		}
		if slices.Contains(c.used, info.Name()) {
			continue
		}
		if err := c.forget(info.Name()); err != nil {
			return err
		}
		total -= info.Size()
	}
	return nil
}
