package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

func TestStartStop(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "say hello;sleep"))
	b.start("a")
	st := b.status("a")
	if st.State != Running || !st.Ready || !isAlive(st.PID) {
		t.Fatalf("after start: %+v", st)
	}
	b.untilLog("a", "hello")
	b.stop("a")
	if got := b.status("a"); got.State != Stopped || got.PID != 0 || isAlive(st.PID) {
		t.Fatalf("after stop: %+v", got)
	}
	if e := b.status("a").Exit; e == nil || !e.Known || e.Signal != "SIGTERM" || !e.Expected {
		t.Errorf("exit is %+v", e)
	}
}

func TestStartSecsBeforeRunning(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(b.child("a", "for "+gate+";exit 3", func(p *config.Program) { p.StartSecs, p.StartRetries = 4000, 0 }))
	if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	b.until("a", "STARTING", func(st Status) bool { return st.State == Starting })
	touch(gate)
	st := b.until("a", "FATAL", func(st Status) bool { return st.State == Fatal })
	if st.Exit.Code != 3 || st.Failures != 1 {
		t.Errorf("%+v", st)
	}
}

func TestRestartAfterCrash(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "sleep", func(p *config.Program) { p.AutoRestart = "true" }))
	b.start("a")
	first := b.status("a").PID
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	st := b.until("a", "running again", func(st Status) bool {
		return st.State == Running &&
			st.PID != first && st.PID != 0
	})
	if st.Restarts != 1 || st.Exit == nil || st.Exit.Signal != "SIGKILL" {
		t.Errorf("%+v", st)
	}
}

func TestFatalKeepsLastLines(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "say first;complain the disk is on fire;exit 1",
		func(p *config.Program) { p.StartSecs = 1000; p.StartRetries = 2 }))
	err := b.sup.Start(testContext(t), []string{"a"}, true)
	var failed *FailedError
	if !errors.As(err, &failed) || failed.Status.State != Fatal {
		t.Fatalf("Start: %v", err)
	}
	st := b.status("a")
	if st.Failures != 3 || strings.Join(st.LastLog, "|") != "first|the disk is on fire" ||
		!strings.Contains(st.Why, "exited with status 1") {
		t.Errorf("%+v", st)
	}
}

// TestOwnLogs: the reason of a failure may be in a log that the program writes by itself, and only what this run wrote
// there counts.
func TestOwnLogs(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		logs   []string // patterns, in the bench's directory
		want   string
		file   string
		advice string
	}{
		"only there": {"echo 'Unknown character set' >>own.log", []string{"own.log"}, "Unknown character set",
			"own.log", "its last lines say why"},
		"in both": {"echo printed; echo 'the reason' >>own.log", []string{"own.log"},
			"printed|==> own.log <==|the reason", "", "its last lines say why"},
		"the same": {"echo reason; echo reason >>own.log", []string{"own.log"}, "reason", "",
			"its last lines say why"},
		"nothing new": {"true", []string{"own.log"}, "", "", "it wrote nothing into"},
		"missing":     {"true", []string{"none.log"}, "", "", "none.log"},
		"one for a day": {"mkdir -p 1 2; echo old >1/error.log; touch -d '2 hours ago' 1/error.log; echo new " +
			">2/error.log", []string{"*/error.log"}, "new", "2/error.log", "its last lines"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if err := os.WriteFile(filepath.Join(b.dir, "own.log"), []byte("[ERROR] of an earlier run\n"),
				0o600); err != nil {
				t.Fatal(err)
			}
			b.run(b.child("a", "", func(p *config.Program) {
				p.Command, p.Directory = []string{"/bin/sh", "-c", test.script + "; exit 1"}, b.dir
				p.StartSecs, p.StartRetries = 1000, 0
				for _, pattern := range test.logs {
					p.LogFiles = append(p.LogFiles, filepath.Join(b.dir, pattern))
				}
			}))
			var failed *FailedError
			if err := b.sup.Start(testContext(t), []string{"a"}, true); !errors.As(err, &failed) {
				t.Fatalf("Start: %v", err)
			}
			st := b.status("a")
			inDir := strings.NewReplacer(b.dir+"/", "")
			if got := inDir.Replace(strings.Join(st.LastLog, "|")); got != test.want ||
				inDir.Replace(st.LastFile) != test.file {
				t.Errorf("last lines %q of %q, want %q of %q", got, st.LastFile, test.want, test.file)
			}
			chain, err := b.sup.Why("a")
			if err != nil || len(chain) != 1 || !strings.Contains(chain[0].Advice, test.advice) {
				t.Fatalf("%+v, %v", chain, err)
			}
			if test.file != "" && inDir.Replace(chain[0].LogFile) != test.file {
				t.Errorf("why names %s", chain[0].LogFile)
			}
		})
	}
}

func TestExitedAsExpected(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(b.child("a", "for "+gate+";exit 2", func(p *config.Program) { p.ExitCodes = []int{0, 2} }))
	b.start("a")
	touch(gate)
	b.until("a", "EXITED", func(st Status) bool { return st.State == Exited && st.Exit.Expected })
}

func TestIgnoresTerm(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "ignore;say deaf;fork-stubborn;sleep", func(p *config.Program) { p.StopWaitSecs = 2 }))
	b.start("a")
	b.untilLog("a", "forked")
	pid := b.status("a").PID
	var grandchild int
	fmt.Sscanf(b.log("a")[strings.Index(b.log("a"), "forked "):], "forked %d", &grandchild)
	b.stop("a")
	if isAlive(pid) || isAlive(grandchild) {
		t.Errorf("after stop: program alive %v, what it forked alive %v", isAlive(pid), isAlive(grandchild))
	}
}

func TestCrashTakesLeftoversAlong(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(b.child("a", "fork-stubborn;for "+gate+";exit 0"))
	b.start("a")
	b.untilLog("a", "forked")
	grandchild, _ := strconv.Atoi(strings.Fields(b.log("a"))[1])
	touch(gate)
	b.until("a", "EXITED", func(st Status) bool { return st.State == Exited })
	if isAlive(grandchild) {
		t.Error("what it forked outlives it")
	}
}

// TestNoLeaks starts and stops programs and expects the goroutines, descriptors and children of before.
func TestNoLeaks(t *testing.T) {
	goroutines, fds := runtime.NumGoroutine(), countFDs(t)
	t.Run("work", func(t *testing.T) {
		b := newBench(t)
		var programs []config.Program
		var names []string
		for i := range 20 {
			p := b.child(fmt.Sprintf("p%02d", i), "say up;sleep", func(p *config.Program) { p.ReadyLog = "up" })
			programs, names = append(programs, p), append(names, p.Name)
		}
		b.run(programs...)
		for range 2 {
			b.start(names...)
			b.stop(names...)
		}
	})
	for _, pid := range ownChildren() {
		if st, err := process.ReadStat(pid); err == nil {
			t.Errorf("a child is left: %+v", st)
		}
	}
	deadline := time.Now().Add(60 * time.Second)
	for runtime.NumGoroutine() > goroutines && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", n, goroutines, buf[:runtime.Stack(buf, true)])
	}
	if n := countFDs(t); n > fds+1 { // the runtime's poller may have come into being
		t.Errorf("%d descriptors, %d before", n, fds)
	}
}

func countFDs(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
