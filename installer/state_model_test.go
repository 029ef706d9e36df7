package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// historiesVariable is how many histories TestHistories tries; a few unless it says so.
const historiesVariable = "FATE_TEST_HISTORIES"

func histories(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv(historiesVariable)); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return 8
	}
	return 30
}

// installation is what a host has, for the model: the version that is installed, the one that rollback brings back, and
// the one that last used the data that an uninstall has kept.
type installation struct{ version, back, data string }

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
	{"upgrade", func(w *modelHost) []string { return []string{"upgrade", "--payload", w.appliances["new"]} }, func(i installation) (installation, bool) {
		switch i.version {
		case "old":
			return installation{version: "new", back: "old"}, true
		case "new":
			return i, true
		}
		return i, false
	}},
	{"rollback", func(*modelHost) []string { return []string{"rollback", "--yes"} }, func(i installation) (installation, bool) {
		if i.back == "" {
			return i, false
		}
		return installation{version: i.back, back: i.version}, true
	}},
	{"uninstall", func(*modelHost) []string { return []string{"uninstall", "--yes"} }, func(i installation) (installation, bool) {
		data := i.version
		if data == "" {
			data = i.data
		}
		return installation{data: data}, true
	}},
	{"purge", func(*modelHost) []string { return []string{"uninstall", "--yes", "--purge-data"} }, func(installation) (installation, bool) {
		return installation{}, true
	}},
	{"rotate", func(*modelHost) []string { return []string{"secrets", "rotate", "all"} }, func(i installation) (installation, bool) {
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
			return installation{version: version}, true
		}
		return i, i.version == version
	}
}

// trouble is how a command is cut off.
type trouble string

// The troubles. Each begins with a change of the host that is chosen at random.
const (
	none     trouble = "none"
	killed   trouble = "killed"    // nothing is changed any more
	powerCut trouble = "power cut" // the same, and half of the journal's last record did not reach the disk
	failed   trouble = "failed"    // that one change fails
	diskFull trouble = "disk full" // nothing can be written any more, while files can be removed
)

// modelHost is a host in a directory tree.
type modelHost struct {
	t          *testing.T
	root       string
	appliances map[string]string
	history    []string
	secrets    []string // all that were ever in force, each before its replacement
}

// run runs a command whose changes are counted, and cut off from a change on; below zero they are not.
func (w *modelHost) run(a act, what trouble, from int) (code, changes int, output string) {
	var mu sync.Mutex // steps run at the same time
	var out bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	g.opened = func(h *host.Host) {
		h.InjectFaults(w.t, func(op host.Op, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			changes++
			switch {
			case from < 0 || changes <= from:
				return nil
			case what == killed || what == powerCut:
				return errors.New("killed")
			case what == failed && changes == from+1:
				return syscall.EIO
			case what == diskFull && op != host.OpRemove:
				return syscall.ENOSPC
			}
			return nil
		})
	}
	w.secretHider() // learns those that the command may replace
	code = execute(context.Background(), g, append([]string{"--root", w.root}, a.args(w)...))
	w.history = append(w.history, fmt.Sprintf("%s, %s from change %d: exit code %d", a.name, what, from, code))
	return code, changes, out.String()
}

// volatile is what differs from run to run: times, and IDs of slots, which are times.
var volatile = regexp.MustCompile(`\d{8}T\d{6}\.\d{3}Z|\d{4}-\d{2}-\d{2}T[0-9:.]+Z`)

// notCompared are the lock of all runs, the owners, which are compared by themselves, and the backups: which former contents
// they have depends on the way to a state.
var notCompared = []string{"/run", "/.fate-installer", "/" + stateDir + "/backup"}

// model runs histories against the trees that undisturbed commands lead to.
type model struct {
	t          *testing.T
	appliances map[string]string
	seen       map[installation][]string // the tree of each state, by the first undisturbed way to it
}

func (m *model) host(root string) *modelHost {
	return &modelHost{t: m.t, root: root, appliances: m.appliances}
}

// TestHistories: a command that was cut off at any change of the host, and is run again, leads to the tree that it leads
// to undisturbed. In between, a command that contradicts it is refused and changes nothing.
func TestHistories(t *testing.T) {
	m := &model{t: t, seen: map[installation][]string{}, appliances: map[string]string{
		"old": applianceOf(t, olderVersions),
		"new": applianceOf(t, newerVersions),
	}}
	m.seen[installation{}] = m.host(machine(t)).tree() // a purge leaves nothing
	seed := uint64(1)                                  // the same histories each time, unless more are asked for
	if os.Getenv(historiesVariable) != "" {
		seed = rand.Uint64()
	}
	if s, err := strconv.ParseUint(os.Getenv("FATE_TEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d", seed)
	counts := map[string]int{}
	for n := range histories(t) {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		w := m.host(machine(t))
		at := installation{}
		for range 2 + random.IntN(4) {
			at = m.step(w, random, at, counts)
			if t.Failed() {
				t.Fatalf("seed %d, history %d:\n%s", seed, n, strings.Join(w.history, "\n"))
			}
		}
		if err := os.RemoveAll(w.root); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d histories: %v", histories(t), counts)
}

// step runs a random command, perhaps with trouble and then again, and compares.
func (m *model) step(w *modelHost, random *rand.Rand, at installation, counts map[string]int) installation {
	a := acts[random.IntN(len(acts))]
	next, may := a.next(at)
	what := []trouble{none, killed, powerCut, failed, diskFull}[random.IntN(5)]
	if !may || what == none {
		m.undisturbed(w, a, at, next, may)
		counts[map[bool]string{true: "undisturbed", false: "refused"}[may]]++
		return next
	}
	from := random.IntN(1 + m.changes(w, a))
	code, _, out := w.run(a, what, from)
	if code == exitOK { // what failed was not needed, or the command had ended
		counts["not met"]++
		if a.name == "rollback" {
			return next // again it would go forward; what could not be removed goes with the next command
		}
	} else if what == powerCut {
		w.tearJournal(random)
	}
	counts[string(what)]++
	m.contradict(w, random, a, at, counts)
	code, _, again := w.run(a, none, -1)
	if code != exitOK {
		m.t.Errorf("%s again: exit code %d\n%s\n-- before:\n%s", a.name, code, again, out)
		return next
	}
	m.compare(w, a, next)
	return next
}

// changes counts the changes that a command makes, on a copy of the host.
func (m *model) changes(w *modelHost, a act) int {
	m.t.Helper()
	copied := m.host(m.t.TempDir())
	if err := os.CopyFS(copied.root, os.DirFS(w.root)); err != nil {
		m.t.Fatal(err)
	}
	_, changes, _ := copied.run(a, none, -1)
	if err := os.RemoveAll(copied.root); err != nil {
		m.t.Fatal(err)
	}
	return changes
}

// tearJournal takes a part of the last record from the journal, as a power cut does while it is written. Every other file
// appears by a rename after its bytes are on disk, so that a power cut leaves of it what a kill does. Only the end of a step
// is lost here: nothing depends on it yet.
func (w *modelHost) tearJournal(random *rand.Rand) {
	w.t.Helper()
	file := filepath.Join(w.root, stateDir, "journal")
	data, err := os.ReadFile(file)
	if err != nil {
		return // there is none yet
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if len(lines) < 3 || !bytes.Contains(lines[len(lines)-2], []byte(`"op":"done"`)) {
		return
	}
	last := len(lines[len(lines)-2])
	if err := os.Truncate(file, int64(len(data)-1-random.IntN(last))); err != nil {
		w.t.Fatal(err)
	}
}

// recorded wants the journal to have every step of an installed host as completed, and none of an absent one but what an
// uninstall keeps.
func (m *model) recorded(w *modelHost, a act, at installation) {
	m.t.Helper()
	h, err := host.New(w.root, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	defer h.Close()
	journal, err := engine.ReadJournal(h, "/"+stateDir+"/journal")
	if err != nil {
		m.t.Errorf("%s: %v", a.name, err)
		return
	}
	for _, e := range journal.Ledger().Entries() {
		if at.version != "" && !e.Done {
			m.t.Errorf("%s, to %+v: the journal has %s as begun only", a.name, at, e.Step)
		}
	}
	s, err := loadState(h, (&globals{Base: "/data"}).layout())
	if err != nil || s.Interrupted() {
		m.t.Errorf("%s, to %+v: state %+v, %v", a.name, at, s, err)
	}
}

// undisturbed runs a command to its end.
func (m *model) undisturbed(w *modelHost, a act, at, next installation, may bool) {
	m.t.Helper()
	before := w.tree()
	code, _, out := w.run(a, none, -1)
	switch {
	case may && code != exitOK:
		m.t.Errorf("%s: exit code %d\n%s", a.name, code, out)
	case may:
		m.compare(w, a, next)
	case code != exitUsage:
		m.t.Errorf("%s on %+v is not refused: exit code %d\n%s", a.name, at, code, out)
	default:
		sameTree(m.t, a.name+", which is refused,", before, w.tree())
	}
}

// contradict runs another command, which is refused when the first one has left a change that it contradicts.
func (m *model) contradict(w *modelHost, random *rand.Rand, a act, at installation, counts map[string]int) {
	m.t.Helper()
	other := acts[random.IntN(len(acts))]
	if other.name == a.name || other.name == "uninstall" || other.name == "purge" || a.name == "upgrade" && other.name == "rollback" {
		return // these may be run, and lead elsewhere
	}
	h, err := host.New(w.root, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	defer h.Close()
	s, err := loadState(h, (&globals{Base: "/data"}).layout())
	if err != nil {
		m.t.Fatal(err)
	}
	if !s.Interrupted() || strings.HasPrefix(a.name, "install") && strings.HasPrefix(other.name, "install") {
		return
	}
	before := w.tree()
	code, _, out := w.run(other, none, -1)
	missing := at.version == "" && code == exitUsage && strings.Contains(out, "nothing is installed") // it was cut off early
	if !missing && (code != exitContradicts || !strings.Contains(out, "was interrupted")) {
		m.t.Errorf("%s after %s was cut off: exit code %d\n%s", other.name, a.name, code, out)
	}
	sameTree(m.t, other.name+", which contradicts,", before, w.tree())
	counts["contradicted"]++
}

// compare compares the host with the tree of a state.
func (m *model) compare(w *modelHost, a act, at installation) {
	m.t.Helper()
	m.recorded(w, a, at)
	now := w.tree()
	if known, ok := m.seen[at]; ok {
		sameTree(m.t, fmt.Sprintf("%s, to %+v,", a.name, at), known, now)
		return
	}
	m.seen[at] = now
}
