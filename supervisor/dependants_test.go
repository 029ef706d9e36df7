package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fate-installer/supervisor/config"
)

// TestProbesKnowDependants: a probe gets the identities of the dependants' processes, so that what it keeps for the
// next probe is not taken for true of other ones.
func TestProbesKnowDependants(t *testing.T) {
	b := newBench(t)
	addr, seen := freeAddr(t), filepath.Join(b.dir, "seen")
	b.run(
		b.child("manager", "listen "+addr+";sleep", func(p *config.Program) {
			p.ReadyTCP, p.DependantsAfter = addr, config.DependantsListening
			p.ReadyExec = []string{"/bin/sh", "-c", "printenv " + DependantsVar + " >" + seen + ".new && mv " +
				seen + ".new " + seen}
		}),
		b.child("node", "sleep", func(p *config.Program) { p.DependsOn = []string{"manager"} }),
		b.child("other", "sleep"),
	)
	b.start("manager", "node", "other")
	known := func() string {
		data, _ := os.ReadFile(seen)
		return strings.TrimSpace(string(data))
	}
	present := func() string {
		s := b.sup.service("node")
		s.mu.Lock()
		defer s.mu.Unlock()
		return fmt.Sprintf("node:%d:%d", s.run.proc.ID.PID, s.run.proc.ID.Start)
	}
	b.until("manager", "asked about the node", func(st Status) bool { return st.Ready && known() == present() })
	before := known()
	if err := b.sup.Restart(testContext(t), []string{"node"}, false, true); err != nil {
		t.Fatal(err)
	}
	b.until("manager", "asked about the new node", func(st Status) bool { return st.Ready && known() == present() })
	if known() == before {
		t.Errorf("the node was restarted, and the probe still gets %q", before)
	}
	b.stop("node", "manager", "other")
}

// TestProbeOfAFormerDependant: a probe that is under way when a dependant's process is replaced has asked the former
// one. Its answer does not make the program ready, although that is not ready yet.
func TestProbeOfAFormerDependant(t *testing.T) {
	b := newBench(t)
	addr, runs := freeAddr(t), filepath.Join(b.dir, "node-runs")
	asked, gate := filepath.Join(b.dir, "asked"), filepath.Join(b.dir, "gate")
	// Once the node runs, a probe waits for the gate and passes. Those before exit with 1, those after with 2.
	probe := "test ! -e " + asked + " || exit 2; test -e " + runs + " || exit 1; touch " + asked +
		"; while ! test -e " + gate + "; do sleep 0.01; done"
	b.run(
		b.child("manager", "listen "+addr+";sleep", func(p *config.Program) {
			p.ReadyTCP, p.DependantsAfter = addr, config.DependantsListening
			p.ReadyExec = []string{"/bin/sh", "-c", probe}
		}),
		b.child("node", "sleep", func(p *config.Program) { p.DependsOn = []string{"manager"} }),
	)
	if err := b.sup.Start(testContext(t), []string{"node"}, true); err != nil {
		t.Fatal(err)
	}
	touch(runs)
	b.until("manager", "asked", func(Status) bool { return exists(asked) })
	pid := b.status("node").PID
	if err := b.sup.Signal("node", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.until("node", "started again", func(st Status) bool { return st.Ready && st.PID != pid })
	touch(gate)
	st := b.until("manager", "refused by a later probe", func(st Status) bool {
		if st.Ready {
			t.Fatal("the answer about the former process counts")
		}
		return strings.Contains(st.Probe, "exited with status 2")
	})
	if !st.Serving {
		t.Errorf("it listens: %+v", st)
	}
	b.stop("node", "manager")
}
