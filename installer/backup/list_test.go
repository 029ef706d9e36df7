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
