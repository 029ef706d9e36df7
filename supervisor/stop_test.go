package supervisor

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestStopSignalIsRepeated stops a program that loses its first stop signal, as mysqld does while it comes up: with one
// signal only, it would be killed after stopwaitsecs instead of ending well.
func TestStopSignalIsRepeated(t *testing.T) {
	b := newBench(t)
	gate, addr := filepath.Join(b.dir, "gate"), freeAddr(t)
	b.run(b.child("a", "lose;say deaf;for "+gate+";heed;sleep", func(p *Program) {
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

// TestStopSignalIsNotRepeated sends a ready program one stop signal: some take a second for an order to drop everything.
func TestStopSignalIsNotRepeated(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "count;say counting;sleep", func(p *Program) {
		p.ReadyLog, p.StopWaitSecs = "counting", 10*stopAgainAfter
	}))
	b.start("a")
	b.stop("a")
	if st := b.status("a"); st.Exit == nil || st.Exit.Signal != "SIGKILL" || strings.Count(b.log("a"), "term\n") != 1 {
		t.Errorf("it ended by %+v, its log:\n%s", st.Exit, b.log("a"))
	}
}
