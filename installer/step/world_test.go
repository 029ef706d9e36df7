package step

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"

	"github.com/google/go-cmp/cmp"
)

// stateDir is where tests keep the journal, outside what snapshots compare.
const stateDir = "/state"

// world is a machine in a directory.
type world struct {
	t       testingT
	dir     string
	host    *host.Host
	machine *machine // nil for a tree without commands
	payload *fakePayload
	svc     *fakeServices
	journal *engine.Journal
}

// testingT is the part of testing.T that a world uses.
type testingT interface {
	host.TestingT
	Fatal(args ...any)
	Context() context.Context
}

// tempDir is t.TempDir, in memory where there is such a place: the suites make thousands of trees, and all their
// writes wait for the disk.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "step-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// newWorld makes a tree of files: path to content, "-> target" for a link, a trailing slash for a directory.
func newWorld(t testingT, dir string, live bool, files map[string]string) *world {
	t.Helper()
	w := &world{t: t, dir: dir, payload: newFakePayload(), svc: &fakeServices{ready: map[string]bool{}}}
	for _, name := range slices.Sorted(mapKeys(files)) {
		must(t, plant(filepath.Join(dir, name), strings.HasSuffix(name, "/"), files[name]))
	}
	w.open(live)
	return w
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func plant(at string, isDir bool, content string) error {
	if isDir {
		return os.MkdirAll(at, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if target, ok := strings.CutPrefix(content, "-> "); ok {
		return os.Symlink(target, at)
	}
	return os.WriteFile(at, []byte(content), 0o644)
}

// open begins with what is on disk, as a new process does.
func (w *world) open(live bool) {
	w.t.Helper()
	var runner host.Runner
	if live {
		w.machine = &machine{w: w}
		runner = w.machine
	}
	h, err := host.New(w.dir, runner)
	must(w.t, err)
	w.host = h
	w.t.Cleanup(func() { _ = h.Close() })
	w.reopenJournal()
}

func (w *world) reopenJournal() {
	w.t.Helper()
	if w.journal != nil {
		must(w.t, w.journal.Close())
	}
	j, err := engine.OpenJournal(w.host, stateDir+"/journal")
	must(w.t, err)
	w.journal = j
	w.t.Cleanup(func() { _ = j.Close() })
}

func (w *world) env() *engine.Env {
	return &engine.Env{
		Host: w.host, Payload: w.payload, Services: w.svc, Self: fakeSelf{}, StateDir: stateDir, Parallel: 1,
		Ledger: w.journal.Ledger(),
	}
}

func (w *world) apply(ctx context.Context, steps ...engine.Step) (engine.Report, error) {
	return engine.Apply(ctx, planOf(steps...), w.env(), w.journal, nil)
}

// planOf makes a plan in which the steps come after each other.
func planOf(steps ...engine.Step) engine.Plan {
	var p engine.Plan
	for i, s := range steps {
		n := engine.Node{Step: s, Title: s.ID()}
		if i > 0 {
			n.After = []string{steps[i-1].ID()}
		}
		p.Add(n)
	}
	return p
}

func (w *world) undo(ctx context.Context, scope engine.Scope) (engine.UndoReport, error) {
	return engine.Undo(ctx, w.env(), w.journal, scope, Undoer, nil)
}

func (w *world) read(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	must(w.t, err)
	return string(b)
}

func (w *world) exists(name string) bool {
	_, err := os.Lstat(filepath.Join(w.dir, name))
	return err == nil
}

func (w *world) write(name, content string) {
	w.t.Helper()
	must(w.t, plant(filepath.Join(w.dir, name), false, content))
}

// snapshot describes every file of the tree, with its owner, but for the installer's own state.
func (w *world) snapshot() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(w.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		abs := "/" + strings.TrimPrefix(strings.TrimPrefix(p, w.dir), "/")
		if abs == stateDir || abs == path.Dir(host.OwnersFile) {
			return filepath.SkipDir
		}
		inKernel := strings.HasPrefix(abs, "/proc/") || strings.HasPrefix(abs, "/sys/")
		if abs == "/" || inKernel && strings.HasSuffix(abs, ".fate-tmp") { // a real kernel is written in place
			return nil
		}
		out[abs], err = w.describe(abs, p)
		return err
	})
	must(w.t, err)
	for name, ready := range w.svc.ready {
		out["program "+name] = fmt.Sprint(ready)
	}
	return out
}

func (w *world) describe(abs, real string) (string, error) {
	fi, err := os.Lstat(real)
	if err != nil {
		return "", err
	}
	owner, group, err := w.host.Owner(abs)
	if err != nil {
		return "", err
	}
	s := fmt.Sprintf("%s %s:%s", fi.Mode(), owner, group)
	switch {
	case fi.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(real)
		return s + " -> " + target, err
	case fi.Mode().IsRegular():
		b, err := os.ReadFile(real)
		return s + " " + string(b), err
	}
	return s, nil
}

func must(t testingT, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sameTree(t *testing.T, when string, want, got map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s the tree differs (-want +got):\n%s", when, diff)
	}
}

// fakePayload has components that are a few files each.
type fakePayload struct {
	components map[string]map[string]string // "name version" to files
	tick       func()                       // called before each file
}

func newFakePayload() *fakePayload {
	return &fakePayload{tick: func() {}, components: map[string]map[string]string{
		"eggroll 1": {"bin/run": "one", "conf/eggroll.properties": "default=1\n", "lib/a.jar": "a"},
		"eggroll 2": {"bin/run": "two", "conf/eggroll.properties": "default=2\n", "lib/b.jar": "b",
			"models/README": "m"},
	}}
}

// payloadTime is the time of every file of fakePayload: that of a file in a real payload is always the same, too.
var payloadTime = time.Unix(1_600_000_000, 0)

// Extract takes the version from the name it is asked for, which plans of these tests make "name version".
func (f *fakePayload) Extract(ctx context.Context, component, target string, _, _ int,
	progress func(done, total int64)) error {
	files, ok := f.components[component]
	if !ok {
		return fmt.Errorf("no component %s", component)
	}
	// The temporary name is that of the real payload; a cut leaves it behind.
	staging := filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".partial-12345678")
	if err := os.RemoveAll(staging); err != nil {
		return err
	}
	if err := os.Mkdir(staging, 0o755); err != nil {
		return err
	}
	var done int64
	for _, name := range slices.Sorted(mapKeys(files)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.tick()
		at := filepath.Join(staging, name)
		if err := plant(at, false, files[name]); err != nil {
			return err
		}
		if err := os.Chtimes(at, payloadTime, payloadTime); err != nil {
			return err
		}
		done++
		progress(done, int64(len(files)))
	}
	return os.Rename(staging, target)
}

type fakeSelf struct{}

const selfContent = "the program"

func (fakeSelf) CopyStub(w io.Writer) error {
	_, err := io.WriteString(w, selfContent)
	return err
}

// fakeServices is a supervisor; a program that is not in ready is not known to it.
type fakeServices struct {
	mu    sync.Mutex
	down  bool
	ready map[string]bool
	// unready are the states of programs that are known and not in ready.
	unready map[string]string
	calls   []string
	fail    error // of Start
	// overdue are programs of unready that run and hang: starts fail until they are restarted.
	overdue map[string]bool
}

func (f *fakeServices) Update(context.Context, []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "update")
	return nil
}

func (f *fakeServices) Start(ctx context.Context, names []string, onEvent func(string)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "start "+strings.Join(names, ","))
	if err := errors.Join(ctx.Err(), f.fail); err != nil {
		return err
	}
	for _, n := range names {
		if f.overdue[n] {
			return errors.New(n + " is not ready: not ready in time")
		}
	}
	for _, n := range names {
		f.ready[n] = true
		onEvent(n + " is ready")
	}
	return nil
}

func (f *fakeServices) Restart(ctx context.Context, names []string, onEvent func(string)) error {
	f.mu.Lock()
	f.calls = append(f.calls, "restart "+strings.Join(names, ","))
	for _, n := range names {
		delete(f.overdue, n)
	}
	f.mu.Unlock()
	return f.Start(ctx, names, onEvent)
}

func (f *fakeServices) Stop(_ context.Context, names []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "stop "+strings.Join(names, ","))
	for _, n := range names {
		delete(f.ready, n)
	}
	return nil
}

func (f *fakeServices) Status(context.Context) ([]engine.ServiceStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, fmt.Errorf("cannot reach it: %w", engine.ErrNoSupervisor)
	}
	var out []engine.ServiceStatus
	for n, ready := range f.ready {
		out = append(out, engine.ServiceStatus{Name: n, State: "RUNNING", Ready: ready})
	}
	for n, state := range f.unready {
		if _, known := f.ready[n]; !known {
			out = append(out, engine.ServiceStatus{Name: n, State: state, Overdue: f.overdue[n]})
		}
	}
	return out, nil
}
