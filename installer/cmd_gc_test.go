package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/gc"
	"fate-installer/installer/host"
)

// TestGCFlags: what cannot be meant is refused before anything is looked at.
func TestGCFlags(t *testing.T) {
	for _, c := range []struct{ want, args string }{
		{"--max-size with --free", "--max-size 1G --free 1G"},
		{"a number of bytes from 1", "--free 0"},
		{"a number of bytes from 1", "--max-size many"},
		{"a number of minutes, hours, days or weeks", "--older-than 30"},
		{"a number of minutes, hours, days or weeks", "--older-than -1d"},
		{"a number of minutes, hours, days or weeks", "--older-than 99999999d"},
		{"--keep without --backups", "--keep 3"},
		{"--keep does not say how many stay", "--backups /var/backups/fate"},
		{"cannot be negative", "--backups /var/backups/fate --keep -1"},
		{"--max-size or --free with --backups", "--backups /var/backups/fate --keep 1 --free 1G"},
		{"--max-size or --free with --backups", "--backups /var/backups/fate --keep 1 --max-size 1G"},
		{"--only", "--only backups"},
		{"--root", "--root /tmp"},
	} {
		_, stderr, code := run(t, append([]string{"gc", "--dry-run"}, strings.Fields(c.args)...)...)
		if code != exit.Usage || !strings.Contains(stderr, c.want) {
			t.Errorf("gc %s: exit code %d, want 2 and %q\n%s", c.args, code, c.want, stderr)
		}
	}
}

// TestGCLimits: 30 days hold where no flag says how much is removed.
func TestGCLimits(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		o    gcOptions
		want gc.Limits
	}{
		{gcOptions{}, gc.Limits{Older: 30 * day}},
		{gcOptions{older: "2w"}, gc.Limits{Older: 14 * day}},
		{gcOptions{free: "20G"}, gc.Limits{Free: 20 << 30}},
		{gcOptions{maxSize: "5M", older: "12h"}, gc.Limits{MaxSize: 5 << 20, Older: 12 * time.Hour}},
	} {
		if got, err := c.o.limits(); err != nil || got != c.want {
			t.Errorf("%+v: %+v (%v), want %+v", c.o, got, err, c.want)
		}
	}
}

// TestGCSums: each kind has a line, in their order.
func TestGCSums(t *testing.T) {
	early, late := time.Unix(1000, 0), time.Unix(2000, 0)
	items := []gc.Item{{Kind: gc.Models, Bytes: 1, Modified: late},
		{Kind: gc.Jobs, Bytes: 2, Modified: late}, {Kind: gc.Jobs, Bytes: 3, Modified: early}}
	kinds, bytes := sumUp(items), gc.Bytes(items)
	if bytes != 6 || len(kinds) != 2 || kinds[0] != (gcKind{gc.Jobs, 2, 5, early, late}) {
		t.Errorf("%+v, %d", kinds, bytes)
	}
}

// FuzzAge reads any text without a number that is too large.
func FuzzAge(f *testing.F) {
	for _, s := range []string{"30d", "12h", "", "d", "-1d", "65535w", "99999d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parseAge(text); err == nil && (d < 0 || d > maxAge) {
			t.Errorf("%q is %v", text, d)
		}
	})
}

// TestGCInTree runs gc on an installed tree, whose FATE-Flow does not run.
func TestGCInTree(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to the service user")
	}
	root, _, _ := partyTree(t)
	h, err := host.New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	app, err := h.LookupUser("app")
	if err != nil {
		t.Fatal(err)
	}
	const rotated = "data/logs/fate/mysql/mysqld.log.3.gz"
	for _, name := range []string{rotated, "data/logs/fate/mysql/mysqld.log"} {
		at, old := filepath.Join(root, name), time.Now().Add(-100*24*time.Hour)
		if err := errors.Join(os.WriteFile(at, make([]byte, 5000), 0o600), os.Chown(at, app.UID, app.GID),
			os.Chtimes(at, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	gcRun := func(o *gcOptions, format string, yes bool) (string, error) {
		t.Helper()
		var out strings.Builder
		g := &globals{Root: root, Base: "/data", Output: format, Yes: yes, Stdin: strings.NewReader(""), Stdout: &out,
			Stderr: &out}
		err := runGC(t.Context(), g, o)
		return out.String(), err
	}
	only := []string{string(gc.ProgramLogs), string(gc.Slots), string(gc.History)}
	out, err := gcRun(&gcOptions{only: only, dryRun: true}, outputText, false)
	if err != nil || !strings.Contains(out, "program-logs") || !strings.Contains(out, "would be removed") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := gcRun(&gcOptions{only: only}, outputText, false); exit.CodeOf(t.Context(), err) != exit.Usage {
		t.Errorf("without consent: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(root, rotated)); err != nil {
		t.Error(err)
	}
	out, err = gcRun(&gcOptions{only: only}, outputJSON, true)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	checkDocument(t, []string{"gc"}, out)
	if !strings.Contains(out, rotated) {
		t.Errorf("gc says\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(root, rotated)); err == nil {
		t.Error("the rotated log is there")
	}
	if _, err := os.Stat(filepath.Join(root, "data/logs/fate/mysql/mysqld.log")); err != nil {
		t.Error("the log that is written to is not there")
	}
	out, err = gcRun(&gcOptions{only: only}, outputText, true)
	if err != nil || !strings.Contains(out, "nothing was removed") {
		t.Errorf("again: %v\n%s", err, out)
	}
}
