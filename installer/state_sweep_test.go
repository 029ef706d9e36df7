package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/state"
)

// waysTo are short ways to each state of the model.
var waysTo = []string{
	"",
	"install old",
	"install new",
	"install old;upgrade",
	"install old;upgrade;rollback",
	"install old;upgrade;rollback;rollback",
	"install old;uninstall",
}

// The variables that say what TestEveryChange tries. Without them it tries few changes of each command.
const (
	strideVariable  = "FATE_TEST_STRIDE"  // every how many changes one is tried; 1: all
	commandVariable = "FATE_TEST_COMMAND" // of one command only
)

// TestEveryChange cuts each command off at its changes, with each trouble, in each state, and runs it again: the host
// is then as after the undisturbed command.
func TestEveryChange(t *testing.T) {
	if testing.Short() {
		t.Skip("it tries one by one what TestHistories tries at random")
	}
	s := &sweep{model: newModel(t), stride: 499}
	if n, err := strconv.Atoi(os.Getenv(strideVariable)); err == nil && n > 0 {
		s.stride = n
	}
	for _, way := range waysTo {
		w := s.host()
		at := installation{}
		for word := range strings.SplitSeq(way, ";") {
			if a, err := actNamed(word); err == nil {
				at = s.step(w, event{act: a, what: none}, at)
			}
		}
		if len(w.wrong) > 0 {
			t.Fatalf("%q: %s", way, strings.Join(w.wrong, "\n"))
		}
		for _, a := range acts {
			if only := os.Getenv(commandVariable); only == "" || only == a.name {
				s.command(w, way, a, at)
			}
		}
		w.remove()
	}
	t.Logf("%d tried: %v", s.tried, s.counts)
}

// sweep is the state of TestEveryChange.
type sweep struct {
	*model
	stride, offset int // the offset is another one for each command, so that few changes are not always the first
	tried, wrong   int
}

// command tries a command on a host.
func (s *sweep) command(w *modelHost, way string, a act, at installation) {
	next, may := a.next(at)
	if !may {
		return
	}
	undisturbed := s.copyOf(w) // for the tree
	s.undisturbed(undisturbed, a, at, next, may)
	undisturbed.remove()
	length := s.length(w, a, at)
	for _, what := range troubles[1:] {
		s.offset += 31
		for from := s.offset % s.stride; from < length; from += s.stride {
			s.tried++
			copied := s.copyOf(w)
			s.step(copied, event{act: a, what: what, from: from, second: -1, torn: 10, other: a}, at)
			if len(copied.wrong) > 0 {
				s.wrong++
				s.t.Errorf("after %q: %s\n%s", way, strings.Join(copied.wrong, "\n"),
					strings.Join(copied.history, "\n"))
			}
			copied.remove()
		}
	}
	if os.Getenv(strideVariable) != "" {
		fmt.Fprintf(os.Stderr, "after %q, %s: %d changes; %d tried, %d wrong\n", way, a.name, length, s.tried, s.wrong)
	}
}

// TestRollbackIsNotRepeatedForward: a rollback that has done its change, and is cut off before it has said so, only
// says so when it is run again. The next one goes forward.
func TestRollbackIsNotRepeatedForward(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and has one goroutine")
	}
	m := newModel(t)
	w, at := m.host(), installation{}
	rollback := acts[3]
	for _, name := range []string{"install old", "upgrade"} {
		a, err := actNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		at = m.step(w, event{act: a, what: none}, at)
	}
	length, again := m.length(w, rollback, at), 0
	for from := length - 30; from < length; from++ {
		copied := m.copyOf(w)
		code, _ := copied.run(rollback, killed, from)
		s := m.stored(copied)
		if s.Unreported != "" {
			again++
			if _, out := copied.run(rollback, none, -1); !strings.Contains(out,
				"another rollback returns to the newer versions") {
				t.Errorf("killed at change %d of %d, exit code %d, and again:\n%s", from, length, code, out)
			}
		}
		if s := m.stored(copied); !s.Interrupted() {
			next, _ := rollback.next(at)
			back, _ := rollback.next(next)
			m.undisturbed(copied, rollback, next, back, true)
		}
		if len(copied.wrong) > 0 {
			t.Errorf("killed at change %d of %d: %s", from, length, strings.Join(copied.wrong, "\n"))
		}
		copied.remove()
	}
	if again < 3 {
		t.Errorf("only %d rollbacks were cut off after their change", again)
	}
}

// TestTakingBackEndsThere: a rollback that takes back an upgrade which was cut off, and is cut off, too, leads to what
// was before the upgrade when it is run again, and not to what rollback brought back before.
func TestTakingBackEndsThere(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and has one goroutine")
	}
	m := newModel(t)
	w, at := m.host(), installation{}
	for _, name := range []string{"install old", "upgrade", "rollback"} {
		a, err := actNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		at = m.step(w, event{act: a, what: none}, at)
	}
	upgrade, rollback := acts[2], acts[3]
	tried := 0
	for from := 12; from < m.length(w, upgrade, at); from += 41 {
		cut := m.copyOf(w)
		if cut.run(upgrade, killed, from); m.stored(cut).Phase != state.Upgrading {
			cut.remove()
			continue
		}
		whole := m.copyOf(cut)
		whole.run(rollback, none, -1)
		length := len(whole.changes)
		whole.remove()
		for second := max(0, length-20); second < length; second++ {
			tried++
			copied := m.copyOf(cut)
			if code, _ := copied.run(rollback, killed, second); code != exit.OK {
				copied.run(rollback, none, -1)
			}
			m.compare(copied, rollback, m.settle(copied, at))
			if len(copied.wrong) > 0 {
				t.Errorf("upgrade killed at %d, rollback at %d of %d: %s\n%s", from, second, length,
					strings.Join(copied.wrong, "\n"), strings.Join(copied.history, "\n"))
			}
			copied.remove()
		}
		cut.remove()
	}
	if tried < 30 {
		t.Errorf("only %d tried", tried)
	}
}
