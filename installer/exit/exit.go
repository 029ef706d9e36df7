// Package exit has the exit codes of fate-installer, and the errors that carry one of them or a hint: what ends a
// command with a code of its own is found far below the command.
package exit

import (
	"context"
	"errors"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/payload"
)

// Exit codes of every command. They are a contract with scripts; EXIT STATUS in each command's help repeats the ones it
// uses.
const (
	OK         = 0 // done; also: there was nothing to do
	Unexpected = 1 // a bug or a failure with no code of its own
	Usage      = 2 // bad flags or a bad cluster file
	Preflight  = 3 // the host was refused by the checks; svc status: some program is not ready
	// the payload is damaged, missing, or its signature is wrong; svc status: the daemon is not running
	Payload  = 4
	Step     = 5 // a step failed; running the same command again is safe
	NotReady = 6 // installed, but a program is not ready
	Locked   = 7 // another run holds the lock
	// upgrade, rollback: everything is ready, but the tables are wrong or the toy test failed; backup create: the
	// backup is made, but lacks files
	Unproven    = 8
	Contradicts = 9   // another command was interrupted and has to be completed first
	Interrupted = 130 // stopped by SIGINT or SIGTERM
)

// codedError carries the exit code its command documents for it.
type codedError struct {
	err  error
	code int
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// With gives err the exit code; nil stays nil.
func With(err error, code int) error {
	if err == nil {
		return nil
	}
	return &codedError{err, code}
}

// silentError ends a command with a code after it has said everything itself.
type silentError struct{ code int }

func (e *silentError) Error() string { return "" }

// Silently ends the command with code and prints nothing more.
func Silently(code int) error { return &silentError{code} }

// Hint adds the next command to try to err; nil stays nil.
func Hint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return engine.WithHint(err, hint)
}

// CodeOf finds the exit code for err: the outermost code given by a command, else what the error's type says.
func CodeOf(ctx context.Context, err error) int {
	var silent *silentError
	var coded *codedError
	var corrupt *payload.CorruptError
	switch {
	case err == nil:
		return OK
	case errors.As(err, &silent):
		return silent.code
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return Interrupted
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &corrupt), errors.Is(err, payload.ErrNoPayload):
		return Payload
	}
	return Unexpected
}

// Repeat adds to err that the same command is to be run again, between the words before and after; nil stays nil.
func Repeat(err error, before, after string) error {
	if err == nil {
		return nil
	}
	return engine.WithRepeat(err, before, after)
}

// Advice is what an error says to do about it.
type Advice struct {
	Before string // the whole hint where Repeat is false
	Repeat bool   // run the same command again
	After  string
}

// String is the advice as it is printed.
func (a Advice) String() string {
	if !a.Repeat {
		return a.Before
	}
	return strings.TrimPrefix(a.Before+" run the same command again"+a.After, " ")
}

// AdviceOf finds the outermost advice in err's chain: that of an error with a method Hint, or with a method Repeat.
func AdviceOf(err error) Advice {
	a, _ := adviceOf(err)
	return a
}

func adviceOf(err error) (Advice, bool) {
	switch e := err.(type) {
	case interface{ Repeat() (before, after string) }:
		before, after := e.Repeat()
		return Advice{before, true, after}, true
	case interface{ Hint() string }:
		return Advice{Before: e.Hint()}, true
	case interface{ Unwrap() error }:
		return adviceOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if a, ok := adviceOf(err); ok {
				return a, true
			}
		}
	}
	return Advice{}, false
}

// HintOf is the text of [AdviceOf].
func HintOf(err error) string { return AdviceOf(err).String() }

// LogPathOf finds the path of the log that has the details, when the error knows one.
func LogPathOf(err error) string {
	var l interface{ LogPath() string }
	if errors.As(err, &l) {
		return l.LogPath()
	}
	return ""
}

// DefaultHint adds hint to err unless err has one.
func DefaultHint(err error, hint string) error {
	if HintOf(err) != "" {
		return err
	}
	return Hint(err, hint)
}

// DefaultRepeat adds to err what [Repeat] does, unless err has a hint.
func DefaultRepeat(err error, before, after string) error {
	if HintOf(err) != "" {
		return err
	}
	return Repeat(err, before, after)
}

// Given is the exit code that was given to err by [With]; 0: none.
func Given(err error) int {
	var coded *codedError
	if errors.As(err, &coded) {
		return coded.code
	}
	return 0
}
