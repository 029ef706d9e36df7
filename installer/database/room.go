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
	fullTimeout  = 10 * time.Second
)

// FullError is a file system without room for the database.
type FullError struct{ Path string }

func (e *FullError) Error() string {
	return fmt.Sprintf("the file system of %s is full, and the database server waits for room", e.Path)
}

// whileRoom returns a context that ends with a [FullError] when the file system of data stays full, and the end of the
// looks. When that has returned, h is not used any more.
func whileRoom(ctx context.Context, h *host.Host, data string) (context.Context, func()) {
	return whileNotFull(ctx, data, roomInterval, func() bool {
		space, err := h.Space(data)
		return err == nil && space.Free < leastRoom
	})
}

func whileNotFull(ctx context.Context, data string, interval time.Duration, full func() bool) (context.Context,
	func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for looks := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if !full() {
				looks = 0
			} else if looks++; looks == 2 {
				cancel(&FullError{Path: data})
				return
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled); <-ended }
}
