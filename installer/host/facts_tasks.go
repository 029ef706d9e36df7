package host

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// Tasks is how many processes and threads the control groups grant to the supervisor and its programs: pids.max(5) of
// cgroups, which systemd calls TasksMax.
type Tasks struct {
	Limit uint64 `json:"limit,omitempty"` // the lowest of all levels; 0: none
	Used  uint64 `json:"used,omitempty"`  // in the group with that limit
	Group string `json:"group,omitempty"` // its directory
}

// tasks reads the limits of the groups that the supervisor will be below: that of the machine or container, that of
// process 1, and that of system services. The session of the operator has others.
func (g *gatherer) tasks() {
	if !g.h.Exists("/sys/fs/cgroup") && !g.f.Rooted {
		g.f.Unknown["tasks"] = "there is no /sys/fs/cgroup"
		return
	}
	for _, group := range g.taskGroups() {
		limit, err := strconv.ParseUint(g.line(path.Join(group, "pids.max")), 10, 64)
		if err != nil || g.f.Tasks.Limit > 0 && limit >= g.f.Tasks.Limit { // "max", or not there
			continue
		}
		used, _ := strconv.ParseUint(g.line(path.Join(group, "pids.current")), 10, 64)
		g.f.Tasks = Tasks{limit, used, group}
	}
}

func (g *gatherer) taskGroups() []string {
	const root = "/sys/fs/cgroup"
	groups := []string{root, root + "/pids", root + "/system.slice", root + "/pids/system.slice"}
	for line := range strings.Lines(g.line("/proc/1/cgroup")) {
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
		for group := path.Clean("/" + fields[2]); group != "/" &&
			path.Base(group) != "init.scope"; group = path.Dir(group) {
			groups = append(groups, top+group)
		}
	}
	return groups
}
