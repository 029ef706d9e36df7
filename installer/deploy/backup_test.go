package deploy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/installer/host/beneath"

	"filippo.io/age"
	"golang.org/x/sys/unix"
)

// newBackupFile begins a backup of an exchange in a directory, made at an hour.
func newBackupFile(t *testing.T, dir string, hour int) *backupRun {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	m := &backup.Manifest{Schema: backup.Schema, ID: "1", Made: time.Date(2026, 11, 30, hour, 0, 0, 0, time.UTC),
		Host: "h1", Role: "exchange", IP: "192.168.0.1", Encryption: backup.ByRecipient,
		Components: map[string]string{}, Trees: []backup.Tree{}, Unread: []string{}, NotBacked: []string{}}
	b := &backupRun{opts: BackupOptions{To: []age.Recipient{key.Recipient()}, Keep: 1},
		done: Backed{Manifest: m, File: filepath.Join(dir, m.FileName())}}
	root, err := beneath.Open("/", os.Geteuid())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if b.place, err = root.Exact("create", b.done.File); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

func newSealed() *backup.Sealed { return &backup.Sealed{Site: []byte("{}")} }

// inDir lists the names in a directory.
func inDir(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestAbandonedBackups: what killed runs of a host have left goes before its next backup is begun, and nothing else.
func TestAbandonedBackups(t *testing.T) {
	dir := t.TempDir()
	b := newBackupFile(t, dir, 12)
	temp := func(hour string) string { return ".fate-exchange-0-h1-20261130T" + hour + "0000Z.fatebackup.fate-tmp" }
	stay := []string{strings.Replace(temp("10"), "h1", "h2", 1), temp("08"), temp("09"), ".x.fatebackup.fate-tmp"}
	for _, name := range append([]string{temp("10"), temp("11"), temp("12")}, stay[0], stay[2], stay[3]) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("cut"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, stay[1]), 0o700); err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(filepath.Join(dir, stay[2]), os.O_RDWR, 0) // a host of the same name writes it
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := b.write(t.Context(), newSealed(), backup.Content{}); err != nil {
		t.Fatal(err)
	}
	want := append(stay, filepath.Base(b.done.File))
	slices.Sort(want)
	if got := inDir(t, dir); !slices.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
	if b.done.Size == 0 || len(b.done.Digest) != 64 {
		t.Errorf("it is described as %+v", b.done)
	}
}

// TestBackupThatCannotBeOpened leaves nothing under the name of a backup.
func TestBackupThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	b := newBackupFile(t, dir, 12)
	b.done.Manifest.Schema = backup.Schema + 1
	if err := b.write(t.Context(), newSealed(), backup.Content{}); err == nil ||
		!strings.Contains(err.Error(), "newer") {
		t.Errorf("the error is %v", err)
	}
	if got := inDir(t, dir); len(got) > 0 {
		t.Errorf("there are %v", got)
	}
}

// TestIncompleteBackup: one in which files are missing is reported by an exit code, and does not replace an older one.
func TestIncompleteBackup(t *testing.T) {
	dir := t.TempDir()
	h, err := host.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.MkdirAll("/jobs", host.FileMode{Perm: 0o755}); err != nil {
		t.Fatal(err)
	}
	trees := backup.Trees{Host: h, Home: "/"}
	content := backup.Content{Files: func(ctx context.Context, m *backup.Manifest, w *backup.RecordWriter) error {
		return trees.Write(ctx, m, w, func(int64) {})
	}}
	made := func(hour int) (*backupRun, int) {
		b := newBackupFile(t, dir, hour)
		if err := b.write(t.Context(), newSealed(), content); err != nil {
			t.Fatal(err)
		}
		shown := 0
		err := b.finish(func(*Backed) error { shown++; return nil })
		if shown != 1 {
			t.Errorf("it was shown %d times", shown)
		}
		return b, exit.CodeOf(t.Context(), err)
	}
	first, code := made(10)
	if code != exit.OK {
		t.Errorf("exit code %d", code)
	}
	sparse := filepath.Join(h.Root(), "jobs", "sparse")
	if err := errors.Join(os.WriteFile(sparse, nil, 0o600), os.Truncate(sparse, 1<<30)); err != nil {
		t.Fatal(err)
	}
	second, code := made(11)
	if code != exit.Unproven || len(second.done.Removed) > 0 || len(inDir(t, dir)) != 2 {
		t.Errorf("exit code %d, removed %v", code, second.done.Removed)
	}
	if err := os.Remove(sparse); err != nil {
		t.Fatal(err)
	}
	third, code := made(12)
	slices.Sort(third.done.Removed)
	if code != exit.OK || !slices.Equal(third.done.Removed, []string{first.done.File, second.done.File}) {
		t.Errorf("exit code %d, removed %v", code, third.done.Removed)
	}
}
