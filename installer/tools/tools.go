// Package tools has small versions of the programs that eggroll's scripts call and that a minimal host may lack: ps,
// kill, xargs, grep, awk and which.
//
// eggroll (2.0 to 2.5) stops a worker with
//
//	ps aux | grep 'session-id S' | grep ... | grep -v eggroll_boot.sh | awk '{print $2}' | xargs kill
//
// and eggroll 2.5 looks every ten seconds whether it lives with
//
//	ps aux | awk '{print $2}' | grep -w PID
//
// Without any of them workers are never stopped, and sessions are ended that are still computing. busybox cannot stand
// in for ps: the process ID is the first column there, not the second.
//
// The executable acts as a tool when it is called by the tool's name, as it is through the links that an installation
// has in the last directory of its programs' PATH: a host's own programs come first, unless they do not do the above.
// Then there is a link in the first directory, too.
package tools

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// streams are the standard streams of a tool.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// tool runs with the arguments after its name and returns the exit status.
type tool func(s streams, args []string) int

var all = map[string]tool{"awk": awk, "grep": grep, "kill": kill, "ps": ps, "which": which, "xargs": xargs}

// Names lists the tools in alphabetical order.
func Names() []string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Run acts as the tool whose name is the last element of argv[0], and returns its exit status. ok is false when there
// is no such tool.
func Run(argv []string) (status int, ok bool) {
	if len(argv) == 0 {
		return 0, false
	}
	t := all[filepath.Base(argv[0])]
	if t == nil {
		return 0, false
	}
	return t(streams{os.Stdin, os.Stdout, os.Stderr}, argv[1:]), true
}

// fail prints an error of a tool and returns status.
func (s streams) fail(status int, name, format string, args ...any) int {
	fmt.Fprintf(s.err, "%s: %s\n", name, fmt.Sprintf(format, args...))
	return status
}
