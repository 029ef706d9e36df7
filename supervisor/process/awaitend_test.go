package process

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"
)

// TestAwaitEnd waits for a process, also for one that its parent never takes note of, and no longer than its context.
func TestAwaitEnd(t *testing.T) {
	cmd := exec.Command("cat") // runs until its input ends
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	was, err := ReadStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*pollInterval)
	defer cancel()
	if err := AwaitEnd(ctx, was.PID, was.Start); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it runs: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- AwaitEnd(t.Context(), was.PID, was.Start) }()
	select {
	case err := <-ended:
		t.Errorf("it returned while the process runs: %v", err)
	case <-time.After(2 * pollInterval):
	}
	if err := input.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil { // it is a zombie until Wait
		t.Errorf("of a zombie: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := AwaitEnd(t.Context(), was.PID, was.Start); err != nil {
		t.Errorf("of a process that is gone: %v", err)
	}
}
