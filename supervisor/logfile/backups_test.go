package logfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/supervisor/account"
)

// obstacle puts a directory with a file in it in the place of a backup: it can be neither removed nor replaced.
func obstacle(t *testing.T, path string) {
	t.Helper()
	must(t, os.Mkdir(path, 0o755))
	must(t, os.WriteFile(filepath.Join(path, "x"), nil, 0o600))
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return string(data)
}

// TestBackupThatCannotBeMoved: the log is rotated all the same, and the error says which backup was lost for it.
func TestBackupThatCannotBeMoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	must(t, os.WriteFile(path, []byte("new\n"), 0o600))
	must(t, os.WriteFile(path+".1", []byte("old\n"), 0o600))
	obstacle(t, path+".2")
	err := File{Path: path, User: account.User{Self: true}, Limits: Limits{Max: 1, Backups: 2}}.Rotate()
	if err == nil || !strings.Contains(err.Error(), "lines of its backups may be lost") ||
		!strings.Contains(err.Error(), path+".1") {
		t.Errorf("%v", err)
	}
	if now, first := content(t, path), content(t, path+".1"); now != "" || first != "new\n" {
		t.Errorf("log %q, first backup %q", now, first)
	}
}

// TestUnfinishedRotationIsNotContinued: what a killed supervisor has copied is removed, or the log is not rotated. A
// backup would begin with half of another one.
func TestUnfinishedRotationIsNotContinued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	rotate := File{Path: path, User: account.User{Self: true}, Limits: Limits{Max: 1, Backups: 1}}.Rotate
	must(t, os.WriteFile(path, []byte("new\n"), 0o600))
	obstacle(t, path+".rotating")
	if err := rotate(); err == nil || content(t, path) != "new\n" {
		t.Errorf("%v, %q", err, content(t, path))
	}
	must(t, os.RemoveAll(path+".rotating"))
	must(t, os.WriteFile(path+".rotating", []byte("half of an older li"), 0o600))
	must(t, rotate())
	if first := content(t, path+".1"); first != "new\n" {
		t.Errorf("%q", first)
	}
}

// TestDaemonLogSaysThatItCannotRotate: once, in the log itself.
func TestDaemonLogSaysThatItCannotRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.log")
	w, err := NewWriter(path, 100, 1)
	must(t, err)
	defer w.Close()
	obstacle(t, path+".1")
	for range 20 {
		_, err := w.Write([]byte(strings.Repeat("x", 60) + "\n"))
		must(t, err)
	}
	text := content(t, path)
	if strings.Count(text, "cannot rotate this log") != 1 || !strings.Contains(text, path+".1") {
		t.Errorf("%s", text)
	}
	must(t, os.RemoveAll(path+".1"))
	_, err = w.Write([]byte("after\n"))
	must(t, err)
	if text := content(t, path); text != "after\n" {
		t.Errorf("it is not rotated when it can be: %q", text)
	}
}
