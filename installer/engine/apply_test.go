package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"fate-installer/installer/host"
)

// deed is a step whose whole effect is a file with its name.
type deed struct {
	name   string
	mark   string
	during func(ctx context.Context) error // in Apply, before the file
	lazy   bool                            // Apply reports success and does nothing
	check  error
}

func (d deed) ID() string { return "deed:" + d.name }

func (d deed) path() string { return "/deeds/" + d.name }

func (d deed) Check(_ context.Context, env *Env) (Finding, error) {
	if d.check != nil {
		return Finding{}, d.check
	}
	if b, err := env.Host.ReadFile(d.path()); err == nil && string(b) == d.mark {
		return Finding{Done: true}, nil
	}
	old, _ := env.Host.ReadFile(d.path())
	before, err := json.Marshal(deedBefore{d.path(), string(old), env.Host.Exists(d.path())})
	return Finding{Why: "it is missing", Before: before, Mark: d.mark}, err
}

func (d deed) Apply(ctx context.Context, env *Env) error {
	if d.during != nil {
		if err := d.during(ctx); err != nil {
			return err
		}
	}
	if d.lazy {
		return nil
	}
	return env.Host.WriteFile(d.path(), []byte(d.mark), host.FileMode{})
}

type deedBefore struct {
	Path, Content string
	Existed       bool
}

func (deed) Undo(_ context.Context, env *Env, raw json.RawMessage) error {
	var b deedBefore
	if err := json.Unmarshal(raw, &b); err != nil {
		return err
	}
	if now, err := env.Host.ReadFile(b.Path); err == nil && string(now) == "edited" {
		return &LeftError{What: b.Path, Why: "it was edited"}
	}
	if b.Existed {
		return env.Host.WriteFile(b.Path, []byte(b.Content), host.FileMode{})
	}
	return env.Host.Remove(b.Path)
}

// datum is a deed that is never undone.
type datum struct{ deed deed }

func (d datum) ID() string { return "datum:" + d.deed.name }

func (d datum) Check(ctx context.Context, env *Env) (Finding, error) { return d.deed.Check(ctx, env) }

func (d datum) Apply(ctx context.Context, env *Env) error { return d.deed.Apply(ctx, env) }

func resolveDeed(id string) (Undoer, bool) { return deed{}, strings.HasPrefix(id, "deed:") }

// bench is a host with a journal.
type bench struct {
	*testing.T
	env     *Env
	journal *Journal
	events  []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	h, err := host.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.MkdirAll("/deeds", host.FileMode{}); err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, env: &Env{Host: h, StateDir: "/state"}}
	b.reopen()
	return b
}

func (b *bench) reopen() {
	b.Helper()
	j, err := OpenJournal(b.env.Host, "/state/journal")
	if err != nil {
		b.Fatal(err)
	}
	b.journal = j
}

func (b *bench) apply(ctx context.Context, nodes ...Node) (Report, error) {
	b.events = nil
	return Apply(ctx, Plan{Nodes: nodes}, b.env, b.journal, func(e Event) {
		b.events = append(b.events, string(e.Kind)+" "+strings.TrimPrefix(e.ID, "deed:"))
	})
}

func (b *bench) undo(scope Scope) UndoReport {
	b.Helper()
	r, err := Undo(b.Context(), b.env, b.journal, scope, resolveDeed, nil)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func (b *bench) deeds() string {
	b.Helper()
	entries, err := b.env.Host.ReadDir("/deeds")
	if err != nil {
		b.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		content, err := b.env.Host.ReadFile("/deeds/" + e.Name())
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, e.Name()+string(content))
	}
	return strings.Join(out, " ")
}

func node(d deed, after ...string) Node {
	for i, a := range after {
		after[i] = "deed:" + a
	}
	return Node{Step: d, After: after, Title: d.name}
}

func TestApplyFollowsEdges(t *testing.T) {
	b := newBench(t)
	b.env.Parallel = 1
	for _, done := range []string{"a", "b"} {
		if err := b.env.Host.WriteFile("/deeds/"+done, []byte("1"), host.FileMode{}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := b.apply(t.Context(), node(deed{name: "c", mark: "1"}, "b"), node(deed{name: "b", mark: "1"}, "a"),
		node(deed{name: "a", mark: "1"}))
	if err != nil {
		t.Fatal(err)
	}
	want := "started a,unchanged a,started b,unchanged b,started c,applying c,changed c"
	if got := strings.Join(b.events, ","); got != want {
		t.Errorf("events\n got %s\nwant %s", got, want)
	}
	if !slices.Equal(r.Critical, []string{"deed:a", "deed:b", "deed:c"}) {
		t.Errorf("critical path %v", r.Critical)
	}
}

func TestApplyTakesTheLongestWayFirst(t *testing.T) {
	b := newBench(t)
	b.env.Parallel = 1
	cheap := node(deed{name: "cheap", mark: "1"})
	start := node(deed{name: "start", mark: "1"})
	end := node(deed{name: "end", mark: "1"}, "start")
	end.Cost = 100
	middle := node(deed{name: "middle", mark: "1"})
	middle.Cost = 50
	if _, err := b.apply(t.Context(), cheap, middle, end, start); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, e := range b.events {
		if name, ok := strings.CutPrefix(e, "started "); ok {
			order = append(order, name)
		}
	}
	if want := []string{"start", "end", "middle", "cheap"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestApplyRunsIndependentStepsTogether(t *testing.T) {
	b := newBench(t)
	b.env.Parallel = 2
	var both sync.WaitGroup
	both.Add(2)
	meet := func(context.Context) error { // returns only when two steps are here at once
		both.Done()
		both.Wait()
		return nil
	}
	if _, err := b.apply(t.Context(), node(deed{name: "a", mark: "1", during: meet}),
		node(deed{name: "b", mark: "1", during: meet})); err != nil {
		t.Fatal(err)
	}
}

func TestFailureLetsRunningStepsFinish(t *testing.T) {
	b := newBench(t)
	b.env.Parallel = 2
	failing, running := make(chan struct{}), make(chan struct{})
	boom := errors.New("boom")
	bad := deed{name: "bad", mark: "1", during: func(context.Context) error { <-running; close(failing); return boom }}
	slow := deed{name: "slow", mark: "1",
		during: func(ctx context.Context) error { close(running); <-failing; return ctx.Err() }}
	r, err := b.apply(t.Context(), node(bad), node(slow), node(deed{name: "next", mark: "1"}, "slow"),
		node(deed{name: "blocked", mark: "1"}, "bad"))
	var step *StepError
	if !errors.As(err, &step) || !errors.Is(err, boom) || step.ID != "deed:bad" || step.Phase != PhaseApply {
		t.Fatalf("error %v", err)
	}
	if got := b.deeds(); got != "slow1" {
		t.Errorf("done: %s", got)
	}
	if r.Count(Failed) != 1 || r.Count(Changed) != 1 || r.Count(Skipped) != 2 {
		t.Errorf("report %+v", r.Steps)
	}
}

func TestApplyChecksAgain(t *testing.T) {
	b := newBench(t)
	_, err := b.apply(t.Context(), node(deed{name: "a", mark: "1", lazy: true}))
	var step *StepError
	if !errors.As(err, &step) || step.Phase != PhaseVerify ||
		!strings.Contains(err.Error(), "it was applied, and yet it is missing") {
		t.Fatalf("error %v", err)
	}
}

func TestInterrupt(t *testing.T) {
	b := newBench(t)
	b.env.Parallel = 1
	stop := errors.New("stopped by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	bad := deed{name: "b", mark: "1",
		during: func(ctx context.Context) error { cancel(stop); <-ctx.Done(); return ctx.Err() }}
	report, err := b.apply(ctx, node(deed{name: "a", mark: "1"}), node(bad, "a"), node(deed{name: "c", mark: "1"}, "b"))
	if !errors.Is(err, stop) || !strings.Contains(err.Error(), "1 of 3 steps done") {
		t.Fatalf("error %v", err)
	}
	if report.Count(Interrupted) != 1 || report.Count(Failed) != 0 || report.Count(Skipped) != 1 {
		t.Errorf("one step was interrupted, and none failed: %+v", report.Steps)
	}
	// Nothing was lost: the run goes on.
	if _, err := b.apply(t.Context(), node(deed{name: "a", mark: "1"}),
		node(deed{name: "b", mark: "1"}, "a")); err != nil {
		t.Fatal(err)
	}
	if got := b.deeds(); got != "a1 b1" {
		t.Errorf("done: %s", got)
	}
}

// TestEndOfAStepIsRecordedLater: a run that was killed between a step and its record is completed by the next one,
// which finds the step done.
func TestEndOfAStepIsRecordedLater(t *testing.T) {
	b := newBench(t)
	lost := errors.New("killed")
	writes := 0
	b.env.Host.InjectFaults(t, func(op host.Op, abs string) error {
		if abs == "/state/journal" && op == host.OpWrite {
			if writes++; writes > 2 { // the run's and the step's begin
				return lost
			}
		}
		return nil
	})
	if _, err := b.apply(t.Context(), node(deed{name: "a", mark: "1"})); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	b.env.Host.InjectFaults(t, nil)
	b.reopen()
	if b.journal.ledger.Completed("deed:a") {
		t.Fatal("the end of the step was recorded")
	}
	if r, err := b.apply(t.Context(), node(deed{name: "a", mark: "1"})); err != nil || r.Steps[0].Status != Unchanged {
		t.Fatal(r.Steps, err)
	}
	b.reopen()
	if !b.journal.ledger.Completed("deed:a") {
		t.Error("the end of the step is still not recorded")
	}
}

func TestDriftIsRepairedAndReported(t *testing.T) {
	b := newBench(t)
	for i, c := range []struct {
		spoil string
		drift bool
		mark  string
	}{{"", false, "1"}, {"x", true, "1"}, {"", false, "2"}, {"x", true, "2"}} {
		if c.spoil != "" {
			if err := b.env.Host.WriteFile("/deeds/a", []byte(c.spoil), host.FileMode{}); err != nil {
				t.Fatal(err)
			}
		}
		r, err := b.apply(t.Context(), node(deed{name: "a", mark: c.mark}))
		if err != nil {
			t.Fatal(err)
		}
		if o := r.Steps[0]; o.Status != Changed || o.Drift != c.drift {
			t.Errorf("run %d: %s, drift %v, want %v", i, o.Status, o.Drift, c.drift)
		}
	}
}

// TestRepairedSince: a repair counts until the step that asks is done again, or the repair is undone.
func TestRepairedSince(t *testing.T) {
	b := newBench(t)
	both := []Node{node(deed{name: "a", mark: "1"}), node(deed{name: "b", mark: "1"}, "a")}
	repaired := func() string { return b.journal.ledger.RepairedSince("deed:b", []string{"deed:none", "deed:a"}) }
	spoil := func(name string) {
		if err := b.env.Host.WriteFile("/deeds/"+name, []byte("x"), host.FileMode{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range []struct {
		spoil, want string
	}{{"", ""}, {"a", "deed:a"}, {"", "deed:a"}, {"b", ""}, {"a", "deed:a"}} {
		if c.spoil != "" {
			spoil(c.spoil)
		}
		if _, err := b.apply(t.Context(), both...); err != nil {
			t.Fatal(err)
		}
		if now := repaired(); now != c.want {
			t.Errorf("run %d: %q, want %q", i, now, c.want)
		}
		b.reopen()
		if read := repaired(); read != c.want {
			t.Errorf("run %d, read from the journal: %q, want %q", i, read, c.want)
		}
	}
	spoil("b")
	if _, err := b.apply(t.Context(), both...); err != nil || repaired() != "" {
		t.Fatal(repaired(), err)
	}
	spoil("a")
	boom := errors.New("boom")
	if _, err := b.apply(t.Context(), both[0],
		node(deed{name: "z", during: func(context.Context) error { return boom }}, "a")); !errors.Is(err, boom) ||
		repaired() != "deed:a" {
		t.Fatal(repaired(), err)
	}
	b.undo(LastAttempt)
	if repaired() != "" {
		t.Error("a repair that was undone counts")
	}
	if (*Ledger)(nil).RepairedSince("deed:b", []string{"deed:a"}) != "" {
		t.Error("no ledger knows of a repair")
	}
}
