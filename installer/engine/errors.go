package engine

import (
	"errors"
	"fmt"
)

// ErrNoSupervisor is the cause when the supervisor does not run.
var ErrNoSupervisor = errors.New("the supervisor is not running")

// Phase is the part of a step's work in which it failed.
type Phase string

// The phases of a step.
const (
	PhaseCheck   Phase = "check"
	PhaseJournal Phase = "journal"
	PhaseApply   Phase = "apply"
	PhaseVerify  Phase = "verify" // the check after apply
)

// StepError is the failure of one step. Running again is safe.
type StepError struct {
	ID    string
	Title string
	Phase Phase
	Err   error
}

func (e *StepError) Error() string {
	name := e.Title
	if name == "" {
		name = e.ID
	}
	switch e.Phase {
	case PhaseCheck:
		return fmt.Sprintf("cannot check %q: %v", name, e.Err)
	case PhaseVerify:
		return fmt.Sprintf("cannot complete %q: it was applied, and yet %v", name, e.Err)
	}
	return fmt.Sprintf("cannot complete %q: %v", name, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// LeftError is returned by an Undo that left something because it is no longer as we made it.
type LeftError struct {
	What string // the object: a path, a user
	Why  string
	Data bool // true: programs left data in it; false: it was changed
}

func (e *LeftError) Error() string { return fmt.Sprintf("left %s: %s", e.What, e.Why) }

// LockedError means that another run holds the lock.
type LockedError struct {
	Path string
	PID  int // 0: not known
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return "cannot start: another run holds " + e.Path
	}
	return fmt.Sprintf("cannot start: process %d is at work (it holds %s)", e.PID, e.Path)
}

// Repeat says what to do before the command is run again.
func (e *LockedError) Repeat() (before, after string) {
	if e.PID == 0 {
		return "wait until it ends, then", ""
	}
	return fmt.Sprintf("wait until it ends (ps -fp %d shows it), then", e.PID), ""
}

// WithHint adds to an error what to do about it: the error that it returns has a method Hint.
func WithHint(err error, hint string) error { return &hintedError{err, hint} }

type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }
func (e *hintedError) Hint() string  { return e.hint }

// WithRepeat adds to an error that the same command is to be run again, with the words before and after that: the error
// that it returns has a method Repeat. What prints the error knows the command.
func WithRepeat(err error, before, after string) error { return &repeatedError{err, before, after} }

type repeatedError struct {
	err           error
	before, after string
}

func (e *repeatedError) Error() string                  { return e.err.Error() }
func (e *repeatedError) Unwrap() error                  { return e.err }
func (e *repeatedError) Repeat() (before, after string) { return e.before, e.after }
