package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
)

// TestEachEntryIsWhatOSSays compares every kind of entry with package os.
func TestEachEntryIsWhatOSSays(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]fs.FileMode{"a": 0o644, "b": 0o755 | fs.ModeSetuid, "c": fs.ModeSetgid} {
		if err := errors.Join(os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600),
			os.Chmod(filepath.Join(dir, name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "d"), 0o700), os.Chmod(filepath.Join(dir, "d"), 0o777|
		fs.ModeSticky), os.Symlink("nowhere", filepath.Join(dir, "l")), syscall.Mkfifo(filepath.Join(dir, "p"), 0o600),
		os.Symlink("d", filepath.Join(dir, "to"))); err != nil {
		t.Fatal(err)
	}
	h, err := New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var got []string
	err = h.EachEntry("/", func(e fs.DirEntry) error {
		got = append(got, e.Name())
		want, err := os.Lstat(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Name() != want.Name() || info.Mode() != want.Mode() || info.Size() != want.Size() ||
			!info.ModTime().Equal(want.ModTime()) || info.IsDir() != want.IsDir() || e.Type() != want.Mode().Type() {
			t.Errorf("%s: %v %d %v, want %v %d %v", e.Name(), info.Mode(), info.Size(), info.ModTime(), want.Mode(),
				want.Size(), want.ModTime())
		}
		return nil
	})
	if want := []string{"a", "b", "c", "d", "l", "p", "to"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	stop := errors.New("enough")
	if err := h.EachEntry("/", func(fs.DirEntry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of visit: %v", err)
	}
	if err := h.EachEntry("/a", func(fs.DirEntry) error { return nil }); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file: %v", err)
	}
	if err := h.EachEntry("/none", func(fs.DirEntry) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// TestEachEntryStaysInItsDirectory: an exchange of directories while one is read does not change what is described.
func TestEachEntryStaysInItsDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "ours"), 0o755), os.MkdirAll(filepath.Join(dir, "other"),
		0o755), os.WriteFile(filepath.Join(dir, "ours/f"), []byte("1234"), 0o600),
		os.WriteFile(filepath.Join(dir, "other/f"), []byte("the other one"), 0o600)); err != nil {
		t.Fatal(err)
	}
	h, err := New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	err = h.EachEntry("/ours", func(e fs.DirEntry) error {
		if err := errors.Join(os.Rename(filepath.Join(dir, "ours"), filepath.Join(dir, "moved")),
			os.Symlink("other", filepath.Join(dir, "ours"))); err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() != 4 {
			t.Errorf("it has %d bytes, want 4", info.Size())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
