package deploy

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
)

// TestOlderBackups keeps the latest ones, and the one that is recorded as the last complete one.
func TestOlderBackups(t *testing.T) {
	dir, spec := t.TempDir(), fatetest.PlanSpec(t, cluster.RoleHost, 10000)
	var files []string
	for hour := range 4 {
		b := newBackupFile(t, dir, hour)
		m := b.done.Manifest
		m.IP, m.Role, m.Party = spec.IP, string(spec.Role), spec.PartyID
		if err := b.write(t.Context(), newSealed(), backup.Content{}); err != nil {
			t.Fatal(err)
		}
		files = append(files, b.done.File)
	}
	h, err := host.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	older := func() []string {
		t.Helper()
		now := time.Date(2026, 11, 30, 2, 30, 0, 0, time.UTC) // the last is of 3:00
		got, err := surplus(dir, h, spec, "h1", 1, now)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got, want := older(), []string{files[1], files[0]}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if err := h.MkdirAll(spec.Layout.State(), host.FileMode{Perm: 0o700}); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "backups") // as the schedule may have called the directory
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := saveRecord(h, spec.Layout, backupSuccessPath(spec.Layout), backup.Success{Time: time.Now(),
		File: filepath.Join(link, filepath.Base(files[1]))}); err != nil {
		t.Fatal(err)
	}
	if got, want := older(), files[:1]; !slices.Equal(got, want) {
		t.Errorf("with a record: %v, want %v", got, want)
	}
}
