package logfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fate-installer/supervisor/account"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDaemonLogIsNotLedElsewhere: whatever the owner of the directories above puts in the place of the log, no other
// file is read, emptied or written, and the daemon goes on.
func TestDaemonLogIsNotLedElsewhere(t *testing.T) {
	const secret = "root:secret"
	for name, plant := range map[string]func(t *testing.T, dir, victim string) error{
		"link": func(_ *testing.T, dir, victim string) error {
			return os.Symlink(victim,
				filepath.Join(dir, "d.log"))
		},
		"pipe": func(_ *testing.T, dir, _ string) error {
			return syscall.Mkfifo(filepath.Join(dir, "d.log"),
				0o666)
		},
		"directory": func(_ *testing.T, dir, _ string) error { return os.Mkdir(filepath.Join(dir, "d.log"), 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dir, victim := filepath.Join(top, "supervisord"), filepath.Join(top, "shadow")
			path := filepath.Join(dir, "d.log")
			must(t, os.WriteFile(victim, []byte(secret), 0o600))
			w, err := NewWriter(path, 100, 2)
			must(t, err)
			defer w.Close()
			_, _ = w.Write([]byte("ours"))
			must(t, os.Rename(dir, dir+".away"))
			must(t, os.Mkdir(dir, 0o755))
			must(t, plant(t, dir, victim))
			f, err := w.Reader()
			must(t, err)
			defer f.Close()
			got := make([]byte, 100)
			if n, _ := f.ReadAt(got, 0); string(got[:n]) != "ours" {
				t.Errorf("read %q", got[:n])
			}
			must(t, w.Truncate())
			for range 20 { // it rotates too
				_, _ = w.Write([]byte(strings.Repeat("x", 30)))
			}
			if err := w.Reopen(); err == nil {
				t.Error("it was opened")
			}
			if n, err := w.Write([]byte("goes on")); n != 7 || err != nil {
				t.Errorf("a log that cannot be opened stops the daemon: %d, %v", n, err)
			}
			if _, err := w.Reader(); err == nil {
				t.Error("what was planted can be read")
			}
			if data, err := os.ReadFile(victim); err != nil || string(data) != secret {
				t.Errorf("the other file has %q, %v", data, err)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("written where the path leads: %v, %v", entries, err)
			}
		})
	}
}

// TestDaemonLogInASharedDirectory: root does not write its log where others may put something in its place.
func TestDaemonLogInASharedDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root writes where others may not")
	}
	for name, share := range map[string]func(dir string) error{
		"of another user": func(dir string) error { return os.Chown(dir, 65533, 65533) },
		"open to all":     func(dir string) error { return os.Chmod(dir, 0o777) },
	} {
		dir := filepath.Join(t.TempDir(), "shared")
		must(t, errors.Join(os.Mkdir(dir, 0o755), share(dir)))
		if _, err := NewWriter(filepath.Join(dir, "d.log"), 100, 2); !errors.Is(err, errSharedDir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLogsOfRootsPrograms: in a directory that others may write, root neither writes nor reads what they have put
// there.
func TestLogsOfRootsPrograms(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	shared := filepath.Join(dir, "shared")
	victim := filepath.Join(dir, "victim")
	must(t, errors.Join(os.Mkdir(shared, 0o755), os.WriteFile(victim, []byte("secret"), 0o600),
		os.Chown(shared, 65533, 65533)))
	at := func(name string) string { return filepath.Join(shared, name) }
	must(t, errors.Join(os.Symlink(victim, at("link.log")), os.Link(victim, at("hard.log")),
		syscall.Mkfifo(at("pipe.log"), 0o666),
		os.WriteFile(at("theirs.log"), nil, 0o666), os.Chown(at("theirs.log"), 65533, 65533)))
	root := account.User{Self: true}
	for _, name := range []string{"link.log", "hard.log", "pipe.log", "theirs.log"} {
		if f, err := Open(at(name), root); err == nil {
			f.Close()
			t.Errorf("%s was opened for writing", name)
		}
		if f, err := OpenToRead(at(name), root); err == nil {
			f.Close()
			t.Errorf("%s was opened for reading", name)
		}
	}
	f, err := Open(at("ours.log"), root)
	must(t, err)
	f.Close()
}
