package database

import (
	"context"
	"errors"
	"testing"
	"time"

	"fate-installer/installer/host"
)

// TestWhileRoom: one look at a full file system ends nothing, two in a row do, and the cause says which it is.
func TestWhileRoom(t *testing.T) {
	looks := []bool{true, false, true, true, false}
	at := 0
	ctx, end := whileNotFull(t.Context(), "/data", time.Millisecond, func() bool { at++; return looks[at-1] })
	<-ctx.Done()
	end()
	var full *FullError
	if !errors.As(context.Cause(ctx), &full) || full.Path != "/data" || at != 4 {
		t.Errorf("after %d looks: %v", at, context.Cause(ctx))
	}
}

// TestRoomIsNotLookedAtAfterTheEnd: the caller closes the host when the work is done. The race detector sees a look
// that does not come before that.
func TestRoomIsNotLookedAtAfterTheEnd(t *testing.T) {
	h, err := host.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	looked := make(chan struct{}, 1)
	_, end := whileNotFull(t.Context(), "/", time.Millisecond, func() bool {
		select {
		case looked <- struct{}{}:
		default:
		}
		_, err := h.Space("/")
		return err != nil
	})
	<-looked
	end()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}
