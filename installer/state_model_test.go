package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// The variables that say what TestHistories tries. Without them it is short.
const (
	historiesVariable = "FATE_TEST_HISTORIES" // how many histories
	seedVariable      = "FATE_TEST_SEED"      // the seed of the histories; a random one without it
	historyVariable   = "FATE_TEST_HISTORY"   // one history, as a failed test prints it
)

// installation is the state of a host, for the model: the version that is installed, the one that rollback brings back,
// the one that last used the data that an uninstall has kept, and the appliance that the installed program is from.
type installation struct{ version, back, data, program string }

// act is a command of the model.
type act struct {
	name string
	args func(w *modelHost) []string

	// next is the state after the command, and whether it is one that the command can be run in.
	next func(installation) (installation, bool)
}

// acts are the commands. Those of which next says no are refused, and change nothing.
var acts = []act{
	{"install old", installArgs("old"), installs("old")},
	{"install new", installArgs("new"), installs("new")},
	{"upgrade", func(w *modelHost) []string { return []string{"upgrade", "--payload", w.appliances["new"]} },
		func(i installation) (installation, bool) {
			switch i.version {
			case "old":
				return installation{version: "new", back: "old", program: "new"}, true
			case "new":
				i.program = "new"
				return i, true
			}
			return i, false
		}},
	{"rollback", func(*modelHost) []string { return []string{"rollback", "--yes"} },
		func(i installation) (installation, bool) {
			if i.back == "" {
				return i, false
			}
			return installation{version: i.back, back: i.version, program: i.program}, true
		}},
	{"uninstall", func(*modelHost) []string { return []string{"uninstall", "--yes"} },
		func(i installation) (installation, bool) {
			data := i.version
			if data == "" {
				data = i.data
			}
			return installation{data: data}, true
		}},
	{"purge", func(*modelHost) []string { return []string{"uninstall", "--yes", "--purge-data"} },
		func(installation) (installation, bool) {
			return installation{}, true
		}},
	{"rotate", func(*modelHost) []string { return []string{"secrets", "rotate", "all"} },
		func(i installation) (installation, bool) {
			return i, i.version != ""
		}},
}

func installArgs(version string) func(w *modelHost) []string {
	return func(w *modelHost) []string {
		return []string{"--payload", w.appliances[version], "--role", "exchange", "--ip", "192.168.0.88"}
	}
}

func installs(version string) func(installation) (installation, bool) {
	return func(i installation) (installation, bool) {
		if i.version == "" {
			return installation{version: version, program: version}, true
		}
		i.program = version
		return i, i.version == version
	}
}

// trouble is how a command is cut off.
type trouble string

// The troubles. Each begins with a change of the host.
const (
	none     trouble = "none"
	killed   trouble = "killed"    // nothing is changed any more
	powerCut trouble = "power cut" // the same, and a part of the journal's last record did not reach the disk
	failed   trouble = "failed"    // that one change fails
	diskFull trouble = "disk full" // nothing can be written any more, while files can be removed
)

var troubles = []trouble{none, killed, powerCut, failed, diskFull}

// event is a command in a history, and how it is cut off. It is then run again to its end.
type event struct {
	act    act
	what   trouble
	from   int // changes that are made before the trouble
	second int // of the second run, which has the same trouble; -1: it has none
	torn   int // bytes of the journal's last record that a power cut loses
	other  act // a command in between
}

// String is the event as parseEvents reads it.
func (e event) String() string {
	return fmt.Sprintf("%s/%s/%d/%d/%d/%s", e.act.name, e.what, e.from, e.second, e.torn, e.other.name)
}

func historyText(events []event) string {
	words := make([]string, len(events))
	for i, e := range events {
		words[i] = e.String()
	}
	return strings.Join(words, ";")
}

func actNamed(name string) (act, error) {
	for _, a := range acts {
		if a.name == name {
			return a, nil
		}
	}
	return act{}, fmt.Errorf("no command of the model is %q", name)
}

// parseEvents reads a history as historyText writes it.
func parseEvents(text string) ([]event, error) {
	var out []event
	for word := range strings.SplitSeq(text, ";") {
		f := strings.Split(word, "/")
		if len(f) != 6 {
			return nil, fmt.Errorf("%q is no event", word)
		}
		e := event{what: trouble(f[1])}
		var err error
		if e.act, err = actNamed(f[0]); err != nil {
			return nil, err
		}
		if e.other, err = actNamed(f[5]); err != nil {
			return nil, err
		}
		for i, number := range []*int{&e.from, &e.second, &e.torn} {
			if *number, err = strconv.Atoi(f[2+i]); err != nil {
				return nil, err
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// model runs histories against the trees that undisturbed commands lead to.
type model struct {
	t          *testing.T
	dir        string // below which the hosts are
	appliances map[string]string
	seen       map[installation][]string // the tree of each state, by the first undisturbed way to it
	lengths    map[string]int            // how many changes a command makes in a state
	counts     map[string]int
}

func newModel(t *testing.T) *model {
	m := &model{t: t, dir: fastDir(t), seen: map[installation][]string{}, lengths: map[string]int{},
		counts: map[string]int{}, appliances: map[string]string{
			"old": applianceOf(t, olderVersions),
			"new": applianceOf(t, newerVersions),
		}}
	w := m.host()
	m.seen[installation{}] = w.tree() // a purge leaves nothing
	w.remove()
	return m
}

// TestHistories: a command that was cut off at any change of the host, once or twice, and is run again, leads to the
// tree that it leads to undisturbed. In between, a command that contradicts it is refused and changes nothing.
func TestHistories(t *testing.T) {
	m := newModel(t)
	if text := os.Getenv(historyVariable); text != "" {
		events, err := parseEvents(text)
		if err != nil {
			t.Fatal(err)
		}
		m.fail(events, m.replay(events))
		return
	}
	seed := uint64(1) // the same histories each time, unless more are asked for
	if os.Getenv(historiesVariable) != "" {
		seed = rand.Uint64()
	}
	if s, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d", seed)
	bad := 0
	for n := range histories(t) {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		events, wrong := m.history(random)
		if len(wrong) > 0 {
			t.Logf("history %d", n)
			m.fail(events, wrong)
			if bad++; bad == 5 {
				break
			}
		}
		if n%500 == 499 {
			fmt.Fprintf(os.Stderr, "%d histories: %v\n", n+1, m.counts)
		}
	}
	t.Logf("%d histories: %v", histories(t), m.counts)
}

// onceWrong are histories that the model once judged wrong, each after one that leads to the same state in another way.
var onceWrong = []string{
	"install old/none/0/-1/1/rotate;upgrade/none/0/-1/1/rotate;rollback/none/0/-1/1/rotate;install " +
		"old/none/0/-1/1/rotate",
	"install old/none/0/-1/1/rotate;upgrade/none/0/-1/1/rotate;install " +
		"old/none/0/-1/1/rotate;rollback/none/0/-1/1/rotate",
}

// TestHistoriesOnceWrong: a refused install leaves the program as it is, too.
func TestHistoriesOnceWrong(t *testing.T) {
	m := newModel(t)
	for _, text := range onceWrong {
		events, err := parseEvents(text)
		if err != nil {
			t.Fatal(err)
		}
		m.fail(events, m.replay(events))
	}
}

func histories(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv(historiesVariable)); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return 8
	}
	return 30
}

// history runs a random history, until something is wrong.
func (m *model) history(random *rand.Rand) (events []event, wrong []string) {
	w := m.host()
	defer w.remove()
	at := installation{}
	for range 2 + random.IntN(4) {
		e := m.event(w, random, at)
		events = append(events, e)
		at = m.step(w, e, at)
		if len(w.wrong) > 0 {
			return events, append(w.wrong, w.history...)
		}
	}
	return events, nil
}

// event chooses a command and its trouble.
func (m *model) event(w *modelHost, random *rand.Rand, at installation) event {
	e := event{act: acts[random.IntN(len(acts))], other: acts[random.IntN(len(acts))],
		what: troubles[random.IntN(len(troubles))], second: -1}
	if _, may := e.act.next(at); !may {
		e.what = none
	}
	if e.what == none {
		return e
	}
	length := m.length(w, e.act, at)
	e.from = random.IntN(1 + length)
	if random.IntN(3) == 0 {
		e.second = random.IntN(1 + length)
	}
	e.torn = 1 + random.IntN(200)
	return e
}

// replay runs a history from the beginning.
func (m *model) replay(events []event) []string {
	w := m.host()
	defer w.remove()
	at := installation{}
	for _, e := range events {
		if _, may := e.act.next(at); !may {
			e.what = none
		}
		if at = m.step(w, e, at); len(w.wrong) > 0 {
			return append(w.wrong, w.history...)
		}
	}
	return nil
}

// fail reports a history, and the shortest one of its events that still fails.
func (m *model) fail(events []event, wrong []string) {
	if len(wrong) == 0 {
		return
	}
	m.t.Errorf("%s\nrepeat it with %s='%s'", strings.Join(wrong, "\n"), historyVariable, historyText(events))
	short, why := m.shrink(events)
	switch {
	case why == nil:
		m.t.Log("it did not fail when it was repeated")
	case len(short) < len(events):
		m.t.Logf("shortest: %s='%s'\n%s", historyVariable, historyText(short), strings.Join(why, "\n"))
	}
}

// shrink drops events from a history, and what is not needed of one, as long as it fails.
func (m *model) shrink(events []event) (short []event, why []string) {
	if why = m.replay(events); why == nil {
		return events, nil
	}
	for i := 0; i < len(events); i++ {
		for _, fewer := range simpler(events, i) {
			if w := m.replay(fewer); w != nil {
				events, why = fewer, w
				i = -1
				break
			}
		}
	}
	return events, why
}

// simpler lists the histories with less of an event.
func simpler(events []event, i int) [][]event {
	without := append(append([]event{}, events[:i]...), events[i+1:]...)
	out := [][]event{without}
	with := func(e event) {
		if e.String() == events[i].String() {
			return
		}
		changed := append([]event{}, events...)
		changed[i] = e
		out = append(out, changed)
	}
	e := events[i]
	e.what, e.from, e.second = none, 0, -1
	with(e)
	e = events[i]
	e.second = -1
	with(e)
	e = events[i]
	e.other = e.act
	with(e)
	return out
}

// recorded wants the journal to have every step of an installed host as completed, and none of an absent one but what
// an uninstall keeps.
func (m *model) recorded(w *modelHost, a act, at installation) {
	h, err := host.New(w.root, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	defer h.Close()
	journal, err := engine.ReadJournal(h, "/"+stateDir+"/journal")
	if err != nil {
		w.wrongf("%s: %v", a.name, err)
		return
	}
	for _, e := range journal.Ledger().Entries() {
		if at.version != "" && !e.Done {
			w.wrongf("%s, to %+v: the journal has %s as begun only", a.name, at, e.Step)
		}
	}
	s, err := deploy.LoadState(h, (&globals{Base: "/data"}).layout())
	if err != nil || s.Interrupted() {
		w.wrongf("%s, to %+v: state %+v, %v", a.name, at, s, err)
	}
}

// compare compares the host with the tree of a state.
func (m *model) compare(w *modelHost, a act, at installation) {
	m.recorded(w, a, at)
	now := w.tree()
	if known, ok := m.seen[at]; ok {
		w.same(fmt.Sprintf("%s, to %+v,", a.name, at), known, now)
		return
	}
	m.seen[at] = now
}
