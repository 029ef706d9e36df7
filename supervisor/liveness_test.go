package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fate-installer/supervisor/config"
)

// TestLiveness restarts a program that lives but no longer answers.
func TestLiveness(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "alive")
	touch(gate)
	b.run(b.child("a", "sleep", func(p *config.Program) {
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
	b.run(b.child("a", "listen "+addr+";sleep", func(p *config.Program) {
		p.ReadyTCP, p.DependantsAfter, p.ReadyInterval = addr, config.DependantsListening, time.Millisecond
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
	b.run(b.child("a", "sleep", func(p *config.Program) {
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
	b.run(b.child("a", "sleep", func(p *config.Program) {
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
