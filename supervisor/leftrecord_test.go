package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"fate-installer/supervisor/config"
)

// TestRecordThatCannotBeRemoved: the record of a program that was stopped and then taken out of the configuration stays
// when its removal fails. The log says so, and it is removed with a later change: a supervisor that finds it would keep
// the program stopped when it is defined again.
func TestRecordThatCannotBeRemoved(t *testing.T) {
	b := newBench(t)
	log := &lockedBuffer{}
	b.opts.Log = zerolog.New(log)
	a, other := b.child("a", "sleep", withAutostart), b.child("other", "sleep", withAutostart)
	b.run(a, other)
	b.start("a", "other")
	b.stop("a")
	var broken atomic.Bool
	broken.Store(true)
	b.sup.records.fault = func(op, path string) error {
		if broken.Load() && op == "remove" && filepath.Base(path) == "a.json" {
			return syscall.EIO
		}
		return nil
	}
	b.write(other)
	if _, err := b.sup.Update(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "cannot remove the state file") ||
		!strings.Contains(text, "input/output error") || !strings.Contains(text, `"program":"a"`) {
		t.Errorf("the log does not say it:\n%s", text)
	}
	record := filepath.Join(b.opts.StateDir, "a.json")
	if _, err := os.Stat(record); err != nil {
		t.Fatalf("no fault: %v", err)
	}
	broken.Store(false)
	b.stop("other")
	if _, err := os.Stat(record); !os.IsNotExist(err) {
		t.Errorf("it was not tried again: %v", err)
	}
	b.sup.Close()
	b.run(a, other)
	b.sup.Autostart()
	b.until("a", "RUNNING", func(st Status) bool { return st.State == Running })
}

func withAutostart(p *config.Program) { p.AutoStart = true }

// TestRecordOfAProgramThatIsBack: what is left of a program is not removed once the program is there again.
func TestRecordOfAProgramThatIsBack(t *testing.T) {
	s, err := openRecords(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	broken := true
	s.fault = func(op, path string) error {
		if broken && op == "remove" && filepath.Base(path) == "a.json" {
			return syscall.EIO
		}
		return nil
	}
	save := func(name string) {
		t.Helper()
		if err := s.save(&record{Name: name, Boot: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	save("a")
	if err := s.remove("a"); !errors.Is(err, syscall.EIO) {
		t.Errorf("%v", err)
	}
	save("c")
	if err := s.remove("c"); err != nil {
		t.Errorf("it is removed, and the error is of another one: %v", err)
	}
	save("a")
	broken = false
	save("b")
	if records, err := s.load("x"); err != nil || records["a"] == nil || records["b"] == nil {
		t.Errorf("%v, %v", records, err)
	}
	if err := errors.Join(s.remove("b"), s.remove("b"), s.remove("never")); err != nil {
		t.Errorf("what is not there is removed: %v", err)
	}
}

// TestHalfWrittenRecord: a record that cannot be put in its place leaves the former one, and nothing next to it.
func TestHalfWrittenRecord(t *testing.T) {
	for _, failing := range []string{"write", "rename"} {
		s, err := openRecords(filepath.Join(t.TempDir(), "state"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.save(&record{Name: "a", Boot: "x", Restarts: 1}); err != nil {
			t.Fatal(err)
		}
		s.fault = func(op, _ string) error {
			if op == failing {
				return syscall.ENOSPC
			}
			return nil
		}
		if err := s.save(&record{Name: "a", Boot: "x", Restarts: 2}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v", failing, err)
		}
		entries, err := os.ReadDir(s.dir)
		records, loadErr := s.load("x")
		if err != nil || loadErr != nil || len(entries) != 1 || records["a"] == nil || records["a"].Restarts != 1 {
			t.Errorf("%s: %v, %v, %v, %v", failing, entries, records["a"], err, loadErr)
		}
	}
}
