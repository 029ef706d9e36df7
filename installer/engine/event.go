package engine

import (
	"time"
)

// EventKind says what happened to a step.
type EventKind string

// The kinds of events. Each step has at most one of Unchanged, Changed, Failed, Interrupted, Skipped.
const (
	Started   EventKind = "started"   // its check began
	Applying  EventKind = "applying"  // it is not done and is being applied; Why says what is missing
	Unchanged EventKind = "unchanged" // it was done
	Changed   EventKind = "changed"   // it was applied
	Failed    EventKind = "failed"    // see Err
	Skipped   EventKind = "skipped"   // not begun, because another step failed or the run was interrupted

	// Interrupted is a step that was stopped halfway because the run was interrupted; see Err. The next run completes
	// it.
	Interrupted EventKind = "interrupted"
)

// Event tells about the progress of a run.
type Event struct {
	Kind      EventKind
	ID        string
	Title     string
	Component string
	Why       string        // of Applying
	Note      string        // of Unchanged and Changed
	Drift     bool          // of Applying and Changed: an earlier run had done it, and it was undone
	Kept      bool          // of Changed: what was there stayed as it was
	Err       error         // of Failed and Interrupted
	Elapsed   time.Duration // of the final events, since Started
}

// Outcome is how a run ended for one step.
type Outcome struct {
	ID        string        `json:"id"`                  // the step: its kind, and its object after a colon
	Title     string        `json:"title"`               // the step, for people
	Component string        `json:"component,omitempty"` // the component that it belongs to
	Status    EventKind     `json:"status"`              // unchanged, changed, failed, skipped or interrupted
	Why       string        `json:"why,omitempty"`       // what was missing before
	Note      string        `json:"note,omitempty"`      // what the step has to say about its result
	Drift     bool          `json:"drift,omitempty"`     // it had been done, and was undone by others
	Error     string        `json:"error,omitempty"`     // why it failed
	Start     time.Duration `json:"start_ns"`            // since the run began
	Elapsed   time.Duration `json:"elapsed_ns"`          // how long it took
}

// Report is the result of a run.
type Report struct {
	Run      string        `json:"run"` // its ID in the journal
	Steps    []Outcome     `json:"steps"`
	Elapsed  time.Duration `json:"elapsed_ns"`
	Critical []string      `json:"critical_path,omitempty"` // IDs of the steps that made the run as long as it was
	Warnings []string      `json:"warnings,omitempty"`
}

// Count returns how many steps ended with a status.
func (r Report) Count(status EventKind) int {
	n := 0
	for _, s := range r.Steps {
		if s.Status == status {
			n++
		}
	}
	return n
}
