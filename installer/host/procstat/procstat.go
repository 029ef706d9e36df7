// Package procstat reads the kernel's line about a process, /proc/PID/stat.
package procstat

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// Stat has the fields of the line that matter here; see proc(5).
type Stat struct {
	PID, PPID, PGRP, Session int
	Name                     string // of the program, cut by the kernel; it may hold anything
	State                    byte   // R, S, D, Z, ...
	TTY                      int    // the device number of the controlling terminal
	Threads                  int
	Busy                     int64  // clock ticks of processor time, in user mode and in the kernel
	Start                    uint64 // clock ticks from boot to the start of the process
	Size                     int64  // of its address space, in bytes
	Resident                 int64  // pages of it that are in memory
}

// TicksPerSecond is USER_HZ, the unit of times; it is 100 on every platform that Linux's user space has.
const TicksPerSecond = 100

// Dead reports whether nothing of the process runs any more. One whose first thread has ended is shown as a zombie
// while others go on.
func (st *Stat) Dead() bool { return (st.State == 'Z' || st.State == 'X') && st.Threads <= 1 }

var errForm = errors.New("the process's stat file has an unknown form")

// Parse reads the line. The second field is the name in parentheses and may itself contain spaces and parentheses, so
// the fields are counted from the last one.
func Parse(data []byte) (Stat, error) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 1 || end < open {
		return Stat{}, errForm
	}
	fields := strings.Fields(string(data[end+1:]))
	const first, last = 3, 24 // numbers of fields as proc(5) counts them: the state follows the name
	if len(fields) <= last-first {
		return Stat{}, errForm
	}
	var failed error
	number := func(field int) int64 {
		n, err := strconv.ParseInt(fields[field-first], 10, 64)
		failed = errors.Join(failed, err)
		return n
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(data[:open])))
	start, err2 := strconv.ParseUint(fields[22-first], 10, 64)
	st := Stat{PID: pid, Name: string(data[open+1 : end]), State: fields[0][0], PPID: int(number(4)),
		PGRP: int(number(5)), Session: int(number(6)), TTY: int(number(7)), Busy: number(14) + number(15),
		Threads: int(number(20)), Start: start, Size: number(23), Resident: number(24)}
	if errors.Join(err, err2, failed) != nil {
		return Stat{}, errForm
	}
	return st, nil
}
