package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// A Resolver returns the Undoer for the ID of a step that may be of an earlier plan: a zero value of the step's type.
// It is false for a kind of step that is not undone, such as a database.
type Resolver func(stepID string) (Undoer, bool)

// Scope is how far an undo goes.
type Scope int

const (
	// LastAttempt undoes what was begun since the last run that succeeded, be it by one failed run or by several: the
	// host is then as that last good run left it.
	LastAttempt Scope = iota
	// Everything undoes all that any run ever did: the host is then as before the first.
	Everything
)

// UndoStatus is how the undo of one step ended.
type UndoStatus string

// The results of undoing a step.
const (
	Undone     UndoStatus = "undone"
	Left       UndoStatus = "left"        // it was changed since, and is not ours any more
	Kept       UndoStatus = "kept"        // its kind is not undone
	UndoFailed UndoStatus = "undo failed" // the undo can be repeated
)

// UndoOutcome is the result for one step.
type UndoOutcome struct {
	ID     string     `json:"id"`              // the step: its kind, and its object after a colon
	Title  string     `json:"title,omitempty"` // the step, for people
	Status UndoStatus `json:"status"`          // undone, left, kept or "undo failed"
	Why    string     `json:"why,omitempty"`   // the reason, where it was not undone
	Data   bool       `json:"data,omitempty"`  // it was left because of the data in it
}

// UndoReport is the result of [Undo], in the order in which it happened.
type UndoReport struct {
	Steps []UndoOutcome `json:"steps"` // what became of each step
}

// Count returns how many steps ended with a status.
func (r UndoReport) Count(s UndoStatus) int {
	n := 0
	for _, o := range r.Steps {
		if o.Status == s {
			n++
		}
	}
	return n
}

// Undo puts back what was before, in the reverse order of the changes. A problem with one step does not keep it from
// the others: all are in the report, and the error joins those that failed. What was left or kept is no error. Undo can
// be repeated, and does only what is missing.
func Undo(ctx context.Context, env *Env, journal *Journal, scope Scope, resolve Resolver,
	onEvent func(UndoOutcome)) (UndoReport, error) {
	work := *env
	work.Ledger = journal.ledger
	var report UndoReport
	var errs []error
	var undone []undoable
	all := journal.ledger.toUndo(scope)
	for _, t := range all {
		if ctx.Err() != nil {
			errs = append(errs, fmt.Errorf("interrupted: %w", context.Cause(ctx)))
			break
		}
		if env.UndoBegins != nil {
			env.UndoBegins(t.Step, nameOf(t.Entry), len(all))
		}
		o, err := undoOne(ctx, &work, journal, scope, resolve, t)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot undo %q: %w", nameOf(t.Entry), err))
		}
		if o.Status == Undone {
			undone = append(undone, t)
		}
		report.Steps = append(report.Steps, o)
		if onEvent != nil {
			onEvent(o)
		}
	}
	for _, t := range slices.Backward(undone) {
		if err := resume(ctx, &work, resolve, t); err != nil {
			errs = append(errs, fmt.Errorf("cannot resume %q: %w", nameOf(t.Entry), err))
		}
	}
	return report, errors.Join(errs...)
}

// Foresee lists what [Undo] would do, in its order: what would be undone, and what is kept because its kind is not
// undone. It looks at nothing but the journal: what others changed since is known only when it is undone.
func Foresee(journal *Journal, scope Scope, resolve Resolver) []UndoOutcome {
	var out []UndoOutcome
	for _, t := range journal.ledger.toUndo(scope) {
		o := UndoOutcome{ID: t.Step, Title: nameOf(t.Entry), Status: Undone}
		if _, ok := resolve(t.Step); !ok {
			o.Status = Kept
		}
		out = append(out, o)
	}
	return out
}

func resume(ctx context.Context, env *Env, resolve Resolver, t undoable) error {
	u, _ := resolve(t.Step)
	r, ok := u.(Resumer)
	if !ok || ctx.Err() != nil {
		return nil
	}
	return r.Resume(ctx, env, t.before)
}

func undoOne(ctx context.Context, env *Env, journal *Journal, scope Scope, resolve Resolver, t undoable) (UndoOutcome,
	error) {
	o := UndoOutcome{ID: t.Step, Title: t.Title, Status: Undone}
	u, ok := resolve(t.Step)
	if !ok {
		o.Status = Kept
		return o, nil
	}
	fail := func(err error) (UndoOutcome, error) {
		o.Status, o.Why = UndoFailed, err.Error()
		journal.ledger.noteUndoFailed(t.Step)
		return o, err
	}
	err := u.Undo(ctx, env, t.before)
	var left *LeftError
	if errors.As(err, &left) {
		o.Status, o.Why, o.Data = Left, left.Error(), left.Data
		if err := journal.write(record{Op: opLeft, Step: t.Step}); err != nil {
			return fail(err)
		}
		return o, nil
	}
	if err != nil {
		return fail(err)
	}
	if err := journal.write(record{Op: opUndone, Step: t.Step, All: scope == Everything}); err != nil {
		return fail(err)
	}
	return o, nil
}

// undoable is an entry with the state that the undo is to bring back.
type undoable struct {
	Entry
	before json.RawMessage
	at     int
}

// toUndo lists what an undo has to do, last change first.
func (l *Ledger) toUndo(scope Scope) []undoable {
	var out []undoable
	for _, e := range l.Entries() {
		switch {
		case scope == Everything:
			out = append(out, undoable{e, e.Before, e.order})
		case e.attempt != nil:
			out = append(out, undoable{e, e.attempt.before, e.attempt.order})
		}
	}
	slices.SortFunc(out, func(a, b undoable) int { return b.at - a.at })
	return out
}

func nameOf(e Entry) string {
	if e.Title != "" {
		return e.Title
	}
	return e.Step
}

// Remaining is something of ours that is still on the host.
type Remaining struct {
	ID    string   `json:"id"`              // the step: its kind, and its object after a colon
	Title string   `json:"title,omitempty"` // the step, for people
	What  []string `json:"what"`            // what is left of it, for people
}

// Verify looks for what is still on the host of all that the journal knows, also of what it believes undone. It changes
// nothing. A kind that is not undone, or cannot tell, is reported as long as its entry is not undone.
func Verify(ctx context.Context, env *Env, journal *Journal, resolve Resolver) ([]Remaining, error) {
	work := *env
	work.Ledger = journal.ledger
	var out []Remaining
	var errs []error
	for _, e := range journal.ledger.History() {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		what, err := remains(ctx, &work, resolve, e)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot verify %q: %w", nameOf(e), err))
		}
		if len(what) > 0 {
			out = append(out, Remaining{ID: e.Step, Title: e.Title, What: what})
		}
	}
	return out, errors.Join(errs...)
}

func remains(ctx context.Context, env *Env, resolve Resolver, e Entry) ([]string, error) {
	u, ok := resolve(e.Step)
	if r, can := u.(Remainer); ok && can {
		return r.Remains(ctx, env, e.Before)
	}
	if e.Undone {
		return nil, nil
	}
	if !ok {
		return []string{e.Step + " (data, not undone)"}, nil
	}
	return []string{e.Step}, nil
}
