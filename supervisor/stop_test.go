package supervisor

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/supervisor/config"
)

// TestStopSignalIsRepeated stops a program that loses its first stop signal, as mysqld does while it comes up: with one
// signal only, it would be killed after stopwaitsecs instead of ending well.
func TestStopSignalIsRepeated(t *testing.T) {
	b := newBench(t)
	gate, addr := filepath.Join(b.dir, "gate"), freeAddr(t)
	b.run(b.child("a", "lose;say deaf;for "+gate+";heed;sleep", func(p *config.Program) {
		p.ReadyTCP, p.StopWaitSecs = addr, 10_000
	}))
	if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	b.untilLog("a", "deaf")
	if err := b.sup.Stop(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	b.until("a", "STOPPING", func(st Status) bool { return st.State == Stopping })
	touch(gate)
	st := b.until("a", "STOPPED", func(st Status) bool { return st.State == Stopped })
	if st.Exit == nil || st.Exit.Signal != "SIGTERM" {
		t.Errorf("it ended by %+v", st.Exit)
	}
}

// TestStopWhileStarting stops a program that does not end while it starts: it has stopwaitsecs_starting seconds. Once
// it was ready it has stopwaitsecs, also when the supervisor has been replaced during the stop.
func TestStopWhileStarting(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(b.child("a", "ignore;say deaf;sleep", func(p *config.Program) {
		p.ReadyExec, p.ReadyLog = []string{"/usr/bin/test", "-e", gate}, "deaf"
		p.StopWaitSecs, p.StopWaitStarting = 10_000, 1
	}))
	start := func() {
		t.Helper()
		if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
			t.Fatal(err)
		}
		b.until("a", "up", func(st Status) bool { return st.PID != 0 })
	}
	start()
	b.untilLog("a", "deaf")
	b.stop("a")
	if st := b.status("a"); st.Exit == nil || st.Exit.Signal != "SIGKILL" {
		t.Fatalf("it ended by %+v", st.Exit)
	}
	touch(gate)
	start()
	b.until("a", "ready", func(st Status) bool { return st.Ready })
	if err := b.sup.Stop(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	b.until("a", "STOPPING", func(st Status) bool { return st.State == Stopping })
	b.sup.Close()
	b.open()
	s := b.sup.service("a")
	s.mu.Lock()
	left := time.Until(s.run.deadline)
	s.mu.Unlock()
	if st := b.status("a"); st.State != Stopping || left < b.sup.seconds(5_000) {
		t.Errorf("it is %s and has %v to end", st.State, left)
	}
	_ = b.sup.Signal("a", syscall.SIGKILL)
	b.until("a", "STOPPED", func(st Status) bool { return st.State == Stopped })
}

// counting is a program that counts the stop signals it gets, and has more time to end than any test takes.
func (b *bench) counting() config.Program {
	return b.child("a", "count;say counting;sleep", func(p *config.Program) {
		p.ReadyLog, p.StopWaitSecs = "counting", 10_000
	})
}

// wantSignals waits for a number of stop signals, then for as long as further ones would take, and ends the program.
func (b *bench) wantSignals(n int) {
	b.t.Helper()
	b.untilLog("a", strings.Repeat("term\n", n))
	time.Sleep(10 * b.sup.seconds(stopAgainAfter))
	_ = b.sup.Signal("a", syscall.SIGKILL)
	b.until("a", "STOPPED", func(st Status) bool { return st.State == Stopped })
	if got := strings.Count(b.log("a"), "term\n"); got != n {
		b.t.Errorf("it got %d signals, want %d; its log:\n%s", got, n, b.log("a"))
	}
}

// TestStopSignalIsNotRepeated sends a ready program one stop signal: some take a second for an order to drop
// everything.
func TestStopSignalIsNotRepeated(t *testing.T) {
	b := newBench(t)
	b.run(b.counting())
	b.start("a")
	must(t, b.sup.Stop(testContext(t), []string{"a"}, false))
	b.wantSignals(1)
}

// TestAdoptedStopSignalIsNotRepeated: of a supervisor that is replaced during a stop, the next one sends the signal
// once, too: it cannot know whether the former one has.
func TestAdoptedStopSignalIsNotRepeated(t *testing.T) {
	b := newBench(t)
	b.run(b.counting())
	b.start("a")
	must(t, b.sup.Stop(testContext(t), []string{"a"}, false))
	b.untilLog("a", "term")
	b.sup.Close()
	b.open()
	b.wantSignals(2)
}

// TestRestartWhileADependantRestarts: a program's restart is complete although that of a dependant, which starts what
// it depends on, asked for it before it was down.
func TestRestartWhileADependantRestarts(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "ignore;say deaf;sleep", func(p *config.Program) {
		p.ReadyLog,
			p.StopWaitSecs = "deaf", 10_000
	}),
		b.child("b", "say up;sleep", func(p *config.Program) { p.ReadyLog, p.DependsOn = "up", []string{"a"} }))
	b.start("a", "b")
	before := b.status("a").PID
	done := make(chan error, 1)
	go func() { done <- b.sup.Restart(testContext(t), []string{"a"}, false, true) }()
	b.until("a", "STOPPING", func(st Status) bool { return st.State == Stopping })
	if err := b.sup.Restart(testContext(t), []string{"b"}, false, false); err != nil {
		t.Fatal(err)
	}
	b.until("a", "to be started again", func(st Status) bool { return st.State == Stopping && st.Wanted })
	if err := b.sup.Signal("a", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the restart: %v", err)
	}
	if st := b.status("a"); !st.Ready || st.PID == before {
		t.Errorf("it is %+v, and had the process %d", st, before)
	}
	if err := b.sup.Stop(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	b.until("a", "STOPPING", func(st Status) bool { return st.State == Stopping })
	_ = b.sup.Signal("a", syscall.SIGKILL)
	b.until("a", "STOPPED", func(st Status) bool { return st.State == Stopped })
}
