package tools

import (
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// kill sends a signal, TERM unless -SIGNAL or -s SIGNAL names another, to processes and, with negative numbers after
// --, to process groups. The status is 1 when one of them could not be signalled.
func kill(s streams, args []string) int {
	signal := unix.SIGTERM
	if len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && args[0] != "--" {
		name := args[0][1:]
		args = args[1:]
		if name == "s" && len(args) > 0 {
			name, args = args[0], args[1:]
		}
		var ok bool
		if signal, ok = parseSignal(name); !ok {
			return s.fail(1, "kill", "unknown signal %q", name)
		}
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return s.fail(1, "kill", "no process given; usage: kill [-SIGNAL] PID...")
	}
	status := 0
	for _, a := range args {
		pid, err := strconv.Atoi(a)
		if err != nil {
			status = s.fail(1, "kill", "%q is not a process ID", a)
		} else if err := unix.Kill(pid, signal); err != nil {
			status = s.fail(1, "kill", "(%d): %v", pid, err)
		}
	}
	return status
}

// parseSignal reads a number or a name with or without SIG.
func parseSignal(name string) (syscall.Signal, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return syscall.Signal(n), n >= 0 && n <= 64
	}
	n := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
	return n, n != 0
}
