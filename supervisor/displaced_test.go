package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/config"
)

// TestLogThatLosesItsName removes, renames and replaces the log of a program that writes on. The path has its lines
// again, the status says so, and a restart ends it.
func TestLogThatLosesItsName(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"removed": os.Remove,
		"renamed": func(path string) error { return os.Rename(path, path+"-20300101") },
		"replaced": func(path string) error {
			if err := os.Rename(path, path+"-20300101"); err != nil {
				return err
			}
			return os.WriteFile(path, nil, 0o640)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			at := func(name string) string { return filepath.Join(b.dir, name) }
			b.run(b.child("a", fmt.Sprintf("say one;for %s;say two;flood 4000;for %s;say three;sleep",
				at("go"), at("on")),
				func(p *config.Program) { p.StdoutLogfileMaxBytes, p.StdoutLogfileBackups = 20_000, 2 }))
			b.start("a")
			b.untilLog("a", "one")
			path := at("a.log")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			was := beneath.IDOf(info)
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			st := b.until("a", "noted", func(st Status) bool { return len(st.Notes) > 0 })
			touch(at("go"))
			if !st.Ready || !strings.HasPrefix(st.Notes[0], path+" was re") {
				t.Errorf("%+v", st)
			}
			b.untilLog("a", "of a log that fills")
			if _, err := b.sup.OpenLog("a", "stdout"); err != nil {
				t.Error(err)
			}
			b.until("a", "bounded", func(Status) bool { // the file that it holds is cut, and the rotated path, too
				held, err := os.Stat(fmt.Sprintf("/proc/%d/fd/1", b.status("a").PID))
				return err == nil && beneath.IDOf(held) == was && held.Size() < 1000 && fileSize(path) <= 20_000
			})
			touch(at("on"))
			b.untilLog("a", "three")
			if name != "removed" {
				data, err := os.ReadFile(path + "-20300101")
				if err != nil || !strings.HasPrefix(string(data), "one\n") {
					t.Errorf("the renamed file has %.100q, %v", data, err)
				}
			}
			b.stop("a")
			if st := b.status("a"); len(st.Notes) > 0 {
				t.Errorf("%+v", st)
			}
			b.start("a")
			b.until("a", "without a note", func(st Status) bool { return len(st.Notes) == 0 && fileSize(path) >= 0 })
		})
	}
}

// TestLogThatCannotBeMadeAgain: the directory is gone, too. What the program holds stays bounded.
func TestLogThatCannotBeMadeAgain(t *testing.T) {
	b := newBench(t)
	dir := filepath.Join(b.dir, "logs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	goOn := filepath.Join(b.dir, "go")
	b.run(b.child("a", "say one;for "+goOn+";flood 4000;sleep", func(p *config.Program) {
		p.StdoutLogfile = filepath.Join(dir, "a.log")
		p.StdoutLogfileMaxBytes = 20_000
	}))
	b.start("a")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	touch(goOn)
	st := b.until("a", "noted", func(st Status) bool { return len(st.Notes) > 0 })
	if !st.Ready || !strings.Contains(st.Notes[0], "cannot be made again") {
		t.Errorf("%+v", st)
	}
	b.until("a", "bounded", func(Status) bool {
		held, err := os.Stat(fmt.Sprintf("/proc/%d/fd/1", st.PID))
		return err == nil && held.Size() > 100 && held.Size() < 20_000
	})
}

// TestOwnLogRemoved: a log that the program opened by itself cannot be given a name again, and is named.
func TestOwnLogRemoved(t *testing.T) {
	b := newBench(t)
	own := filepath.Join(b.dir, "own.log")
	b.run(b.child("a", "open "+own+";say open;sleep",
		func(p *config.Program) { p.LogFiles = []string{filepath.Join(b.dir, "own*.log")} }))
	b.start("a")
	b.untilLog("a", "open")
	must(t, os.Remove(own))
	st := b.until("a", "noted", func(st Status) bool { return len(st.Notes) > 0 })
	if !st.Ready || !strings.HasPrefix(st.Notes[0], own+" was removed") {
		t.Errorf("%+v", st)
	}
}
