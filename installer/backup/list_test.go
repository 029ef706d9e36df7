package backup

import (
	"slices"
	"testing"
	"time"
)

// TestOlder keeps the backup that was just made, and those of other hosts.
func TestOlder(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	found := func(file string, after time.Duration, change func(*Found)) Found {
		m := newManifest()
		m.Made = now.Add(after)
		f := Found{File: file, Manifest: m}
		if change != nil {
			change(&f)
		}
		return f
	}
	all := []Found{ // the latest first
		found("ahead2", 2*time.Hour, nil), // the clock was ahead
		found("ahead1", time.Hour, nil),
		found("new", 0, nil),
		found("old", -time.Hour, nil),
		found("split", -time.Hour, func(f *Found) { f.Split = true }),
		found("damaged", -time.Hour, func(f *Found) { f.Manifest = nil }),
		found("of another host", -time.Hour, func(f *Found) { f.Manifest.Host = "h2" }),
		found("of another host with this name", -time.Hour, func(f *Found) { f.Manifest.IP = "192.168.0.2" }),
		found("of another party", -time.Hour, func(f *Found) { f.Manifest.Party = 9999 }),
		found("of another role", -time.Hour, func(f *Found) { f.Manifest.Role = "guest" }),
	}
	for keep, want := range map[int][]string{
		1: {"ahead2", "ahead1", "old"}, 2: {"ahead1", "old"}, 3: {"old"}, 4: nil, 5: nil,
	} {
		var got []string
		for _, f := range Older(all, "new", newManifest(), keep) {
			got = append(got, f.File)
		}
		if !slices.Equal(got, want) {
			t.Errorf("keep %d: %v leave, want %v", keep, got, want)
		}
	}
}

// TestOwnsTemp knows the temporary files of a host by their names.
func TestOwnsTemp(t *testing.T) {
	m := newManifest()
	if name := TempName(m.FileName()); !m.OwnsTemp(name) {
		t.Errorf("%s is not its own", name)
	}
	for _, name := range []string{m.FileName(), ".fate-host-10000-h1-.fatebackup.fate-tmp",
		".fate-host-10000-h1-b-20261130T120000Z.fatebackup.fate-tmp", // of the host h1-b
		".fate-host-9999-h1-20261130T120000Z.fatebackup.fate-tmp",
		".fate-host-10000-h1-20261130T120000Z.fatebackup", ".mine.fatebackup.fate-tmp"} {
		if m.OwnsTemp(name) {
			t.Errorf("%s is its own", name)
		}
	}
}

// TestTotal refuses what the manifest of a file cannot list, and takes larger frames before that.
func TestTotal(t *testing.T) {
	const gib = 1 << 30
	for total, want := range map[int64]int{0: 4 << 20, 200 * gib: 4 << 20, 400 * gib: 16 << 20, 1000 * gib: 16 << 20} {
		if err := CheckTotal(total); err != nil || frameSize(total) != want {
			t.Errorf("%d: %v, frames of %d bytes", total, err, frameSize(total))
		}
	}
	if err := CheckTotal(1400 * gib); err == nil {
		t.Error("accepted")
	}
}

// TestSurplus counts complete backups only, and none of the future.
func TestSurplus(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	found := func(file string, after time.Duration, missing int) Found {
		m := newManifest()
		m.Made, m.missing = now.Add(after), missing
		return Found{File: file, Manifest: m}
	}
	all := []Found{ // the latest first
		found("ahead", 400*24*time.Hour, 0), found("just made", time.Minute, 0),
		found("lacks files", -time.Hour, 1),
		found("good", -2*time.Hour, 0), {File: "damaged"}, found("old", -3*time.Hour, 0),
		found("older", -4*time.Hour, 2),
	}
	for keep, want := range map[int][]string{1: {"lacks files", "good", "old", "older"}, 2: {"old", "older"},
		3: {"older"}, 9: nil} {
		var got []string
		for _, f := range Surplus(all, newManifest(), keep, now) {
			got = append(got, f.File)
		}
		if !slices.Equal(got, want) {
			t.Errorf("keep %d: %v leave, want %v", keep, got, want)
		}
	}
	if got := Surplus(all[2:4], newManifest(), 1, now); len(got) > 0 {
		t.Errorf("what is newer than the last complete one leaves: %+v", got)
	}
	if got := Surplus([]Found{all[0], all[2], all[6]}, newManifest(), 1, now); len(got) > 0 {
		t.Errorf("without a complete one %+v leave", got)
	}
}
