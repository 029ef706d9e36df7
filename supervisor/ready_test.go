package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fate-installer/supervisor/config"
)

// TestDependencies delays the readiness of the middle of a chain of three.
func TestDependencies(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(
		b.child("db", "say up;sleep", func(p *config.Program) { p.ReadyLog = "^up$" }),
		b.child("middle", "for "+gate+";say open;sleep",
			func(p *config.Program) { p.DependsOn = []string{"db"}; p.ReadyLog = "open" }),
		b.child("top", "sleep", func(p *config.Program) { p.DependsOn = []string{"middle"} }),
	)
	done := make(chan error, 1)
	go func() { done <- b.sup.Start(testContext(t), []string{"top"}, true) }()
	b.until("db", "ready", func(st Status) bool { return st.Ready })
	b.until("middle", "running and not ready", func(st Status) bool {
		return st.State == Running ||
			st.State == Starting
	})
	if st := b.until("top", "WAITING",
		func(st Status) bool { return st.State == Waiting }); st.Why != "waits for middle" {
		t.Errorf("why is %q", st.Why)
	}
	touch(gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if st := b.status("top"); !st.Ready {
		t.Errorf("%+v", st)
	}
	// The other way round: each stops only after what depends on it.
	from := b.sup.events.last()
	b.stop("db", "middle", "top")
	var order []string
	for _, e := range b.sup.events.after(testContext(t), from) {
		if e.State == Stopped {
			order = append(order, e.Name)
		}
	}
	if got := strings.Join(order, " "); got != "top middle db" {
		t.Errorf("stopped in the order %s", got)
	}
}

func TestDependencyFails(t *testing.T) {
	b := newBench(t)
	b.run(
		b.child("db", "complain no space;exit 1", func(p *config.Program) { p.StartSecs, p.StartRetries = 1000, 0 }),
		b.child("top", "sleep", func(p *config.Program) { p.DependsOn = []string{"db"} }),
	)
	err := b.sup.Start(testContext(t), []string{"top"}, true)
	if err == nil || !strings.Contains(err.Error(), "top: depends on db, which is not ready: exited with status 1") {
		t.Errorf("Start: %v", err)
	}
	b.stop("top")
}

// TestDependencyFailsDuringStart has a dependency given up while its dependant runs and is not ready: the dependant
// would use up its ready_timeout otherwise.
func TestDependencyFailsDuringStart(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(
		// startsecs is far more than a slow machine needs to run a child that exits at once: one that outlives it has
		// started, and is restarted for ever.
		b.child("db", "for "+gate+";exit 1", func(p *config.Program) { p.StartSecs, p.StartRetries = 50, 0 }),
		b.child("top", "sleep", func(p *config.Program) {
			p.DependsOn, p.ReadyTCP, p.ReadyTimeout = []string{"db"}, freeAddr(t), time.Hour
		}),
	)
	b.start("db")
	if err := b.sup.Start(testContext(t), []string{"top"}, false); err != nil {
		t.Fatal(err)
	}
	b.until("top", "has a process", func(st Status) bool { return st.State.Up() })
	touch(gate)
	err := b.sup.Start(testContext(t), []string{"top"}, true)
	if err == nil || !strings.Contains(err.Error(), "top: depends on db, which is not ready: exited with status 1") {
		t.Errorf("Start: %v", err)
	}
	b.stop("top")
}

func TestReadyTCPAndTimeout(t *testing.T) {
	b := newBench(t)
	gate, addr := filepath.Join(b.dir, "gate"), freeAddr(t)
	b.run(b.child("a", "for "+gate+";listen "+addr+";sleep", func(p *config.Program) {
		p.ReadyTCP, p.ReadyTimeout = addr, 50*time.Millisecond
	}))
	err := b.sup.Start(testContext(t), []string{"a"}, true)
	if err == nil || !strings.Contains(err.Error(), "a: not ready in time") {
		t.Fatalf("Start: %v", err)
	}
	b.until("a", "says why", func(st Status) bool {
		return strings.HasPrefix(st.Why,
			"not ready in time: dial tcp "+addr)
	})
	touch(gate)
	b.until("a", "ready after all", func(st Status) bool { return st.Ready && !st.TimedOut })
}

// TestStrangerAnswers has another process answer on the port the program is to listen on.
func TestStrangerAnswers(t *testing.T) {
	l, err := listenLocal()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.run(b.child("a", "sleep", func(p *config.Program) { p.ReadyTCP = l.Addr().String() }))
	if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("it is not this program: pid %d holds the port", os.Getpid())
	if st := b.until("a", "says why", func(st Status) bool { return strings.Contains(st.Probe, want) }); st.Ready {
		t.Errorf("%+v", st)
	}
	l.Close()
	b.until("a", "without an answer", func(st Status) bool { return strings.Contains(st.Probe, "connection refused") })
}

func TestReadyExec(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(b.child("a", "sleep", func(p *config.Program) {
		p.ReadyExec = []string{"/bin/sh", "-c", "test -e " + gate + " || { echo no gate; exit 7; }"}
	}))
	if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	b.until("a", "says why", func(st Status) bool {
		return strings.Contains(st.Probe,
			"exited with status 7: no gate")
	})
	touch(gate)
	b.until("a", "ready", func(st Status) bool { return st.Ready })
}

// TestListensBeforeItIsReady: a program that becomes ready only by what its dependants do lets them start when it
// listens. Without that they would wait for each other.
func TestListensBeforeItIsReady(t *testing.T) {
	b := newBench(t)
	gate, registered, addr := filepath.Join(b.dir, "gate"), filepath.Join(b.dir, "registered"), freeAddr(t)
	b.run(
		b.child("manager", "for "+gate+";listen "+addr+";sleep", func(p *config.Program) {
			p.ReadyTCP, p.DependantsAfter = addr, config.DependantsListening
			p.ReadyExec = []string{"/bin/sh", "-c", "test -e " + registered + " || { echo no node; exit 1; }"}
			p.ReadyInterval = 10 * time.Millisecond
		}),
		b.child("node", "sleep", func(p *config.Program) { p.DependsOn = []string{"manager"} }),
	)
	if err := b.sup.Start(testContext(t), []string{"node"}, false); err != nil {
		t.Fatal(err)
	}
	if st := b.until("node", "WAITING",
		func(st Status) bool { return st.State == Waiting }); st.Why != "waits for manager" {
		t.Errorf("why is %q", st.Why)
	}
	if st := b.status("manager"); st.Serving || st.Ready {
		t.Errorf("it does not listen: %+v", st)
	}
	touch(gate)
	if err := b.sup.StartServing(testContext(t), []string{"manager"}); err != nil {
		t.Fatal(err)
	}
	b.until("node", "ready", func(st Status) bool { return st.Ready })
	st := b.until("manager", "says why", func(st Status) bool { return strings.Contains(st.Why, "no node") })
	if st.Ready || !st.Serving || st.State != Running {
		t.Errorf("it listens and is not ready: %+v", st)
	}
	chain, err := b.sup.Why("manager")
	if err != nil || len(chain) != 1 || !strings.Contains(chain[0].Text, "no node") ||
		!strings.Contains(chain[0].Advice, "it listens") {
		t.Errorf("why: %+v, %v", chain, err)
	}
	done := make(chan error, 1)
	go func() { done <- b.sup.Start(testContext(t), []string{"manager"}, true) }()
	touch(registered)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(registered); err != nil {
		t.Fatal(err)
	}
	if err := b.sup.Restart(testContext(t), []string{"node"}, false, true); err != nil {
		t.Fatal(err)
	}
	// Its next look would be a tenth of a second later, and a failure in three: the new process of a dependant counts
	// at once.
	if st := b.status("manager"); st.Ready || !st.Serving {
		t.Errorf("it rests on a process that has ended: %+v", st)
	}
	b.until("manager", "not ready again", func(st Status) bool {
		return !st.Ready && st.Serving &&
			st.State == Running
	})
	b.stop("node", "manager")
}
