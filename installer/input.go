package main

import (
	"context"
	"fmt"
)

// input reads what a person or another program gives: standard input, a terminal, or a file that may be a pipe. It may
// wait for that for ever, so a signal ends the wait. The read itself goes on; the command is at its end then.
func input[T any](g *globals, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	got := make(chan result, 1)
	go func() {
		v, err := read()
		got <- result{v, err}
	}()
	select {
	case r := <-got:
		return r.value, r.err
	case <-g.interrupted:
		var none T
		return none, fmt.Errorf("interrupted: %w", context.Canceled)
	}
}
