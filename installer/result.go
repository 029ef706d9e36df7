package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"fate-installer/installer/exit"
)

// resultWriter is standard output, and remembers the first write that failed, so that a command whose result was lost
// does not end as if it had been printed. The error also goes to the caller: who follows a log ends with it.
type resultWriter struct {
	io.Writer
	mu    sync.Mutex
	first error
}

func (r *resultWriter) Write(p []byte) (int, error) {
	n, err := r.Writer.Write(p)
	if err != nil {
		r.mu.Lock()
		if r.first == nil {
			r.first = err
		}
		r.mu.Unlock()
	}
	return n, err
}

// lost is the error of a command that succeeded and could not say so; nil when everything was written.
func (r *resultWriter) lost() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil {
		return nil
	}
	cause := r.first
	var errno syscall.Errno
	if errors.As(cause, &errno) {
		cause = errno
	}
	return exit.Hint(fmt.Errorf("cannot write the result to standard output: %w", cause),
		"the command itself was successful; run it again with output to a terminal or a file on a disk with room")
}

// unwrapped is the file behind a writer of results.
func unwrapped(w io.Writer) io.Writer {
	if t, ok := w.(*teeWriter); ok {
		w = t.Writer
	}
	if r, ok := w.(*resultWriter); ok {
		w = r.Writer
	}
	if s, ok := w.(*sharedWriter); ok {
		w = s.Writer
	}
	if t, ok := w.(*terminalWriter); ok {
		w = t.File
	}
	return w
}

// surviveClosedPipes makes writes to a pipe whose reader is gone fail, instead of ending the process: "install | head"
// would stop half way. A handler, other than ignoring the signal, is not inherited by programs that are started.
func surviveClosedPipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
