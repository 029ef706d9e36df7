package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
	if findCgroups("test") == nil {
		t.Skip("control groups cannot be made here")
	}
	b := newBench(t)
	b.opts.NoCgroups = false
	b.run(b.child("a", "escape;sleep", func(p *Program) { p.AutoRestart = "true" }))
	b.start("a")
	b.untilLog("a", "forked ")
	deadline := time.Now().Add(20 * time.Second)
	for strings.Count(b.log("a"), "forked ") < 2 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	group := b.sup.service("a").run.proc.cgroup
	if group == nil {
		t.Fatal("the program has no control group")
	}
	runaways := group.pids()
	if len(runaways) < 2 {
		t.Fatalf("the group holds only %v", runaways)
	}
	b.stop("a")
	for _, pid := range runaways {
		if isAlive(pid) {
			t.Errorf("pid %d outlives its program", pid)
		}
	}
	if err := b.sup.Shutdown(testContext(t)); err != nil || exists(group.dir) {
		t.Errorf("the control group was not removed: %v", err)
	}
}

// TestEscapeWithoutCgroup does the same with nothing but the parent of orphans and the marker, in a real daemon.
func TestEscapeWithoutCgroup(t *testing.T) {
	b := newBench(t)
	b.write(b.child("a", "escape;sleep"))
	d := startDaemon(b)
	d.until("a", "ready", isReady)
	deadline := time.Now().Add(20 * time.Second)
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
		st, _ := readStat(live[0])
		data, _ := os.ReadFile(filepath.Join(b.dir, "daemon.log"))
		t.Errorf("after the stop these live: %v %+v daemon %d\n%s\n%s", live, st, d.cmd.Process.Pid, b.log("a"), data)
	}
}

func TestCgroupCandidates(t *testing.T) {
	own := "12:freezer:/a\n3:cpu,cpuacct:/b\n0::/system.slice/fate-supervisor.service\n2:x:/../..\n"
	found := cgroupCandidates(own)
	if len(found) == 0 || found[0].base != "/sys/fs/cgroup/freezer/a" || !found[0].v1 {
		t.Errorf("%+v", found)
	}
	if got := ownCgroup("/s/fate-supervisor.service/fate-0a1b.prog-x"); got != "/s/fate-supervisor.service" {
		t.Errorf("a daemon in a program's group would nest: %s", got)
	}
	if openCgroup("/etc") != nil || openCgroup("/sys/fs/cgroup/../../../etc") != nil || openCgroup("") != nil {
		t.Error("a directory outside the hierarchy was taken for a group")
	}
}

func TestClosesItsOutput(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "say x;close;sleep"))
	b.start("a")
	b.stop("a")
}

func TestLosesItsExecutable(t *testing.T) {
	b := newBench(t)
	exe := openTestBinary(t)
	b.run(b.child("a", "sleep", func(p *Program) { p.Command[0] = exe; p.AutoRestart = "true"; p.StartRetries = 1 }))
	b.start("a")
	pid := b.status("a").PID
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	st := b.until("a", "FATAL", func(st Status) bool { return st.State == Fatal })
	if !strings.Contains(st.Why, "cannot find the program "+exe) {
		t.Errorf("%+v", st)
	}
}

// TestDiesWhileStopping kills a program that ignores its stop signal while the stop goes on.
func TestDiesWhileStopping(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "ignore;say deaf;sleep", func(p *Program) { p.StopWaitSecs = 10_000; p.AutoRestart = "true"; p.ReadyLog = "deaf" }))
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
	b.run(b.child("a", "fork;sleep", func(p *Program) { p.StopAsGroup = true }))
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
	b.run(b.child("a", "fork;sleep", func(p *Program) { p.KillAsGroup = false }))
	b.start("a")
	pid := b.forkedPID("a")
	b.stop("a")
	if !isAlive(pid) {
		t.Error("the child was killed")
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// TestLiveness restarts a program that lives but no longer answers.
func TestLiveness(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "alive")
	touch(gate)
	b.run(b.child("a", "sleep", func(p *Program) {
		p.LivenessExec = []string{"/usr/bin/test", "-e", gate}
		p.LivenessInterval, p.LivenessTimeout, p.LivenessThreshold = 5*time.Millisecond, 5*time.Second, 2
	}))
	b.start("a")
	first := b.status("a").PID
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	b.until("a", "restarted", func(st Status) bool { return st.PID != first && st.PID != 0 && st.Restarts > 0 })
	touch(gate)
}

// TestLivenessOfAListener restarts a program that lost its readiness and still listens.
func TestLivenessOfAListener(t *testing.T) {
	b := newBench(t)
	gate, alive, addr := filepath.Join(b.dir, "gate"), filepath.Join(b.dir, "alive"), freeAddr(t)
	touch(gate)
	touch(alive)
	b.run(b.child("a", "listen "+addr+";sleep", func(p *Program) {
		p.ReadyTCP, p.DependantsAfter, p.ReadyInterval = addr, DependantsListening, time.Millisecond
		p.ReadyExec, p.LivenessExec = []string{"/usr/bin/test", "-e", gate}, []string{"/usr/bin/test", "-e", alive}
		p.LivenessInterval, p.LivenessTimeout, p.LivenessThreshold = 5*time.Millisecond, 5*time.Second, 2
	}))
	b.start("a")
	first := b.status("a").PID
	remove := func(file string) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	remove(gate)
	if st := b.until("a", "unready", func(st Status) bool { return !st.Ready }); st.PID != first || !st.Serving {
		t.Fatalf("it does not listen any more: %+v", st)
	}
	remove(alive)
	b.until("a", "restarted", func(st Status) bool { return st.PID != first && st.PID != 0 && st.Restarts > 0 })
	touch(alive)
	touch(gate)
	b.until("a", "ready", func(st Status) bool { return st.Ready })
}

func TestLivenessStops(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "sleep", func(p *Program) {
		p.LivenessExec, p.LivenessAction = []string{"/bin/false"}, "stop"
		p.LivenessInterval, p.LivenessTimeout, p.LivenessThreshold = 5*time.Millisecond, 5*time.Second, 1
	}))
	if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	st := b.until("a", "STOPPED", func(st Status) bool { return st.State == Stopped && st.Exit != nil })
	if !strings.Contains(st.Probe, "liveness: exited with status 1") {
		t.Errorf("%+v", st)
	}
}

// TestReadinessIsLost takes readiness away from a program that no longer answers, and gives it back.
func TestReadinessIsLost(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "answers")
	touch(gate)
	b.run(b.child("a", "sleep", func(p *Program) {
		p.ReadyExec, p.ReadyInterval = []string{"/usr/bin/test", "-e", gate}, time.Millisecond
	}))
	b.start("a")
	pid := b.status("a").PID
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	b.until("a", "not ready", func(st Status) bool { return !st.Ready && st.State == Running })
	touch(gate)
	if st := b.until("a", "ready again", func(st Status) bool { return st.Ready }); st.PID != pid {
		t.Error("it was restarted")
	}
}

// TestClockJump adopts a program whose record says it was started in the future, as after the clock was set back.
func TestClockJump(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "sleep", func(p *Program) { p.StartSecs = 1 }))
	b.start("a")
	pid := b.status("a").PID
	r := b.sup.service("a").record()
	b.sup.Close()
	r.Started, r.Since = time.Now().Add(100*24*time.Hour), time.Now().Add(100*24*time.Hour)
	if err := b.sup.records.save(r); err != nil {
		t.Fatal(err)
	}
	b.open()
	st := b.until("a", "ready", func(st Status) bool { return st.Ready })
	if st.PID != pid || time.Since(st.Started) < 0 || time.Since(st.Started) > time.Minute {
		t.Errorf("%+v", st)
	}
}

// TestDamagedRecords starts in a state directory full of rubbish.
func TestDamagedRecords(t *testing.T) {
	b := newBench(t)
	state := b.opts.StateDir
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	boot, _ := bootID()
	for name, text := range map[string]string{
		"a.json": "{", "b.json": "", "c.json": `{"version":99,"name":"c","boot":"` + boot + `"}`,
		"d.json": `{"version":1,"name":"other","boot":"` + boot + `"}`, "e.txt": "x",
		"init.json": `{"version":1,"name":"init","boot":"` + boot + `","state":"RUNNING","identity":{"pid":1,"boot":"` + boot + `"}}`,
		"f.json":    `{"version":1,"name":"f","boot":"another boot","identity":{"pid":` + strconv.Itoa(os.Getpid()) + `}}`,
	} {
		if err := os.WriteFile(filepath.Join(state, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.run(b.child("a", "sleep"))
	b.start("a")
}

// TestThousandPrograms starts, probes and stops very many programs and expects nothing of them to be left.
func TestThousandPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	goroutines, fds := runtime.NumGoroutine(), countFDs(t)
	t.Run("work", func(t *testing.T) {
		b := newBench(t)
		b.opts.Log = b.opts.Log.Level(-1)
		var programs []Program
		var names []string
		for i := range 1000 {
			p := NewProgram(fmt.Sprintf("p%03d", i), "/bin/sh", "-c", "echo up; exec sleep 100000")
			p.StdoutLogfile, p.RedirectStderr, p.ReadyLog = filepath.Join(b.dir, p.Name+".log"), true, "up"
			programs, names = append(programs, p), append(names, p.Name)
		}
		b.run(programs...)
		b.start(names...)
		if n := len(ownChildren()); n != 1000 {
			t.Errorf("%d children", n)
		}
		b.stop(names...)
	})
	if left := ownChildren(); len(left) > 0 {
		t.Errorf("%d children are left", len(left))
	}
	deadline := time.Now().Add(20 * time.Second)
	for runtime.NumGoroutine() > goroutines && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if n := countFDs(t); n > fds+1 {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
}

// TestFullDisk runs a program whose log, and whose supervisor's state, lie on a disk that is full. It does so in a
// process with a mount namespace of its own.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if os.Getenv("FATE_TEST_FULL_DISK") == "" {
		exe, _ := os.Executable()
		cmd := exec.Command(exe, "-test.run=^TestFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), "FATE_TEST_FULL_DISK=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) {
			t.Skip("namespaces cannot be made here")
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	b := newBench(t)
	disk := filepath.Join(b.dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k")
	}
	if err != nil {
		t.Skip("cannot mount:", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	b.opts.StateDir = filepath.Join(disk, "state")
	log := filepath.Join(disk, "a.log")
	b.run(b.child("a", "flood 100000;say done;sleep", func(p *Program) {
		p.StdoutLogfile, p.StdoutLogfileMaxBytes, p.StdoutLogfileBackups = log, 64<<10, 3
	}))
	b.start("a")
	pid := b.status("a").PID
	deadline := time.Now().Add(20 * time.Second)
	for {
		var st unix.Statfs_t
		if err := unix.Statfs(disk, &st); err != nil {
			t.Fatal(err)
		}
		if st.Bfree == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the disk does not fill")
		}
		time.Sleep(time.Millisecond)
	}
	if err := b.sup.RotateLogs("a"); err != nil && !errors.Is(err, unix.ENOSPC) {
		t.Errorf("rotation: %v", err)
	}
	if n := fileSize(log); n > 128<<10 {
		t.Errorf("the log still has %d bytes", n)
	}
	if st := b.status("a"); st.State != Running || st.PID != pid {
		t.Errorf("%+v", st)
	}
	b.stop("a")
	if isAlive(pid) {
		t.Error("it lives")
	}
}

// TestWithoutPidfd waits for, and signals, a process the way kernels before 5.3 need it.
func TestWithoutPidfd(t *testing.T) {
	other, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		t.Fatal(err)
	}
	st, err := readStat(other.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{id: identity{PID: st.pid, Start: st.start}, table: &procTable{}, pidfd: -1}
	ended := make(chan struct{})
	go func() { waitEnd(testContext(t), p.id, -1); close(ended) }()
	wrong := &process{id: identity{PID: st.pid, Start: st.start + 1}, table: &procTable{}, pidfd: -1}
	if err := wrong.signal(unix.SIGKILL); !errors.Is(err, unix.ESRCH) {
		t.Errorf("a process of another start time was signalled: %v", err)
	}
	wrong.killAll()
	select {
	case <-ended:
		t.Fatal("the wait ended before the process")
	case <-time.After(3 * pollInterval):
	}
	if err := p.signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

// TestUntrustedState refuses a state directory that somebody else can write: what is in it says which processes may be
// killed.
func TestUntrustedState(t *testing.T) {
	b := newBench(t)
	b.write(b.child("a", "sleep"))
	cfg, _, err := load(filepath.Join(b.dir, "supervisord.conf"), b.opts.Environ)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(b.opts.StateDir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(b.opts.StateDir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg, b.opts); err == nil || !strings.Contains(err.Error(), "cannot trust the state directory") {
		t.Errorf("%v", err)
	}
}

// TestNothingStartsInTheEnd asks for a start while everything is being stopped.
func TestNothingStartsInTheEnd(t *testing.T) {
	b := newBench(t)
	b.run(b.child("slow", "ignore;say deaf;sleep", func(p *Program) { p.StopWaitSecs = 5; p.ReadyLog = "deaf" }), b.child("a", "sleep", func(p *Program) { p.AutoStart = false }))
	b.start("slow")
	done := make(chan error, 1)
	go func() { done <- b.sup.Shutdown(testContext(t)) }()
	b.until("slow", "STOPPING", func(st Status) bool { return st.State == Stopping || st.State == Killing || st.State == Stopped })
	if err := b.sup.Start(testContext(t), []string{"a"}, true); !errors.Is(err, ErrShutdown) {
		t.Errorf("Start: %v", err)
	}
	if err := b.sup.Restart(testContext(t), []string{"slow"}, false, true); !errors.Is(err, ErrShutdown) {
		t.Errorf("Restart: %v", err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := b.sup.Update(testContext(t)); !errors.Is(err, ErrShutdown) {
		t.Errorf("Update: %v", err)
	}
}
