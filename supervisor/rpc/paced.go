package rpc

import (
	"net/http"
	"time"
)

// Time for a client that reads an answer. Each piece has writeTimeout: a slow client gets the whole answer, and one
// that reads nothing is left. An answer of any size has answerTimeout at most, since a large one holds a turn; what
// follows a log has no such end.
const (
	pieceBytes    = 64 << 10 // fits into the buffer of a unix socket
	writeTimeout  = 30 * time.Second
	answerTimeout = 45 * time.Second
)

// paced writes an answer in pieces, each with a deadline of its own.
type paced struct {
	w           http.ResponseWriter
	setDeadline func(time.Time) error
	now         func() time.Time
	end         time.Time // zero: none
}

// pace paces what is written to w. The answer ends after limit; 0 means that it has no end.
func pace(w http.ResponseWriter, limit time.Duration) *paced {
	p := &paced{w: w, setDeadline: http.NewResponseController(w).SetWriteDeadline, now: time.Now}
	if limit > 0 {
		p.end = p.now().Add(limit)
	}
	return p
}

// Write implements [io.Writer].
func (p *paced) Write(data []byte) (written int, err error) {
	for len(data) > 0 && err == nil {
		n := 0
		p.renew()
		n, err = p.w.Write(data[:min(len(data), pieceBytes)])
		data, written = data[n:], written+n
	}
	return written, err
}

// renew sets the deadline of the next piece. Without deadlines, as in tests, a client may take as long as it likes.
func (p *paced) renew() {
	deadline := p.now().Add(writeTimeout)
	if !p.end.IsZero() && p.end.Before(deadline) {
		deadline = p.end
	}
	_ = p.setDeadline(deadline)
}
