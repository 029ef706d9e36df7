package main

import (
	"time"

	"fate-installer/supervisor"
)

// bootClock is the time of the clock that counts from the start of this host and that is never set, as a time.Time:
// what one probe keeps for the next compares such times, with the boot's identity with them. With the wall clock, a
// time service that corrects it would take a nodemanager out or restart FATE-Flow.
func bootClock() time.Time {
	now := supervisor.BootClock()
	if now == 0 {
		return time.Now()
	}
	return time.Unix(0, int64(now)).UTC()
}
