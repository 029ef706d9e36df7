package rpc

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// slowClient takes an answer piece by piece, each after some time, and nothing after the deadline.
type slowClient struct {
	*httptest.ResponseRecorder
	clock    time.Time
	deadline time.Time
	each     time.Duration
}

func (c *slowClient) Write(p []byte) (int, error) {
	if c.clock = c.clock.Add(c.each); c.clock.After(c.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	return c.ResponseRecorder.Write(p)
}

// TestSlowClient: how long an answer may take depends on whether the client reads, and not on the size of the answer.
func TestSlowClient(t *testing.T) {
	tests := []struct {
		name   string
		each   time.Duration
		limit  time.Duration
		pieces int // that arrive
		fails  bool
	}{
		{"a slow one gets all of it", 3 * time.Second, answerTimeout, 12, false},
		{"one that reads nothing is left", writeTimeout + 1, answerTimeout, 0, true},
		{"an answer has an end", 29 * time.Second, answerTimeout, 1, true},
		{"what follows a log has none", 29 * time.Second, 0, 12, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &slowClient{ResponseRecorder: httptest.NewRecorder(), clock: time.Now(), each: tt.each}
			p := pace(c, tt.limit)
			p.now = func() time.Time { return c.clock }
			p.setDeadline = func(d time.Time) error { c.deadline = d; return nil }
			if tt.limit > 0 {
				p.end = c.clock.Add(tt.limit)
			}
			data := bytes.Repeat([]byte("0123456789abcdef"), 12*pieceBytes/16)
			n, err := p.Write(data)
			if n != tt.pieces*pieceBytes || !bytes.Equal(c.Body.Bytes(), data[:n]) ||
				errors.Is(err, os.ErrDeadlineExceeded) != tt.fails || !tt.fails && err != nil {
				t.Errorf("%d of %d pieces, %v", n/pieceBytes, tt.pieces, err)
			}
		})
	}
}

// TestLastLinesOfAHugeFile: a file of a terabyte that has no line takes no time, and its end is what is shown.
func TestLastLinesOfAHugeFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 1 << 40
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if at := lastLines(f, 10); at != size-maxTailBytes {
		t.Errorf("begins %d bytes before the end", size-at)
	}
	if _, err := f.WriteAt([]byte("\none\ntwo\n"), size-9); err != nil {
		t.Fatal(err)
	}
	if at := lastLines(f, 2); at != size-8 {
		t.Errorf("the last two lines begin %d bytes before the end", size-at)
	}
}
