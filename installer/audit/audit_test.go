package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	l := Open(dir)
	now := time.Now().Truncate(time.Second).UTC()
	code := 5
	first, second := NewID(now), NewID(now.Add(time.Second))
	for _, e := range []Entry{
		{ID: first, Began: now, UID: 0, User: "root", Login: "alice", PID: 7, Command: "fate-installer install"},
		{ID: second, Began: now.Add(time.Second), UID: 1000, User: "app", Action: "supervisor: stop fate-mysql"},
		{ID: first, Ended: now.Add(time.Minute), Exit: &code, Result: Failed, Error: "no space"},
	} {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, logName), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"id":"torn`) // a power cut
	f.Close()
	if err := l.Append(Entry{ID: second, Ended: now.Add(time.Hour), Result: Done}); err != nil {
		t.Fatal(err)
	}
	got, err := l.Entries()
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if e := got[0]; e.Login != "alice" || e.Result != Failed || *e.Exit != 5 || e.Error != "no space" ||
		!e.Ended.Equal(now.Add(time.Minute)) {
		t.Errorf("%+v", e)
	}
	if e := got[1]; e.Result != Done || e.UID != 1000 || e.Action != "supervisor: stop fate-mysql" {
		t.Errorf("%+v", e)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, logName): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, info, err)
		}
	}
}

// TestHistoryNeedsItsPlace: nothing is made where nothing is installed.
func TestHistoryNeedsItsPlace(t *testing.T) {
	dir := t.TempDir()
	l := Open(filepath.Join(dir, "state", "history"))
	if err := l.Append(Entry{ID: NewID(time.Now())}); !os.IsNotExist(err) && err == nil {
		t.Errorf("error %v", err)
	}
	if entries, err := l.Entries(); len(entries) > 0 || err != nil {
		t.Errorf("%v, %v", entries, err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v was made", left)
	}
}

// TestHistoryIsBounded has several writers fill the log far beyond what is kept.
func TestHistoryIsBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	var group sync.WaitGroup
	const writers, each = 4, 700
	for range writers {
		group.Go(func() {
			for range each {
				now := time.Now()
				if err := Open(dir).Append(Entry{ID: NewID(now), Began: now,
					Error: strings.Repeat("x", maxErrorBytes)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > keptLogs+1 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	kept, err := Open(dir).Entries()
	perFile := maxLogBytes / (maxErrorBytes + 200)
	if err != nil || len(kept) < 3*perFile || len(kept) > writers*each {
		t.Errorf("%d entries are kept, %v", len(kept), err)
	}
}

func TestOutput(t *testing.T) {
	l := Open(filepath.Join(t.TempDir(), "history"))
	id := NewID(time.Now())
	w, err := l.NewOutput(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"one\ntw", "o\n", "10%\r\x1b[2K50%\r100%\n", "\x1b[31mred\x1b[0m\n", "end"} {
		_, _ = w.Write([]byte(part))
	}
	_ = w.Close()
	if got, err := l.Output(id); err != nil || string(got) != "one\ntwo\n100%\nred\nend\n" {
		t.Errorf("%q, %v", got, err)
	}
	if w, err = l.NewOutput(NewID(time.Now())); err != nil {
		t.Fatal(err)
	}
	for i := range 100_000 {
		fmt.Fprintf(w, "line %d\n", i)
	}
	_ = w.Close()
	if info, err := w.file.Stat(); err == nil && info.Size() > maxOutputBytes+100 {
		t.Errorf("%d bytes", info.Size())
	}
	for range keptOutputs + 5 {
		if w, err := l.NewOutput(NewID(time.Now())); err == nil {
			_ = w.Close()
		}
	}
	if entries, _ := os.ReadDir(filepath.Join(l.dir, outputDir)); len(entries) > keptOutputs {
		t.Errorf("%d outputs are kept", len(entries))
	}
	for _, id := range []string{"", "../log", "x"} {
		if _, err := l.Output(id); err == nil {
			t.Errorf("output of %q", id)
		}
	}
}

func FuzzHistory(f *testing.F) {
	f.Add([]byte(`{"id":"20261129-142233-0a1b2c","uid":0,"result":"done"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, e := range parse(data) {
			if !validID().MatchString(e.ID) {
				t.Errorf("%+v", e)
			}
		}
	})
}

// TestTookFollowsTheClockThatIsNeverSet: a wall clock that was corrected while a command ran changes no duration, and
// records of earlier versions are read.
func TestTookFollowsTheClockThatIsNeverSet(t *testing.T) {
	l := Open(filepath.Join(t.TempDir(), "history"))
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	set, old, runs := NewID(now), NewID(now.Add(time.Second)), NewID(now.Add(2*time.Second))
	for _, e := range []Entry{
		{ID: set, Began: now, Command: "fate-installer install"},
		{ID: set, Ended: now.Add(-time.Hour), Result: Done, Seconds: 90},
		{ID: old, Began: now, Command: "fate-installer upgrade"},
		{ID: old, Ended: now.Add(time.Minute), Result: Done},
		{ID: runs, Began: now, Command: "fate-installer test toy"},
	} {
		if err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	all, err := l.Entries()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Duration{set: 90 * time.Second, old: time.Minute}
	for _, e := range all {
		if took, ended := e.Took(); took != want[e.ID] || ended != (e.ID != runs) {
			t.Errorf("%s took %v, ended %v", e.Command, took, ended)
		}
	}
}
