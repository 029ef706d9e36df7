package supervisor

import (
	"sync/atomic"
	"testing"
	"time"

	"fate-installer/supervisor/config"
)

// TestDurationsAreTheBootClocks: what is shown as a duration, and what decides about restarts, follows the boot clock
// alone, also after another supervisor has taken over.
func TestDurationsAreTheBootClocks(t *testing.T) {
	b := newBench(t)
	var clock atomic.Int64
	clock.Store(int64(BootClock()))
	b.opts.bootNow = func() time.Duration { return time.Duration(clock.Load()) }
	b.run(b.child("up", "sleep"), b.child("down", "sleep", func(p *config.Program) { p.AutoStart = false }))
	b.start("up", "down")
	b.stop("down")
	clock.Add(int64(50 * time.Hour))
	want := func(name string, got, least time.Duration) {
		t.Helper()
		if got < least-time.Minute || got > least+time.Hour { // start times of processes are rounded to 10 ms
			t.Errorf("%s: %v, want %v", name, got, least)
		}
	}
	up, down := b.status("up"), b.status("down")
	want("up", up.Up(), 50*time.Hour)
	want("down", down.InState(), 50*time.Hour)
	if time.Since(up.Started) > time.Hour {
		t.Errorf("the wall clock's start is %v", up.Started)
	}
	b.sup.Close()
	b.open()
	up, down = b.status("up"), b.status("down")
	want("up after a takeover", up.Up(), 50*time.Hour)
	want("down after a takeover", down.InState(), 50*time.Hour)
}

func TestBackoffFollowsTheBootClock(t *testing.T) {
	wall := time.Now()
	for _, c := range []struct {
		name         string
		up           time.Duration // by the boot clock
		started, now time.Time     // by the wall clock
		want         int
	}{
		{"short", time.Second, wall, wall.Add(time.Second), 6},
		{"long", time.Hour, wall, wall.Add(time.Hour), 1},
		{"short, and the clock was set ahead", time.Second, wall.Round(0), wall.Round(0).Add(24 * time.Hour), 6},
		{"long, and the clock was set back", time.Hour, wall.Round(0), wall.Round(0).Add(-24 * time.Hour), 1},
	} {
		s := &service{sup: &Supervisor{bootNow: BootClock}, state: Running, backoffs: 5,
			prog: config.NewProgram("a", "/bin/true")}
		s.prog.RestartDelay = time.Hour
		s.run.started, s.run.stopped = c.started, c.now
		s.run.startedBoot, s.run.stoppedBoot = time.Hour, time.Hour+c.up
		s.backOff()
		s.timer.Stop()
		if s.backoffs != c.want {
			t.Errorf("%s: %d restarts count, want %d", c.name, s.backoffs, c.want)
		}
	}
}
