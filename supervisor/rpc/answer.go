package rpc

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/ochinchina/supervisord/faults"
)

// maxAnswerBytes bounds a whole answer, encoded.
const maxAnswerBytes = 12 << 20

// encoded is a value that is XML already.
type encoded []byte

// answer collects the parts of a multicall, each encoded, as long as they fit into one answer.
type answer struct {
	parts []any
	size  int
	full  bool
}

// add makes one call and adds its result. When the answer is full the call is not made any more, and its part says so.
func (a *answer) add(call func() (any, error)) {
	var v any
	var err error
	if a.full {
		err = &Fault{faults.Failed,
			fmt.Sprintf("FAILED: not called, since the answers to the calls before it have more than "+
				"%d bytes: make fewer calls at once", maxAnswerBytes)}
	} else {
		v, err = call()
	}
	part := encodePart(v, err)
	if !a.full && a.size+len(part) > maxAnswerBytes {
		a.full = true
		part = encodePart(nil, &Fault{faults.Failed,
			fmt.Sprintf("FAILED: called, but its result does not fit into an answer of %d bytes", maxAnswerBytes)})
	}
	a.size += len(part)
	a.parts = append(a.parts, encoded(part))
}

func encodePart(v any, err error) []byte {
	if err != nil {
		f := faultOf(err)
		v = map[string]any{"faultCode": f.Code, "faultString": f.Text}
	}
	var b bytes.Buffer
	writeValue(&b, v)
	return b.Bytes()
}

// Large answers are made and kept only so many at a time, for root and for all others apart. Others wait, and while
// they wait they hold a request, which is bounded too. They wait as long as a slow client may take for its answer.
const (
	largeAnswers = 2
	largeTimeout = answerTimeout
)

// isLarge reports whether the answer of a method may be large.
func isLarge(method string) bool {
	return method == "system.multicall" || strings.HasSuffix(method, "Log") && !strings.Contains(method, "clear")
}

// turns are the large answers that may be made now.
type turns chan struct{}

// take waits for a turn. It returns nil after largeTimeout, or when the client has gone.
func (t turns) take(ctx context.Context) (done func()) {
	ctx, cancel := context.WithTimeout(ctx, largeTimeout)
	defer cancel()
	select {
	case t <- struct{}{}:
		return func() { <-t }
	case <-ctx.Done():
		return nil
	}
}
