package problem

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadFileIsBounded(t *testing.T) {
	var long *TooLongError
	if _, err := ReadFile("/dev/zero", 1<<20); !errors.As(err, &long) || !strings.Contains(err.Error(), "/dev/zero") {
		t.Errorf("an endless device: got %v", err)
	}
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for limit, ok := range map[int]bool{4: false, 5: true, 6: true} {
		data, err := ReadFile(name, limit)
		if ok != (err == nil) || ok && string(data) != "12345" || !ok && !errors.As(err, &long) {
			t.Errorf("limit %d: got %q, %v", limit, data, err)
		}
	}
	if _, err := ReadFile(name+"x", 5); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: got %v", err)
	}
}

func TestReadRegular(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadRegular(file, 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := ReadRegular(file, 4); !errors.As(err, new(*TooLongError)) {
		t.Errorf("too long: %v", err)
	}
	for _, name := range []string{pipe, dir, os.DevNull} {
		if _, err := ReadRegular(name, 5); !errors.Is(err, errNotRegular) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
