package host

import (
	"path"
	"slices"

	"fate-installer/installer/host/tasks"
)

// tasks reads the limits on processes and threads that the supervisor and its programs will have: those of the groups
// of process 1 and of system services, and those of the machine. The session of the operator has others.
func (g *gatherer) tasks() {
	const fact = "tasks"
	if !g.h.Exists("/sys/fs/cgroup") && !g.f.Rooted {
		g.f.Unknown[fact] = "there is no /sys/fs/cgroup"
	}
	groups := slices.Clone(tasks.ServiceGroups)
	for _, group := range tasks.Groups(g.line("/proc/1/cgroup")) {
		if !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	// What systemd starts is not below the group that it moves itself to.
	groups = slices.DeleteFunc(groups, func(group string) bool { return path.Base(group) == "init.scope" })
	limits, err := tasks.Read(groups, g.h.ReadFile)
	if err != nil {
		g.unknown(fact, err)
	}
	g.f.Tasks = limits
}
