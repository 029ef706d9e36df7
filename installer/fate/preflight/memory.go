package preflight

import (
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/payload"
)

const (
	// supervisorMiB is for the supervisor itself and a shell.
	supervisorMiB = 40
)

// moduleMemory is the memory of one module of this host.
type moduleMemory struct {
	module cluster.Module
	cluster.Resident
}

// memoryNeeds lists what the modules of this host take. Stand-ins are left out: they are not what was measured.
func (p *preflight) memoryNeeds() (modules []moduleMemory, idle, used, job uint64) {
	standIn := func(m cluster.Module) bool {
		return slices.ContainsFunc(p.in.Components, func(c payload.Component) bool {
			return c.StandIn &&
				c.Name == p.s.MainComponent(m)
		})
	}
	for _, m := range p.s.Modules() {
		r := p.s.Resident(m)
		if r.Used == 0 || standIn(m) {
			continue
		}
		modules = append(modules, moduleMemory{m, r})
		idle, used, job = idle+r.Idle, used+r.Used, job+m.JobMiB()
	}
	if len(modules) > 0 {
		idle, used = idle+supervisorMiB, used+supervisorMiB
	}
	return modules, idle * mebibyte, used * mebibyte, job * mebibyte
}

// memory compares what the programs of this host take with what the host, or its control group, has left for them.
func (p *preflight) memory() {
	r := p.check("memory", "enough memory", "16 GiB")
	if r.unknown("memory") {
		return
	}
	m := p.f.Memory
	modules, idle, used, job := p.memoryNeeds()
	room, text := m.Total, size(m.Total)
	if m.Limit > 0 {
		text += " granted by the control group"
	}
	if !p.in.Installed && m.Available > 0 && m.Available < m.Total {
		room = m.Available
		text += fmt.Sprintf(", %s of it free", size(room))
	}
	if len(modules) > 0 {
		text += fmt.Sprintf("; the programs of this host take %s idle, %s after jobs", size(idle), size(used))
		if job > 0 {
			text += fmt.Sprintf(", each running job %s more", size(job))
		}
	}
	r.measured("%s", text)
	switch {
	case m.Total < leastMemory:
		r.refuse("the processes alone need more: give the machine at least %s", size(leastMemory))
	case idle > room+m.SwapTotal:
		r.refuse("give it %s more, or put modules on other hosts (%s)", size(idle-room-m.SwapTotal),
			memoryText(modules))
	case used+job > room:
		r.warn("it lacks %s for a job: the kernel may end programs and workers; add memory, or put modules on other "+
			"hosts (%s)",
			size(used+job-room), memoryText(modules))
	case m.Total < wantedMemory:
		r.warn("fine for a trial: java heaps and the database are made smaller to fit")
	default:
		r.ok()
	}
}

// memoryText lists modules with what each takes after jobs.
func memoryText(modules []moduleMemory) string {
	var parts []string
	for _, m := range modules {
		parts = append(parts, fmt.Sprintf("%s %d MiB", m.module, m.Used))
	}
	return strings.Join(parts, ", ")
}
