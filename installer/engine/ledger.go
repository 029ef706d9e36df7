package engine

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"
)

// Entry is the ledger's record of one step.
type Entry struct {
	Step      string          `json:"step"`
	Title     string          `json:"title,omitempty"`
	Component string          `json:"component,omitempty"`
	Before    json.RawMessage `json:"before,omitempty"` // the state of the host before the first begin
	Since     time.Time       `json:"since"`            // of the first begin
	Changed   time.Time       `json:"changed"`          // of the last begin
	Done      bool            `json:"done"`             // the last begin was completed
	Undone    bool            `json:"undone,omitempty"` // it is history: the host is as before
	Left      bool            `json:"left,omitempty"`   // an undo left it, because it was changed

	marks     []string
	completed bool   // done at least once
	current   string // the mark when it was last done
	attempt   *begin // the first begin since the last run that succeeded
	order     int

	repaired    int // the last begin of a repair; 0: none
	completedAt int // begins of all steps before it was last done
}

// begin is the part of a begin record that an undo needs.
type begin struct {
	before    json.RawMessage
	order     int
	completed bool   // of the entry, at that time
	current   string // of the entry, at that time

	repaired, completedAt int // of the entry, at that time
}

// Ledger lists everything that the installer touched, with the state before. It is the sum of the journal's records
// and safe for concurrent use.
type Ledger struct {
	mu      sync.Mutex
	entries map[string]*Entry
	count   int // begins so far
	last    LastRun
	failed  []string // steps whose undo has failed in this process
}

// LastRun is the journal's record of the last run.
type LastRun struct {
	Changes   int    // steps that it began to apply
	Step      string // title of the last of them
	Ended     bool   // it came to an end, good or bad: it was not killed
	Succeeded bool   // a run ended well, this one or an earlier one
}

// LastRun returns what is known of the last run.
func (l *Ledger) LastRun() LastRun {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func newLedger() *Ledger { return &Ledger{entries: map[string]*Entry{}} }

// Wrote returns the marks of everything that the step left or was about to leave, oldest first. What is on the host and
// is not among them is the work of others.
func (l *Ledger) Wrote(step string) []string {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[step]
	if e == nil {
		return nil
	}
	return slices.Clone(e.marks)
}

// Completed reports whether the step was ever done by a run and has not been undone since.
func (l *Ledger) Completed(step string) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[step]
	return e != nil && e.completed
}

// Current returns the mark with which the step was last completed, and whether it ever was. A later begin that was
// cut off does not count, but between its Apply and the check that follows a step counts as completed.
func (l *Ledger) Current(step string) (mark string, completed bool) {
	if l == nil {
		return "", false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[step]
	if e == nil || !e.completed {
		return "", false
	}
	return e.current, true
}

// RepairedSince returns the first of the other steps that has repaired what others had changed since the step was last
// done; blank when there is none. A repair counts from its begin, since it may have been cut off when it was made.
func (l *Ledger) RepairedSince(step string, others []string) string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[step]
	if e == nil || !e.completed {
		return ""
	}
	i := slices.IndexFunc(others, func(id string) bool {
		return l.entries[id] != nil &&
			l.entries[id].repaired > e.completedAt
	})
	if i < 0 {
		return ""
	}
	return others[i]
}

// noteUndoFailed remembers, in memory only, that the undo of the step has failed.
func (l *Ledger) noteUndoFailed(step string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, step)
}

// UndoFailedBelow returns a step whose object is below the directory and whose undo has failed in this process; blank
// when there is none. Who made the directory has to be undone after it, and so by the next undo.
func (l *Ledger) UndoFailedBelow(dir string) string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.failed, func(id string) bool { return strings.Contains(id, dir+"/") }); i >= 0 {
		return l.failed[i]
	}
	return ""
}

// begunOnly reports whether the step was begun and neither completed nor undone.
func (l *Ledger) begunOnly(step string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[step]
	return e != nil && !e.Done && !e.Undone && !e.Left
}

// first returns the Before of the first begin, or nil.
func (l *Ledger) first(step string) json.RawMessage {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entries[step]; e != nil && !e.Undone {
		return e.Before
	}
	return nil
}

// noteApplied remembers, in memory only, that Apply of the step has returned.
func (l *Ledger) noteApplied(step string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entries[step]; e != nil {
		e.complete(l.count)
	}
}

// Entries returns everything ever touched and not undone, in the order in which it was first begun.
func (l *Ledger) Entries() []Entry {
	return l.list(func(e *Entry) bool { return !e.Undone })
}

// History returns everything ever touched, also what was undone.
func (l *Ledger) History() []Entry {
	return l.list(func(*Entry) bool { return true })
}

func (l *Ledger) list(want func(*Entry) bool) []Entry {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Entry
	for _, e := range l.entries {
		if want(e) {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return a.order - b.order })
	return out
}

// apply adds a record of the journal.
func (l *Ledger) apply(r record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[r.Step]
	switch r.Op {
	case opRun:
		l.last = LastRun{Succeeded: l.last.Succeeded}
	case opBegin:
		l.last.Changes, l.last.Step = l.last.Changes+1, r.Title
		l.begin(e, r)
	case opDone:
		if e != nil {
			e.Done = true
			e.complete(l.count)
		}
	case opUndone:
		if e != nil {
			e.undone(r)
		}
	case opLeft:
		if e != nil {
			e.Left = true
		}
	case opEnd:
		l.last.Ended = true
		l.last.Succeeded = l.last.Succeeded || r.OK
		if r.OK {
			for _, e := range l.entries {
				e.attempt = nil
			}
		}
	}
}

func (l *Ledger) begin(e *Entry, r record) {
	l.count++
	if e == nil || e.Undone {
		e = &Entry{Step: r.Step, Before: r.Before, Since: r.Time, order: l.count}
		l.entries[r.Step] = e
	}
	if r.First != nil {
		e.Before = r.First
	}
	if e.attempt == nil {
		e.attempt = &begin{
			before: r.Before, order: l.count, completed: e.completed, current: e.current, repaired: e.repaired,
			completedAt: e.completedAt,
		}
	}
	if r.Repair {
		e.repaired = l.count
	}
	e.Title, e.Component, e.Changed, e.Done, e.Left = r.Title, r.Component, r.Time, false, false
	// The newest mark is the last one, also when an older release is installed again.
	e.marks = slices.DeleteFunc(e.marks, func(m string) bool { return m == r.Mark })
	if r.Mark != "" {
		e.marks = append(e.marks, r.Mark)
	}
}

// complete notes that what the last begin announced is there, after a number of begins.
func (e *Entry) complete(begins int) {
	e.completed, e.current, e.completedAt = true, "", begins
	if n := len(e.marks); n > 0 {
		e.current = e.marks[n-1]
	}
}

// undone notes that the step was undone: for good, or back to what it was before the last attempt. All marks are
// kept, for what was put back is ours too.
func (e *Entry) undone(r record) {
	attempt := e.attempt
	e.attempt = nil
	if r.All || attempt == nil || attempt.order == e.order {
		e.Undone, e.Done, e.Left, e.completed, e.current = true, false, false, false, ""
		e.repaired, e.completedAt = 0, 0
		return
	}
	e.repaired, e.completedAt = attempt.repaired, attempt.completedAt
	e.Done, e.completed, e.current = attempt.completed, attempt.completed, attempt.current
}
