package supervisor

import (
	"context"
	"sync"
	"time"
)

// Event is a change of a program's state or readiness, or something said about it.
type Event struct {
	Seq   uint64    `json:"seq"`
	Time  time.Time `json:"time"`
	Name  string    `json:"name"`
	Group string    `json:"group"`
	From  State     `json:"from"`
	State State     `json:"state"`
	Ready bool      `json:"ready"`
	PID   int       `json:"pid"`
	Text  string    `json:"text"` // one line for people
}

// eventLog keeps the latest events for clients that ask what happened since.
type eventLog struct {
	mu     sync.Mutex
	events []Event // the last eventsKept
	seq    uint64
	more   chan struct{} // closed when an event is added, then replaced
}

// eventsKept bounds the memory; a client that polls sees far fewer between two calls.
const eventsKept = 2000

func newEventLog() *eventLog { return &eventLog{more: make(chan struct{})} }

func (l *eventLog) add(e Event) {
	l.mu.Lock()
	l.seq++
	e.Seq = l.seq
	l.events = append(l.events, e)
	if len(l.events) >= 2*eventsKept {
		l.events = append(make([]Event, 0, 2*eventsKept), l.events[len(l.events)-eventsKept:]...)
	}
	close(l.more)
	l.more = make(chan struct{})
	l.mu.Unlock()
}

func (l *eventLog) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// after returns the events with a number above seq, waiting for one until the context ends.
func (l *eventLog) after(ctx context.Context, seq uint64) []Event {
	for {
		l.mu.Lock()
		first := l.seq - uint64(len(l.events)) + 1
		if l.seq > seq {
			from := 0
			if seq >= first {
				from = int(seq - first + 1)
			}
			out := append([]Event(nil), l.events[from:]...)
			l.mu.Unlock()
			return out
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
	}
}
