package supervisor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

// forkedPID reads what a child has said it forked.
func (b *bench) forkedPID(name string) int {
	b.t.Helper()
	b.untilLog(name, "forked ")
	_, rest, _ := strings.Cut(b.log(name), "forked ")
	pid, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.t.Fatal(err)
	}
	return pid
}

// TestEscapeWithCgroup stops a program whose grandchild has fled into a session of its own.
func TestEscapeWithCgroup(t *testing.T) {
	if process.FindCgroups("test") == nil {
		t.Skip("control groups cannot be made here")
	}
	b := newBench(t)
	b.opts.NoCgroups = false
	b.run(b.child("a", "escape;sleep", func(p *config.Program) { p.AutoRestart = "true" }))
	b.start("a")
	b.untilLog("a", "forked ")
	deadline := time.Now().Add(60 * time.Second)
	for strings.Count(b.log("a"), "forked ") < 2 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	group := b.sup.service("a").run.proc.Cgroup
	if group == nil {
		t.Fatal("the program has no control group")
	}
	runaways := group.PIDs()
	if len(runaways) < 2 {
		t.Fatalf("the group holds only %v", runaways)
	}
	b.stop("a")
	for _, pid := range runaways {
		if isAlive(pid) {
			t.Errorf("pid %d outlives its program", pid)
		}
	}
	if err := b.sup.Shutdown(testContext(t), false); err != nil || exists(group.Dir) {
		t.Errorf("the control group was not removed: %v", err)
	}
}

// TestEscapeWithoutCgroup does the same with nothing but the parent of orphans and the marker, in a real daemon.
func TestEscapeWithoutCgroup(t *testing.T) {
	b := newBench(t)
	b.write(b.child("a", "escape;sleep"))
	d := startDaemon(b)
	d.until("a", "ready", isReady)
	deadline := time.Now().Add(60 * time.Second)
	for strings.Count(b.log("a"), "forked ") < 2 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if len(b.processes("a")) < 2 {
		t.Fatalf("nothing has fled: %v", b.processes("a"))
	}
	if answer := d.ask("stop a"); answer != "ok" {
		t.Fatal(answer)
	}
	if live := b.processes("a"); len(live) > 0 {
		st, _ := process.ReadStat(live[0])
		data, _ := os.ReadFile(filepath.Join(b.dir, "daemon.log"))
		t.Errorf("after the stop these live: %v %+v daemon %d\n%s\n%s", live, st, d.cmd.Process.Pid, b.log("a"), data)
	}
}

func TestClosesItsOutput(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "say x;close;sleep"))
	b.start("a")
	b.stop("a")
}

// TestDiesWhileStopping kills a program that ignores its stop signal while the stop goes on.
func TestDiesWhileStopping(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "ignore;say deaf;sleep",
		func(p *config.Program) { p.StopWaitSecs = 10_000; p.AutoRestart = "true"; p.ReadyLog = "deaf" }))
	b.start("a")
	pid := b.status("a").PID
	done := make(chan error, 1)
	go func() { done <- b.sup.Stop(testContext(t), []string{"a"}, true) }()
	b.until("a", "STOPPING", func(st Status) bool { return st.State == Stopping })
	_ = syscall.Kill(pid, syscall.SIGKILL)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if st := b.status("a"); st.State != Stopped {
		t.Errorf("%+v", st)
	}
}

// TestStopAsGroupIsPolite lets what a program forked end by itself when the whole group was asked to.
func TestStopAsGroupIsPolite(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "fork;sleep", func(p *config.Program) { p.StopAsGroup = true }))
	b.start("a")
	pid := b.forkedPID("a")
	b.stop("a")
	if isAlive(pid) {
		t.Error("the child lives")
	}
}

// TestKillAsGroupOff leaves alone what the definition says to leave alone.
func TestKillAsGroupOff(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "fork;sleep", func(p *config.Program) { p.KillAsGroup = false }))
	b.start("a")
	pid := b.forkedPID("a")
	b.stop("a")
	if !isAlive(pid) {
		t.Error("the child was killed")
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}
