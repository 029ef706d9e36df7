package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"fate-installer/payload/count"
)

// defaultParallel is how many steps run at once when Env does not say: enough to keep a disk and a starting database
// busy together, few enough for the two cores of a small host.
const defaultParallel = 4

// Apply makes the host as the plan says. Steps whose predecessors are done run at the same time, those on the longest
// way to the end first. After a failure no step is begun, but those at work are completed; when ctx ends they are
// asked to stop.
//
// onEvent, which may be nil, is called by one goroutine at a time. The report is valid also with an error, which is a
// [*StepError] for a failed step (all of them, joined) or wraps the cause of ctx. Apply again continues.
func Apply(ctx context.Context, plan Plan, env *Env, journal *Journal, onEvent func(Event)) (Report, error) {
	if err := plan.Validate(); err != nil {
		return Report{}, err
	}
	r := newRun(plan, env, journal, onEvent)
	if err := journal.write(record{Op: opRun, Run: r.report.Run}); err != nil {
		return r.report, err
	}
	r.loop(ctx)
	err := r.result(ctx)
	if err == nil {
		r.commit(ctx)
	}
	// A run that cannot be ended in the journal is one that was cut off: its steps are checked again, nothing is lost.
	if jerr := journal.write(record{Op: opEnd, Run: r.report.Run, OK: err == nil}); jerr != nil {
		err = errors.Join(err, jerr)
	}
	r.report.Elapsed = time.Since(r.start)
	return r.report, err
}

// run is the state of one Apply. Only its loop changes it; the goroutines of the steps send messages.
type run struct {
	env      *Env
	journal  *Journal
	onEvent  func(Event)
	start    time.Time
	report   Report
	messages chan Event

	order    []string // IDs in the order of the plan
	nodes    map[string]Node
	waiting  map[string]int      // steps that are not begun: how many predecessors are not done
	next     map[string][]string // successors
	rank     map[string]int64    // cost of the longest way to the end
	outcome  map[string]*Outcome
	touched  map[string]bool // steps that were changed in this run, or come after one that was
	running  int
	stopped  bool
	failures []error
}

func newRun(plan Plan, env *Env, journal *Journal, onEvent func(Event)) *run {
	work := *env // the ledger belongs to this run, not to the caller's Env
	work.Ledger = journal.ledger
	if onEvent == nil {
		onEvent = func(Event) {}
	}
	r := &run{
		env: &work, journal: journal, onEvent: onEvent, start: time.Now(), messages: make(chan Event),
		nodes: plan.byID(), waiting: map[string]int{}, next: map[string][]string{}, outcome: map[string]*Outcome{},
		touched: map[string]bool{},
	}
	r.report.Run = fmt.Sprintf("%s-%d", r.start.UTC().Format("20060102T150405.000"), os.Getpid())
	for _, n := range plan.Nodes {
		r.order = append(r.order, n.ID())
		after := slices.Compact(slices.Sorted(slices.Values(n.After)))
		r.waiting[n.ID()] = len(after)
		for _, a := range after {
			r.next[a] = append(r.next[a], n.ID())
		}
	}
	r.rank = ranks(r.nodes, r.next)
	return r
}

// ranks returns for each step the cost of the most expensive way from it to the end of the plan.
func ranks(nodes map[string]Node, next map[string][]string) map[string]int64 {
	rank := make(map[string]int64, len(nodes))
	var of func(id string) int64
	of = func(id string) int64 {
		if known, ok := rank[id]; ok {
			return known
		}
		longest := int64(0)
		for _, n := range next[id] {
			longest = max(longest, of(n))
		}
		rank[id] = longest + max(1, nodes[id].Cost)
		return rank[id]
	}
	for id := range nodes {
		of(id)
	}
	return rank
}

// loop begins steps and receives their messages until none is running and none can be begun.
func (r *run) loop(ctx context.Context) {
	done := ctx.Done()
	for {
		for !r.stopped && ctx.Err() == nil && r.running < r.parallel() {
			id, ok := r.pick()
			if !ok {
				break
			}
			r.begin(ctx, id)
		}
		if r.running == 0 {
			break
		}
		select {
		case e := <-r.messages:
			r.receive(e)
		case <-done: // begin no more; the steps have seen it too
			done = nil
		}
	}
	for _, id := range r.order {
		if _, left := r.waiting[id]; left {
			r.finish(Event{Kind: Skipped, ID: id})
		}
	}
}

func (r *run) parallel() int {
	if r.env.Parallel > 0 {
		return r.env.Parallel
	}
	return defaultParallel
}

// pick returns the step to begin: of those that can be begun, the one with the longest way to the end, and of equals
// the first in the plan.
func (r *run) pick() (string, bool) {
	best := ""
	for _, id := range r.order {
		if missing, left := r.waiting[id]; left && missing == 0 && (best == "" || r.rank[id] > r.rank[best]) {
			best = id
		}
	}
	return best, best != ""
}

func (r *run) begin(ctx context.Context, id string) {
	delete(r.waiting, id)
	r.running++
	n := r.nodes[id]
	r.outcome[id] = &Outcome{ID: id, Start: time.Since(r.start)}
	// What this run itself replaced, such as the tree that a file is in, is no drift.
	stale := slices.ContainsFunc(n.After, func(a string) bool { return r.touched[a] })
	r.touched[id] = stale
	r.emit(Event{Kind: Started, ID: id})
	go func() {
		began := time.Now()
		e := r.step(ctx, n, stale)
		e.ID, e.Elapsed = id, time.Since(began)
		r.messages <- e
	}()
}

// step does the whole work of one step and returns its final event. It runs in a goroutine of its own.
func (r *run) step(ctx context.Context, n Node, stale bool) Event {
	fail := func(p Phase, err error) Event {
		kind := Failed
		if ctx.Err() != nil { // this is how the step saw the end of the run
			kind = Interrupted
		}
		return Event{Kind: kind, Err: &StepError{ID: n.ID(), Title: n.Title, Phase: p, Err: err}}
	}
	found, err := n.Step.Check(ctx, r.env)
	if err != nil {
		return fail(PhaseCheck, err)
	}
	if found.Done {
		// A run was killed between the step's end and its record. Without the record a later edit of what it made would
		// not be taken for one.
		if r.journal.ledger.begunOnly(n.ID()) {
			if err := r.journal.write(record{Op: opDone, Run: r.report.Run, Step: n.ID()}); err != nil {
				return fail(PhaseJournal, err)
			}
		}
		return Event{Kind: Unchanged, Note: found.Note}
	}
	drift := !stale && !found.Kept && r.isDrift(n.ID(), found)
	repair := (drift || found.Edited && !stale) && !found.Kept && !found.SameContent
	if err := r.journalBegin(n, found, repair); err != nil {
		return fail(PhaseJournal, err)
	}
	r.messages <- Event{Kind: Applying, ID: n.ID(), Why: found.Why, Drift: drift}
	if err := n.Step.Apply(ctx, r.env); err != nil {
		return fail(PhaseApply, err)
	}
	r.journal.ledger.noteApplied(n.ID())
	after, err := n.Step.Check(ctx, r.env)
	if err != nil {
		return fail(PhaseVerify, err)
	}
	if !after.Done {
		return fail(PhaseVerify, errors.New(after.Why))
	}
	if err := r.journal.write(record{Op: opDone, Run: r.report.Run, Step: n.ID()}); err != nil {
		return fail(PhaseJournal, err)
	}
	return Event{Kind: Changed, Why: found.Why, Note: after.Note, Drift: drift, Kept: found.Kept}
}

// journalBegin puts on disk what is about to change, before it does: rule 2.
func (r *run) journalBegin(n Node, f Finding, repair bool) error {
	rec := record{
		Op: opBegin, Run: r.report.Run, Step: n.ID(), Title: n.Title, Component: n.Component, Before: f.Before,
		Mark: f.Mark, Repair: repair,
	}
	if m, ok := n.Step.(Merger); ok {
		if first := r.journal.ledger.first(n.ID()); first != nil {
			merged, err := m.Merge(first, f.Before)
			if err != nil {
				return err
			}
			rec.First = merged
		}
	}
	return r.journal.write(rec)
}

// isDrift reports whether an earlier run had already done what the step is about to do.
func (r *run) isDrift(id string, f Finding) bool {
	mark, done := r.journal.ledger.Current(id)
	return done && mark == f.Mark
}

// receive takes a message of a step.
func (r *run) receive(e Event) {
	if e.Kind == Applying {
		r.emit(e)
		return
	}
	r.running--
	r.touched[e.ID] = r.touched[e.ID] || e.Kind == Changed
	if e.Kind == Failed || e.Kind == Interrupted {
		r.stopped = true
		r.failures = append(r.failures, e.Err)
	} else {
		for _, id := range r.next[e.ID] {
			r.waiting[id]--
		}
	}
	r.finish(e)
}

// finish records the outcome of a step and tells about it.
func (r *run) finish(e Event) {
	n := r.nodes[e.ID]
	o := r.outcome[e.ID]
	if o == nil {
		o = &Outcome{ID: e.ID}
		r.outcome[e.ID] = o
	}
	delete(r.waiting, e.ID)
	o.Title, o.Component, o.Status, o.Elapsed = n.Title, n.Component, e.Kind, e.Elapsed
	o.Why, o.Note, o.Drift = e.Why, e.Note, e.Drift
	if e.Err != nil {
		o.Error = e.Err.Error()
	}
	r.emit(e)
}

func (r *run) emit(e Event) {
	n := r.nodes[e.ID]
	e.Title, e.Component = n.Title, n.Component
	r.onEvent(e)
}

// result completes the report and returns the error of the run.
func (r *run) result(ctx context.Context) error {
	for _, id := range r.order {
		r.report.Steps = append(r.report.Steps, *r.outcome[id])
	}
	r.report.Critical = r.critical()
	skipped := r.report.Count(Skipped) > 0
	switch {
	case ctx.Err() != nil && (skipped || len(r.failures) > 0):
		// The failures are how the steps saw the end of ctx.
		return fmt.Errorf("interrupted with %d of %s done: %w", r.report.Count(Changed)+r.report.Count(Unchanged),
			count.Of(len(r.order), "step"), context.Cause(ctx))
	case len(r.failures) > 0:
		return errors.Join(r.failures...)
	}
	return nil
}

// critical follows, from the step that ended last, the predecessor that ended last.
func (r *run) critical() []string {
	last := func(ids []string) (best string) {
		for _, id := range ids {
			o := r.outcome[id]
			if o.Status == Skipped {
				continue
			}
			if best == "" || o.Start+o.Elapsed > r.outcome[best].Start+r.outcome[best].Elapsed {
				best = id
			}
		}
		return best
	}
	var path []string
	for id := last(r.order); id != ""; id = last(r.nodes[id].After) {
		path = append(path, id)
	}
	slices.Reverse(path)
	return path
}

// commit lets the steps drop what they kept for an undo. The run has succeeded whatever happens here, so a failure is a
// warning, and the next run tries again.
func (r *run) commit(ctx context.Context) {
	for _, id := range r.order {
		c, ok := r.nodes[id].Step.(Committer)
		if !ok {
			continue
		}
		if err := c.Commit(ctx, r.env); err != nil {
			r.report.Warnings = append(r.report.Warnings, fmt.Sprintf("cannot clean up after %q: %v",
				r.nodes[id].Title, err))
		}
	}
}
