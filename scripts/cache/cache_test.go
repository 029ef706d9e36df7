package cache

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Lock(path, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(path, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, ErrBusy) {
		t.Errorf("second lock: %v, want ErrBusy", err)
	}
	// A holder that removes its file before it lets go must not leave the next one
	// with a lock on a file that no other process can find.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := Lock(path, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	if _, err := Lock(path, unix.LOCK_SH|unix.LOCK_NB); !errors.Is(err, ErrBusy) {
		t.Errorf("lock on the new file: %v, want ErrBusy", err)
	}
	second.Close()
}
