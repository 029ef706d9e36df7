package preflight

import (
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/payload"
)

// resident is the memory of a module's process in MiB: idle some time after the start, and used after jobs have run.
type resident struct{ idle, used uint64 }

// Resident memory of real programs, the largest that was seen of each: FATE 1.11.4 with eggroll 2.5.3 and FATE 1.9.1
// with eggroll 2.4.6, JDK 8 with upstream's heaps, MariaDB 10.11, MySQL 8.0.15 and 9.7.4, on hosts of 23 GiB.
var (
	residentMiB = map[cluster.Module]resident{
		cluster.ClusterManager: {262, 533}, cluster.NodeManager: {237, 237}, cluster.Rollsite: {253, 384},
		cluster.FateFlow: {125, 277}, cluster.FateBoard: {586, 586}, cluster.ZooKeeper: {167, 167}, cluster.Nginx: {6,
			6},
	}
	// residentMiB24 has the values that differ with eggroll 2.4 and older.
	residentMiB24 = map[cluster.Module]resident{
		cluster.ClusterManager: {262, 348}, cluster.NodeManager: {204, 204}, cluster.Rollsite: {253, 336},
		cluster.FateFlow:  {125, 279},
		cluster.FateBoard: {568, 568},
	}
	residentMariaDB = resident{111, 128}
	residentMySQL   = resident{108, 128}
	residentMySQLPS = resident{389, 510} // with performance_schema and 10,000 connections
)

const (
	// supervisorMiB is for the supervisor itself and a shell.
	supervisorMiB = 40
	// jvmMiB is the memory of a JVM of these programs besides its heap: classes, compiled code, threads, buffers.
	jvmMiB = 200
	// eggPairMiB and executorMiB are the processes of one job: each egg_pair takes up to this on a nodemanager's host,
	// the task's executor on that of FATE-Flow.
	eggPairMiB  = 255
	executorMiB = 94
	// pairsPerJob is the number of egg_pairs that the toy job and small trainings start on a node.
	pairsPerJob = 2
)

// moduleMemory is the memory of one module of this host.
type moduleMemory struct {
	module cluster.Module
	resident
}

// residentOf is the memory of a module on this host. A heap that was made smaller bounds what its JVM takes.
func residentOf(s *cluster.Spec, m cluster.Module) resident {
	r := residentMiB[m]
	if s.Profile.Eggroll != "" && !s.Profile.NodesRegister() {
		if older, ok := residentMiB24[m]; ok {
			r = older
		}
	}
	if m == cluster.MySQL {
		switch {
		case s.DatabaseEngine() == "mariadb":
			r = residentMariaDB
		case s.Side.MySQL.PerformanceSchema:
			r = residentMySQLPS
		default:
			r = residentMySQL
		}
	}
	if !m.IsJVM() {
		return r // it is no JVM
	}
	if heap := s.HeapMiB(m); heap > 0 {
		r.idle, r.used = min(r.idle, heap+jvmMiB), min(r.used, heap+jvmMiB)
	}
	return r
}

// mainComponent is the component whose being a stand-in makes a module one.
func mainComponent(s *cluster.Spec, m cluster.Module) string {
	switch m {
	case cluster.ClusterManager, cluster.NodeManager, cluster.Rollsite:
		return "eggroll"
	case cluster.FateFlow:
		return "fateflow"
	case cluster.MySQL:
		return s.DatabaseEngine()
	}
	return string(m)
}

// memoryNeeds lists what the modules of this host take. Stand-ins are left out: they are not what was measured.
func (p *preflight) memoryNeeds() (modules []moduleMemory, idle, used, job uint64) {
	standIn := func(m cluster.Module) bool {
		return slices.ContainsFunc(p.in.Components, func(c payload.Component) bool {
			return c.StandIn &&
				c.Name == mainComponent(p.s, m)
		})
	}
	for _, m := range p.s.Modules() {
		r := residentOf(p.s, m)
		if r.used == 0 || standIn(m) {
			continue
		}
		modules = append(modules, moduleMemory{m, r})
		idle, used = idle+r.idle, used+r.used
		switch m {
		case cluster.NodeManager:
			job += pairsPerJob * eggPairMiB
		case cluster.FateFlow:
			job += executorMiB
		}
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
		parts = append(parts, fmt.Sprintf("%s %d MiB", m.module, m.used))
	}
	return strings.Join(parts, ", ")
}
