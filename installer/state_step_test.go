package main

import (
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
)

// step runs a command, perhaps with trouble and then again, and compares.
func (m *model) step(w *modelHost, e event, at installation) installation {
	next, may := e.act.next(at)
	if !may || e.what == none {
		m.undisturbed(w, e.act, at, next, may)
		if m.counts[map[bool]string{true: "undisturbed", false: "refused"}[may]]++; !may {
			return at
		}
		return next
	}
	m.counts[string(e.what)]++
	code, out := m.cutOff(w, e, e.from)
	if code == exit.OK && e.act.name == "rollback" { // again it would go forward
		return m.settle(w, next)
	}
	m.contradict(w, e, at)
	if e.second >= 0 && len(w.wrong) == 0 {
		m.counts["twice"]++
		code, second := m.cutOff(w, e, e.second)
		if out += second; code == exit.OK && e.act.name == "rollback" {
			return m.settle(w, next)
		}
	}
	code, again := w.run(e.act, none, -1)
	if code != exit.OK {
		w.wrongf("%s again: exit code %d\n%s\n-- before:\n%s", e.act.name, code, again, out)
		return next
	}
	m.compare(w, e.act, next)
	return next
}

// settle compares after a rollback that has succeeded with its trouble, and returns the state that it has led to. One
// that could not store that it has said so says so again when it is repeated, and changes nothing else. What could not
// be removed goes with the next command that has the whole plan.
func (m *model) settle(w *modelHost, at installation) installation {
	name := "install " + at.version
	if s := m.stored(w); s.Unreported != "" {
		name = "rollback"
	}
	a, err := actNamed(name)
	if err != nil {
		m.t.Fatal(err)
	}
	next := at
	if name != "rollback" {
		next, _ = a.next(at)
	}
	m.undisturbed(w, a, at, next, true)
	return next
}

// stored is the state of a host.
func (m *model) stored(w *modelHost) state.State {
	h, err := host.New(w.root, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	defer h.Close()
	s, err := deploy.LoadState(h, (&globals{Base: "/data"}).layout())
	if err != nil {
		w.wrongf("%v", err)
	}
	return s
}

// cutOff runs the command of an event with its trouble.
func (m *model) cutOff(w *modelHost, e event, from int) (code int, out string) {
	code, out = w.run(e.act, e.what, from)
	if code == exit.OK { // what failed was not needed, or the command had ended
		m.counts["not met"]++
	} else if e.what == powerCut {
		w.tearJournal(e.torn)
	}
	return code, out
}

// length counts the changes that a command makes in a state, on a copy of the host.
func (m *model) length(w *modelHost, a act, at installation) int {
	key := strings.Join([]string{a.name, at.version, at.back, at.data, at.program}, "/")
	if n, ok := m.lengths[key]; ok {
		return n
	}
	copied := m.copyOf(w)
	defer copied.remove()
	copied.run(a, none, -1)
	m.lengths[key] = len(copied.changes)
	return len(copied.changes)
}

// undisturbed runs a command to its end.
func (m *model) undisturbed(w *modelHost, a act, at, next installation, may bool) {
	var before []string
	if !may {
		before = w.tree()
	}
	code, out := w.run(a, none, -1)
	switch {
	case may && code != exit.OK:
		w.wrongf("%s: exit code %d\n%s", a.name, code, out)
	case may:
		m.compare(w, a, next)
	case code != exit.Usage:
		w.wrongf("%s on %+v is not refused: exit code %d\n%s", a.name, at, code, out)
	default:
		w.same(a.name+", which is refused,", before, w.tree())
	}
}

// contradict runs another command, which is refused when the first one has left a change that it contradicts.
func (m *model) contradict(w *modelHost, e event, at installation) {
	a, other := e.act, e.other
	if other.name == a.name || other.name == "uninstall" || other.name == "purge" || a.name == "upgrade" &&
		other.name == "rollback" {
		return // these may be run, and lead elsewhere
	}
	s := m.stored(w)
	if !s.Interrupted() || strings.HasPrefix(a.name, "install") && strings.HasPrefix(other.name, "install") {
		return
	}
	before := w.tree()
	code, out := w.run(other, none, -1)
	// it was cut off early
	missing := at.version == "" && code == exit.Usage && strings.Contains(out, "nothing is installed")
	if !missing && (code != exit.Contradicts || !strings.Contains(out, "was interrupted")) {
		w.wrongf("%s after %s was cut off: exit code %d\n%s", other.name, a.name, code, out)
	}
	w.same(other.name+", which contradicts,", before, w.tree())
	m.counts["contradicted"]++
}
