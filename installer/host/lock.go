package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ErrLocked is the cause when another process holds a lock.
var ErrLocked = errors.New("another process holds the lock")

// TryLock takes an advisory lock on a file, which it creates and into which it writes the number of this process.
// When another process holds it, the error wraps [ErrLocked] and holder is that process, or 0. The kernel drops the
// lock when the process ends, however it ends. release also removes the file.
func (h *Host) TryLock(abs string) (release func() error, holder int, err error) {
	if err := checkAbs("lock", abs); err != nil {
		return nil, 0, err
	}
	made, err := h.MissingParents(filepath.Dir(abs))
	if err == nil && len(made) > 0 { // where they exist another process may hold the lock: nothing may be changed yet
		err = h.MkdirAll(filepath.Dir(abs), FileMode{Perm: 0o755})
	}
	if err != nil {
		return nil, 0, fmt.Errorf("cannot lock %s: %w", abs, err)
	}
	for {
		f, err := h.open(abs, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, 0, fmt.Errorf("cannot lock %s: %w", abs, err)
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			holder := readPID(f)
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = ErrLocked
			}
			return nil, holder, fmt.Errorf("cannot lock %s: %w", abs, err)
		}
		if !h.isStill(f, abs) { // the former holder removed it while we waited for the open
			_ = f.Close()
			continue
		}
		if err := writePID(f); err != nil {
			return nil, 0, errors.Join(fmt.Errorf("cannot lock %s: %w", abs, err), f.Close())
		}
		if err := h.owners.reload(); err != nil { // the former holder changed them while we were not alone
			return nil, 0, errors.Join(fmt.Errorf("cannot lock %s: %w", abs, err), f.Close())
		}
		release := func() error {
			err := errors.Join(h.files.remove(abs), f.Close())
			for _, dir := range slices.Backward(made) {
				_ = h.files.remove(dir) // unless another process uses it
			}
			return err
		}
		return release, os.Getpid(), nil
	}
}

func (h *Host) isStill(f *os.File, abs string) bool {
	a, err1 := f.Stat()
	b, err2 := h.files.lstat(abs)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

func readPID(f *os.File) int {
	b := make([]byte, 16)
	n, err := f.ReadAt(b, 0)
	if n == 0 && err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return 0
	}
	return pid
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// MissingParents lists the directories that would have to be made for abs to exist as a directory, outermost first;
// abs itself is the last of them. It is empty when abs exists.
func (h *Host) MissingParents(abs string) ([]string, error) {
	var missing []string
	for dir := filepath.Clean(abs); dir != "/"; dir = filepath.Dir(dir) {
		_, err := h.Stat(dir)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		missing = append([]string{dir}, missing...)
	}
	return missing, nil
}
