package fate

// Tasks that a host needs: a party of one host was measured with 142 idle, most of them threads of its five JVMs and of the
// database. A job starts a worker for each task and core, each with some ten threads.
const (
	idleTasks   = 142
	tasksPerJob = 120
	leastTasks  = idleTasks + tasksPerJob
	wantedTasks = 4 * leastTasks
)

// tasks refuses a limit on processes and threads at which a program, or the supervisor itself, cannot start a thread.
func (p *preflight) tasks() {
	if p.f.Rooted {
		return
	}
	r := p.check("tasks", "the control groups let enough processes and threads run", "1048, at least 262")
	if r.unknown("tasks") {
		return
	}
	t := p.f.Tasks
	if t.Limit == 0 {
		r.measured("no group limits them").ok()
		return
	}
	r.measured("%d by pids.max of %s, %d in use", t.Limit, t.Group, t.Used)
	others := t.Used
	if p.in.Installed {
		others = 0 // most of them are ours
	}
	const remedy = "raise it: TasksMax= of the unit or slice with that group (systemctl set-property NAME TasksMax=4096), or --pids-limit of the container"
	switch free := t.Limit - min(t.Limit, others); {
	case free < leastTasks:
		r.refuse("%s", remedy)
	case free < wantedTasks:
		r.warn("enough for a trial with one job at a time; %s", remedy)
	default:
		r.ok()
	}
}
