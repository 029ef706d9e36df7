package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootClock is the time of the clock that counts from the start of this host and that is never set, as a time.Time: what
// one probe keeps for the next compares such times, with the boot's identity beside them. With the wall clock, a time
// service that corrects it would take a nodemanager out or restart FATE-Flow.
func bootClock() time.Time {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Now()
	}
	return time.Unix(0, now.Nano()).UTC()
}
