package lab

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestOutputEndsWithItsContext: also when the command has left its work to a child that holds the pipe, as nsenter
// does. Else a host that hangs while it boots would keep its lab from ever ending. Without the child's end output does
// not return, since another process could still write.
func TestOutputEndsWithItsContext(t *testing.T) {
	started := filepath.Join(t.TempDir(), "child")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for t.Context().Err() == nil {
			if _, err := os.Stat(started); err == nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	k := keeper{reaper: newReaper()}
	if _, err := k.output(ctx, "sh", "-c", `(touch "$1"; exec sleep 1000) & wait`, "sh", started); err == nil {
		t.Error("a command that was cut off counts as done")
	}
}
