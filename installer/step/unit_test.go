package step

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/host"
)

// TestUnitThatDoesNotStart shows what the unit said, from the journal or from its log, never only what systemctl did.
func TestUnitThatDoesNotStart(t *testing.T) {
	const log = "/data/logs/supervisord.log"
	for _, tt := range []struct {
		name, journal, log string
		old                bool // the log is of an earlier start
		lines              []string
		source             string
	}{
		{"journal", "supervisord.conf:3: command: there is no X\n\n\x1b[31mends\n", "other\n", false,
			[]string{"supervisord.conf:3: command: there is no X", "[31mends"},
			"journalctl --unit=fate-supervisor.service"},
		{"no journal", "", "one\ncannot listen\n", false, []string{"one", "cannot listen"}, log},
		{"an old log", "", "of yesterday\n", true, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tempDir(t), true, with(unitFails, tt.journal, log, tt.log))
			written := time.Now().Add(time.Hour) // by the start, which is to come
			if tt.old {
				written = time.Now().Add(-24 * time.Hour)
			}
			if tt.log != "" {
				must(t, os.Chtimes(w.host.Root()+log, written, written))
			}
			failing := unit
			failing.Log = log
			_, err := w.apply(t.Context(), failing)
			var failure *UnitStartError
			if !errors.As(err, &failure) {
				t.Fatalf("error %v", err)
			}
			if !slices.Equal(failure.Lines, tt.lines) || tt.source != "" && failure.Source != tt.source {
				t.Errorf("%q from %s", failure.Lines, failure.Source)
			}
			want := "it has written nothing"
			if len(tt.lines) > 0 {
				want = "\n  | " + tt.lines[len(tt.lines)-1]
			}
			if !strings.Contains(failure.Error(), want) {
				t.Errorf("error %v", failure)
			}
		})
	}
}

// TestLogOfTheTickBefore: the time of a file is the kernel's last tick, and so a little before that of the write.
func TestLogOfTheTickBefore(t *testing.T) {
	const log = "/data/logs/supervisord.log"
	w := newWorld(t, tempDir(t), true, with(log, "cannot listen\n"))
	began := time.Now().Truncate(time.Second)
	for before, lines := range map[time.Duration]int{10 * time.Millisecond: 1, time.Second: 0} {
		written := began.Add(-before)
		must(t, os.Chtimes(w.host.Root()+log, written, written))
		if got := tailSince(w.host, log, began); len(got) != lines {
			t.Errorf("written %v before: %q", before, got)
		}
	}
}

// TestUnitIsReadAgain: a run that was cut off between writing a unit's file and having systemd read it is completed,
// and so is one that changed only a file that the unit uses.
func TestUnitIsReadAgain(t *testing.T) {
	w := newWorld(t, tempDir(t), true, baseTree)
	timer := BootUnit{Name: "fate-backup.timer", Content: []byte("[Timer]\n"), Reads: []string{"fate-backup.service"}}
	for _, s := range []BootUnit{unit, timer} {
		_, err := w.apply(t.Context(), s)
		must(t, err)
		must(t, w.host.WriteFile(unitUnread, nil, host.FileMode{}))
		found, err := s.Check(t.Context(), w.env())
		if err != nil || found.Done || !strings.Contains(found.Why, "since it was changed") {
			t.Errorf("%s: %+v %v", s.Name, found, err)
		}
		_, err = w.apply(t.Context(), s)
		must(t, err)
		if w.exists(unitUnread) {
			t.Errorf("%s: systemd has not read the file", s.Name)
		}
	}
}
