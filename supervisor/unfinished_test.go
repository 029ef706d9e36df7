package supervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

// slowStop is far more than any of these tests takes: what is being stopped stays so until the test ends it. The
// daemon's seconds are whole ones, and those of a supervisor in this process are hundredths.
const slowStop = 60

// lingering is a program that ends only when endStop is called.
func (b *bench) lingering(name string, stopWait int, change ...func(*config.Program)) config.Program {
	return b.child(name, "linger "+b.endFile()+";say up;sleep", append(change, func(p *config.Program) {
		p.StopWaitSecs, p.ReadyLog = stopWait, "up"
	})...)
}

func (b *bench) endFile() string { return filepath.Join(b.dir, "end") }

// endStop ends the programs that linger, and lets those that are started later end at once.
func (b *bench) endStop() { touch(b.endFile()) }

// slowPair is a program that lingers, and one that depends on it.
func (b *bench) slowPair(stopWait int) []config.Program {
	return []config.Program{
		b.lingering("db", stopWait),
		b.child("flow", "sleep", func(p *config.Program) { p.DependsOn = []string{"db"} }),
	}
}

// slowDependant is a program, and one that depends on it and lingers.
func (b *bench) slowDependant() []config.Program {
	return []config.Program{
		b.child("base", "sleep"),
		b.lingering("db", slowStop, func(p *config.Program) { p.DependsOn = []string{"base"} }),
	}
}

// killDuring starts a request, waits until db is being stopped and kills the daemon. The next one takes it over so.
func (d *testDaemon) killDuring(request string) {
	d.b.t.Helper()
	go func() { _, _ = d.try(request) }()
	d.untilStopping()
	d.stop(syscall.SIGKILL)
	d.up()
	d.until("db", "taken over", func(s brief) bool { return s.adopted })
	d.b.endStop()
}

func (d *testDaemon) untilStopping() {
	d.b.t.Helper()
	d.until("db", "STOPPING", func(s brief) bool { return s.state == Stopping })
}

// TestRestartIsFinishedAfterAKill kills the daemon while it restarts a program with its dependant. The next one brings
// both back, each with a new process.
func TestRestartIsFinishedAfterAKill(t *testing.T) {
	for _, request := range []string{"restart db", "reload", "again"} {
		t.Run(request, func(t *testing.T) {
			b := newBench(t)
			programs := b.slowPair(slowStop)
			b.write(programs...)
			d := startDaemon(b)
			db, flow := d.until("db", "ready", isReady), d.until("flow", "ready", isReady)
			for i := range programs {
				programs[i].Environment["CHANGED"] = "1" // of no concern to a plain restart
			}
			b.write(programs...)
			d.killDuring(request)
			d.until("db", "ready with a new process", func(s brief) bool { return isReady(s) && s.pid != db.pid })
			d.until("flow", "ready with a new process", func(s brief) bool { return isReady(s) && s.pid != flow.pid })
		})
	}
}

// TestRestartIsFinishedWhereTheProcessEnded is the same when the process ends while no daemon runs.
func TestRestartIsFinishedWhereTheProcessEnded(t *testing.T) {
	b := newBench(t)
	b.write(b.slowPair(slowStop)...)
	d := startDaemon(b)
	db := d.until("db", "ready", isReady)
	go func() { _, _ = d.try("restart db") }()
	d.untilStopping()
	d.stop(syscall.SIGKILL)
	_ = syscall.Kill(db.pid, syscall.SIGKILL)
	b.endStop()
	d.up()
	d.until("db", "ready with a new process", func(s brief) bool { return isReady(s) && s.pid != db.pid })
	d.until("flow", "ready", isReady)
}

// TestRestartBeginsAgainAfterAKill kills the daemon while the dependant stops: db has not got its stop signal.
func TestRestartBeginsAgainAfterAKill(t *testing.T) {
	b := newBench(t)
	b.write(b.slowDependant()...)
	d := startDaemon(b)
	base, db := d.until("base", "ready", isReady), d.until("db", "ready", isReady)
	d.killDuring("restart base")
	d.until("base", "ready with a new process", func(s brief) bool { return isReady(s) && s.pid != base.pid })
	d.until("db", "ready with a new process", func(s brief) bool { return isReady(s) && s.pid != db.pid })
}

// TestStopIsFinishedAfterAKill kills the daemon while the first of two programs stops: the next one stops the second.
func TestStopIsFinishedAfterAKill(t *testing.T) {
	b := newBench(t)
	b.write(b.slowDependant()...)
	d := startDaemon(b)
	d.until("base", "ready", isReady)
	d.until("db", "ready", isReady)
	d.killDuring("stop base db")
	for _, name := range []string{"db", "base"} {
		d.until(name, "STOPPED", func(s brief) bool { return s.state == Stopped })
	}
}

// TestShutdownKilledHalfway kills the daemon while it stops everything for good: that they were stopped says nothing of
// what the next daemon is to start.
func TestShutdownKilledHalfway(t *testing.T) {
	b := newBench(t)
	b.write(b.slowPair(slowStop)...)
	d := startDaemon(b)
	db := d.until("db", "ready", isReady)
	d.until("flow", "ready", isReady)
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	d.untilStopping()
	d.stop(syscall.SIGKILL)
	_ = syscall.Kill(db.pid, syscall.SIGKILL)
	b.endStop()
	d.up()
	d.until("db", "ready", isReady)
	d.until("flow", "ready", isReady)
}

// TestRequestOutlivesItsClient gives up waiting for a restart, and for a stop of two programs: both go on.
func TestRequestOutlivesItsClient(t *testing.T) {
	b := newBench(t)
	b.run(b.slowPair(100 * slowStop)...)
	b.start("db", "flow")
	pid := b.status("db").PID
	giveUp := func(request func(ctx context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithCancel(testContext(t))
		done := make(chan error, 1)
		go func() { done <- request(ctx) }()
		b.until("db", "STOPPING", func(st Status) bool { return st.State == Stopping })
		cancel()
		if err := <-done; err == nil {
			t.Error("the request does not say that it has not been waited for")
		}
	}
	giveUp(func(ctx context.Context) error { return b.sup.Restart(ctx, []string{"db"}, true, true) })
	b.endStop()
	b.until("db", "ready again", func(st Status) bool { return st.Ready && st.PID != pid })
	b.until("flow", "ready again", func(st Status) bool { return st.Ready })
	must(t, os.Remove(b.endFile()))
	giveUp(func(ctx context.Context) error {
		_, err := b.sup.Update(ctx)
		if err == nil {
			err = b.sup.Stop(ctx, []string{"db", "flow"}, true)
		}
		return err
	})
	b.endStop()
	b.until("db", "STOPPED", func(st Status) bool { return st.State == Stopped })
}

// TestLastRequestWins has a stop come while a restart goes on, and a start while a stop does.
func TestLastRequestWins(t *testing.T) {
	b := newBench(t)
	b.run(b.slowPair(100 * slowStop)...)
	b.start("db", "flow")
	done := make(chan error, 1)
	stopping := func(st Status) bool { return st.State == Stopping }
	go func() { done <- b.sup.Restart(testContext(t), []string{"db"}, false, true) }()
	b.until("db", "STOPPING", stopping)
	must(t, b.sup.Stop(testContext(t), []string{"db"}, false))
	b.endStop()
	if err := <-done; err == nil {
		t.Error("a restart that was overtaken by a stop is reported as done")
	}
	b.until("db", "STOPPED", func(st Status) bool { return st.State == Stopped })
	must(t, os.Remove(b.endFile()))
	b.start("db")
	pid := b.status("db").PID
	go func() { done <- b.sup.Stop(testContext(t), []string{"db"}, true) }()
	b.until("db", "STOPPING", stopping)
	must(t, b.sup.Start(testContext(t), []string{"db"}, false))
	b.endStop()
	if err := <-done; err == nil {
		t.Error("a stop that was overtaken by a start is reported as done")
	}
	b.until("db", "ready", func(st Status) bool { return st.Ready && st.PID != pid })
}

// TestRecordsOfOlderVersions takes over a program whose record has no word of unfinished requests.
func TestRecordsOfOlderVersions(t *testing.T) {
	b := newBench(t)
	boot, err := process.BootID()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(b.opts.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"version":1,"name":"a","boot":%q,"state":"STOPPED","since":%q}`, boot,
		time.Now().Format(time.RFC3339))
	if err := os.WriteFile(filepath.Join(b.opts.StateDir, "a.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.run(b.child("a", "sleep"))
	b.sup.Autostart()
	b.start()
	if st := b.status("a"); st.State != Stopped {
		t.Errorf("%+v", st)
	}
}
