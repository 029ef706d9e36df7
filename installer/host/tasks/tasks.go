// Package tasks reads the limits on the number of processes and threads (the kernel counts both as tasks): pids.max
// of control groups, and the limits of the whole machine.
package tasks

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limit is one limit on tasks.
type Limit struct {
	Max  uint64 `json:"max"`
	Used uint64 `json:"used"` // tasks that count against it; 0 also where the kernel does not tell
	File string `json:"file"` // where the limit is read, and set
}

// Free is how many more tasks may be made.
func (l Limit) Free() uint64 { return l.Max - min(l.Max, l.Used) }

// Files that every Linux has (proc(5)).
const (
	ThreadsMax = "/proc/sys/kernel/threads-max"
	PIDMax     = "/proc/sys/kernel/pid_max"
	loadavg    = "/proc/loadavg"
)

const root = "/sys/fs/cgroup"

// ServiceGroups are the groups that every service of systemd is below.
var ServiceGroups = []string{root, root + "/pids", root + "/system.slice", root + "/pids/system.slice"}

// Groups lists the control groups whose pids.max limits a process, from its own to the outermost. The text is that of
// /proc/PID/cgroup, whose lines are hierarchy:controllers:path (cgroups(7)).
func Groups(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || strings.Contains(fields[2], "..") {
			continue
		}
		top := root
		if slices.Contains(strings.Split(fields[1], ","), "pids") {
			top += "/pids"
		} else if fields[1] != "" { // another controller of version 1
			continue
		}
		group := path.Clean("/" + fields[2])
		for ; group != "/"; group = path.Dir(group) {
			out = append(out, top+group)
		}
		out = append(out, top)
	}
	return out
}

// Read gives the limits of the groups that have one, and those of the machine. A group without the file has no limit.
// The error is the first one of a file that is there and could not be read: the limits are not all then.
func Read(groups []string, read func(file string) ([]byte, error)) (limits []Limit, failed error) {
	note := func(err error) {
		if failed == nil && err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = err
		}
	}
	seen := map[string]bool{}
	for _, group := range groups {
		file := path.Join(group, "pids.max")
		if seen[file] {
			continue
		}
		seen[file] = true
		text, err := read(file)
		note(err)
		most, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		if err != nil { // "max", or not there
			continue
		}
		text, err = read(path.Join(group, "pids.current"))
		note(err)
		limits = append(limits, Limit{most, number(text), file})
	}
	text, err := read(loadavg)
	note(err)
	used := total(string(text))
	for _, file := range []string{ThreadsMax, PIDMax} {
		text, err := read(file)
		note(err)
		if most := number(text); most > 0 {
			limits = append(limits, Limit{most, used, file})
		}
	}
	return limits, failed
}

// Tightest is the limit that leaves the fewest tasks; false when there is none.
func Tightest(limits []Limit) (Limit, bool) {
	if len(limits) == 0 {
		return Limit{}, false
	}
	return slices.MinFunc(limits, func(a, b Limit) int {
		switch {
		case a.Free() < b.Free():
			return -1
		case a.Free() > b.Free():
			return 1
		}
		return 0
	}), true
}

// total reads the number of tasks of the machine from /proc/loadavg: "0.20 0.18 0.12 1/80 11206" has 80.
func total(text string) uint64 {
	fields := strings.Fields(text)
	if len(fields) < 4 {
		return 0
	}
	_, all, _ := strings.Cut(fields[3], "/")
	return number([]byte(all))
}

// number is 0 for what is none.
func number(text []byte) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
