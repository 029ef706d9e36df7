package database

import (
	"context"
	"fmt"
	"time"

	"fate-installer/installer/host"
)

// On a full file system a server does not fail: it looks every minute whether it can go on, for ever. What runs here is
// ended instead.
const (
	leastRoom    = 1 << 20     // bytes that a file system has left when it is taken for full
	roomInterval = time.Second // between two looks; two in a row end what runs
	fullPatience = 10 * time.Second
)

// FullError is a file system without room for the database.
type FullError struct{ Path string }

func (e *FullError) Error() string {
	return fmt.Sprintf("the file system of %s is full, and the database server waits for room", e.Path)
}

// whileRoom returns a context that ends with a [FullError] when the file system of data stays full.
func whileRoom(ctx context.Context, h *host.Host, data string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(roomInterval)
		defer tick.Stop()
		for full := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if space, err := h.Space(data); err != nil || space.Free >= leastRoom {
				full = 0
			} else if full++; full == 2 {
				cancel(&FullError{Path: data})
				return
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}
