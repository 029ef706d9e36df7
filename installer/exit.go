package main

import (
	"context"
	"errors"
	"strings"

	"fate-installer/payload"
)

// Exit codes of every command. They are a contract with scripts; EXIT STATUS in each command's help repeats the ones it uses.
const (
	exitOK          = 0   // done; also: there was nothing to do
	exitUnexpected  = 1   // a bug or a failure with no code of its own
	exitUsage       = 2   // bad flags or a bad cluster file
	exitPreflight   = 3   // the host was refused by the checks; svc status: some program is not ready
	exitPayload     = 4   // the payload is damaged, missing, or its signature is wrong; svc status: the daemon is not running
	exitStep        = 5   // a step failed; running the same command again is safe
	exitNotReady    = 6   // installed, but a program is not ready
	exitLocked      = 7   // another run holds the lock
	exitUnproven    = 8   // upgrade, rollback: everything is ready, but the tables are wrong or the toy test failed
	exitContradicts = 9   // another command was interrupted and has to be completed first
	exitInterrupted = 130 // stopped by SIGINT or SIGTERM
)

// exitHelp is the one table of exit codes that help texts print.
const exitHelp = `  0    done, also when there was nothing to do
  1    unexpected error
  2    wrong usage or configuration
  3    refused by the preflight checks
  4    payload damaged or missing, or its signature is wrong
  5    a step failed; it is safe to run the same command again
  6    installed, but a program is not ready
  7    another run holds the lock
  9    another command was interrupted, and has to be completed first
  130  interrupted
`

// replaceExitHelp is exitHelp for upgrade and rollback.
var replaceExitHelp = strings.Replace(exitHelp, "  9 ", `  8    everything is ready, but the tables are wrong or the toy test failed; nothing is undone
  9 `, 1)

// codedError carries the exit code its command documents for it.
type codedError struct {
	err  error
	code int
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// exitCode gives err the exit code; nil stays nil.
func exitCode(err error, code int) error {
	if err == nil {
		return nil
	}
	return &codedError{err, code}
}

// silentError ends a command with a code after it has said everything itself.
type silentError struct{ code int }

func (e *silentError) Error() string { return "" }

// exitSilently ends the command with code and prints nothing more.
func exitSilently(code int) error { return &silentError{code} }

// hintedError adds what to try next; any error may have a Hint method of its own.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }
func (e *hintedError) Hint() string  { return e.hint }

// withHint adds the next command to try to err; nil stays nil.
func withHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hintedError{err, hint}
}

// codeOf finds the exit code for err: the outermost code given by a command, else what the error's type says.
func codeOf(ctx context.Context, err error) int {
	var silent *silentError
	var coded *codedError
	var corrupt *payload.CorruptError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &silent):
		return silent.code
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &corrupt), errors.Is(err, payload.ErrNoPayload):
		return exitPayload
	}
	return exitUnexpected
}

// hintOf finds the outermost hint in err's chain.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// logPathOf finds the path of the log that has the details, when the error knows one.
func logPathOf(err error) string {
	var l interface{ LogPath() string }
	if errors.As(err, &l) {
		return l.LogPath()
	}
	return ""
}
