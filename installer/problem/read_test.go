package problem

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
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
