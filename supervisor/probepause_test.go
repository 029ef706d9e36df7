package supervisor

import (
	"testing"
	"time"
)

// TestProbePause: a program that becomes ready is noticed soon, and what it costs to ask it stays small.
func TestProbePause(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct{ unready, took, interval, want time.Duration }{
		{0, 0, time.Second, 20 * ms},
		{100 * ms, 0, time.Second, 20 * ms},
		{3 * time.Second, ms, time.Second, 300 * ms},
		{time.Minute, ms, time.Second, time.Second},
		{100 * ms, 40 * ms, time.Second, 200 * ms}, // a command
		{time.Minute, 5 * time.Second, time.Second, time.Second},
		{0, 0, 10 * ms, 10 * ms}, // an interval of the program file
	} {
		if got := probePause(tt.unready, tt.took, tt.interval); got != tt.want {
			t.Errorf("not ready for %v, asked in %v, interval %v: pause %v, want %v", tt.unready, tt.took, tt.interval,
				got, tt.want)
		}
	}
}
