// Package exit has the exit codes of fate-installer, and the errors that carry one of them or a hint: what ends a
// command with a code of its own is found far below the command.
package exit

import (
	"context"
	"errors"

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
	Payload     = 4
	Step        = 5   // a step failed; running the same command again is safe
	NotReady    = 6   // installed, but a program is not ready
	Locked      = 7   // another run holds the lock
	Unproven    = 8   // upgrade, rollback: everything is ready, but the tables are wrong or the toy test failed
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

// HintOf finds the outermost hint in err's chain.
func HintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

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

// Given is the exit code that was given to err by [With]; 0: none.
func Given(err error) int {
	var coded *codedError
	if errors.As(err, &coded) {
		return coded.code
	}
	return 0
}
