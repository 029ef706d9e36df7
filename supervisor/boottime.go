package supervisor

import (
	"time"

	"golang.org/x/sys/unix"
)

// Durations are differences of the boot clock, which counts from the start of the host, also while it sleeps, and which
// no administrator and no time service sets. Points in time that are shown or written are the wall clock's. What is
// kept for the next supervisor of the same boot has both.

// BootClock is the time since the host was started; 0 when the kernel does not tell (clock_gettime(2), CLOCK_BOOTTIME).
func BootClock() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

// measure sets how long a program has been in its state, and its process has run.
func (sup *Supervisor) measure(st *Status) {
	now := sup.bootNow()
	st.StateSeconds = max(0, now-st.sinceBoot).Seconds()
	if st.startedBoot > 0 {
		st.UpSeconds = max(0, now-st.startedBoot).Seconds()
	}
}

// InState is how long the program has been in its state.
func (st *Status) InState() time.Duration { return fromSeconds(st.StateSeconds) }

// Up is how long ago the process, or the last one, was started; 0 when there was none.
func (st *Status) Up() time.Duration { return fromSeconds(st.UpSeconds) }

func fromSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
