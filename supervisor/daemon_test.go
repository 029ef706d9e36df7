package supervisor

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

// TestDaemonKilled kills the daemon: its programs keep their pids and go on writing, a new one takes them over, notices
// when one ends and restarts it.
func TestDaemonKilled(t *testing.T) {
	b := newBench(t)
	b.write(
		b.child("a", "say one;sleep", func(p *config.Program) { p.AutoRestart = "true"; p.ReadyLog = "one" }),
		b.child("b", "sleep", func(p *config.Program) { p.DependsOn = []string{"a"} }),
	)
	d := startDaemon(b)
	a, bb := d.until("a", "ready", isReady), d.until("b", "ready", isReady)
	d.stop(syscall.SIGKILL)
	if !isAlive(a.pid) || !isAlive(bb.pid) {
		t.Fatal("a program died with the daemon")
	}
	d.up()
	if got := d.until("a", "ready", isReady); got.pid != a.pid || !got.adopted {
		t.Errorf("a is %+v, was %+v", got, a)
	}
	if got := d.until("b", "ready", isReady); got.pid != bb.pid {
		t.Errorf("b is %+v, was %+v", got, bb)
	}
	if err := syscall.Kill(a.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	again := d.until("a", "ready again", func(s brief) bool { return isReady(s) && s.pid != a.pid })
	if again.adopted || again.restarts != 1 {
		t.Errorf("%+v", again)
	}
	if answer := d.ask("stop b"); answer != "ok" || isAlive(bb.pid) {
		t.Errorf("stopping an adopted program: %s, alive: %v", answer, isAlive(bb.pid))
	}
	d.stop(syscall.SIGTERM)
	if pids := append(b.processes("a"), b.processes("b")...); len(pids) > 0 {
		t.Errorf("after SIGTERM these live: %v", pids)
	}
}

// TestDaemonKept ends the daemon with a request to keep its programs running.
func TestDaemonKept(t *testing.T) {
	b := newBench(t)
	b.write(b.child("a", "sleep"))
	d := startDaemon(b, "FATE_TEST_KEEP=1")
	a := d.until("a", "ready", isReady)
	d.stop(syscall.SIGTERM)
	if !isAlive(a.pid) {
		t.Fatal("the program was stopped")
	}
	d.env = nil
	d.up()
	if got := d.until("a", "ready", isReady); got.pid != a.pid {
		t.Errorf("%+v, was %+v", got, a)
	}
}

// TestDaemonUpgrade executes the daemon in its own place. Programs stay its children, so their exit codes stay known.
func TestDaemonUpgrade(t *testing.T) {
	b := newBench(t)
	b.write(b.child("a", "sleep", func(p *config.Program) { p.AutoRestart = "true" }))
	d := startDaemon(b)
	a := d.until("a", "ready", isReady)
	for range 3 {
		if answer := d.ask("upgrade"); answer != "ok" {
			t.Fatal(answer)
		}
		got := d.until("a", "adopted", func(s brief) bool { return isReady(s) && s.adopted })
		if got.pid != a.pid {
			t.Fatalf("%+v, was %+v", got, a)
		}
		if err := d.cmd.Process.Signal(syscall.Signal(0)); err != nil {
			t.Fatal("the daemon has another pid")
		}
	}
	_ = syscall.Kill(a.pid, syscall.SIGKILL)
	d.until("a", "restarted", func(s brief) bool { return isReady(s) && s.pid != a.pid && s.restarts == 1 })
}

// TestDaemonSingle starts a second daemon while the first runs.
func TestDaemonSingle(t *testing.T) {
	b := newBench(t)
	b.write(b.child("a", "sleep"))
	d := startDaemon(b)
	d.until("a", "ready", isReady)
	err := Run(context.Background(), DaemonOptions{Config: filepath.Join(b.dir, "supervisord.conf"),
		Serve: serveLines, NoCgroups: true})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != d.cmd.Process.Pid {
		t.Errorf("%v", err)
	}
}

// TestProgramGoneWhileNobodyLooked lets a program end while there is no daemon.
func TestProgramGoneWhileNobodyLooked(t *testing.T) {
	b := newBench(t)
	b.write(
		b.child("restarts", "fork-stubborn;sleep", func(p *config.Program) { p.AutoRestart = "true" }),
		b.child("ends", "sleep", func(p *config.Program) { p.AutoRestart = "false" }),
		b.child("stopped", "sleep"),
	)
	d := startDaemon(b)
	r, e := d.until("restarts", "ready", isReady), d.until("ends", "ready", isReady)
	d.until("stopped", "ready", isReady)
	d.ask("stop stopped")
	b.untilLog("restarts", "forked")
	d.stop(syscall.SIGKILL)
	for _, pid := range []int{r.pid, e.pid} {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	d.up()
	d.until("restarts", "restarted", func(s brief) bool { return isReady(s) && s.pid != r.pid })
	if got := d.status("ends"); got.state != Exited {
		t.Errorf("ends is %+v", got)
	}
	if got := d.status("stopped"); got.state != Stopped {
		t.Errorf("stopped is %+v", got)
	}
	b.untilLog("restarts", "forked")
	if pids := b.processes("restarts"); len(pids) > 2 {
		t.Errorf("what the first process left behind lives: %v", pids)
	}
}

// TestRemovedWhileNobodyLooked takes a program out of the configuration while there is no daemon.
func TestRemovedWhileNobodyLooked(t *testing.T) {
	b := newBench(t)
	keep := b.child("keep", "sleep")
	b.write(keep, b.child("drop", "sleep"))
	d := startDaemon(b)
	drop := d.until("drop", "ready", isReady)
	kept := d.until("keep", "ready", isReady)
	d.stop(syscall.SIGKILL)
	b.write(keep)
	d.up()
	if got := d.until("keep", "ready", isReady); got.pid != kept.pid {
		t.Errorf("keep is %+v", got)
	}
	deadline := time.Now().Add(60 * time.Second)
	for isAlive(drop.pid) {
		if time.Now().After(deadline) {
			t.Fatal("a program that is no longer defined goes on")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestReusedPIDIsNotTouched gives the daemon a record whose pid belongs to a stranger by now.
func TestReusedPIDIsNotTouched(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "sleep", func(p *config.Program) { p.AutoStart = false }))
	b.start("a")
	stranger, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"},
		&os.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Kill(); _, _ = stranger.Wait() }()
	r := b.sup.service("a").record()
	b.stop("a")
	b.sup.Close()
	st, err := process.ReadStat(stranger.Pid)
	if err != nil {
		t.Fatal(err)
	}
	// The same pid of an earlier time, and the same pid and time of another executable: both are strangers.
	for _, start := range []uint64{st.Start - 1, st.Start} {
		r.Identity.PID, r.Identity.Start = stranger.Pid, start
		if err := b.sup.records.save(r); err != nil {
			t.Fatal(err)
		}
		sup, err := New(b.cfg, b.opts)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := sup.Status("a"); got.State.Up() {
			t.Errorf("a stranger was adopted: %+v", got)
		}
		if err := sup.Shutdown(testContext(t), false); err != nil {
			t.Error(err)
		}
		sup.Close()
		if !isAlive(stranger.Pid) {
			t.Fatal("a stranger was killed")
		}
	}
}

// TestDaemonKilledOverAndOver kills the daemon at random moments while programs are started, stopped and crash. No
// process may be lost, doubled or changed without reason.
func TestDaemonKilledOverAndOver(t *testing.T) {
	kills := 100
	if testing.Short() {
		kills = 10
	}
	b := newBench(t)
	steady := []string{"s0", "s1", "s2", "s3", "s4"}
	var programs []config.Program
	for _, name := range steady {
		programs = append(programs, b.child(name, "fork;sleep", func(p *config.Program) { p.AutoRestart = "true" }))
	}
	for _, name := range []string{"busy0", "busy1"} {
		programs = append(programs, b.child(name, "wait 30ms;exit 1", func(p *config.Program) {
			p.AutoRestart, p.RestartDelay, p.RestartDelayMax, p.StartRetries = "true", time.Millisecond,
				5*time.Millisecond, 1_000_000
		}))
	}
	programs = append(programs, b.child("toggled", "sleep"))
	b.write(programs...)
	d := startDaemon(b)
	pids := make(map[string]int)
	for _, name := range steady {
		pids[name] = d.until(name, "ready", isReady).pid
	}
	for i := range kills {
		if i%2 == 0 {
			_, _ = d.try("stop toggled")
		} else {
			go func() { _, _ = d.try("start toggled") }()
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		d.stop(syscall.SIGKILL)
		d.up()
		if i%10 != 9 {
			continue
		}
		for _, name := range steady {
			if got := d.until(name, "ready", isReady); got.pid != pids[name] {
				t.Fatalf("after %d kills %s has pid %d, had %d", i+1, name, got.pid, pids[name])
			}
			if n := len(b.processes(name)); n != 2 {
				t.Fatalf("after %d kills %s has %d processes, want it and its child", i+1, name, n)
			}
		}
	}
	d.ask("stop toggled")
	if live := b.processes("toggled"); len(live) > 0 {
		t.Errorf("toggled is stopped but lives: %v", live)
	}
	d.stop(syscall.SIGTERM)
	for _, p := range programs {
		if live := b.processes(p.Name); len(live) > 0 {
			t.Errorf("after SIGTERM %s lives: %v", p.Name, live)
		}
	}
}
