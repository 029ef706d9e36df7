package preflight

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/installer/host/tasks"
)

// Tasks that a host needs: a party of one host was measured with 142 idle, most of them threads of its five JVMs and of
// the database. A job starts a worker for each task and core, each with some ten threads.
const (
	idleTasks   = 142
	tasksPerJob = 120
	leastTasks  = idleTasks + tasksPerJob
	wantedTasks = 4 * leastTasks
)

// taskLimit is one limit on the processes and threads of the programs, compared with what they need.
type taskLimit struct {
	source string // what limits, with its file
	most   uint64
	free   uint64
	remedy string
	// sessions is set for a limit of logins: programs have theirs from the supervisor, and only commands of operators
	// fail.
	sessions bool
}

func (l taskLimit) String() string {
	switch {
	case l.most == host.Unlimited:
		return l.source + " is unlimited"
	case l.free < l.most:
		return fmt.Sprintf("%s is %d, %d in use", l.source, l.most, l.most-l.free)
	}
	return fmt.Sprintf("%s is %d", l.source, l.most)
}

// tasks refuses a limit on processes and threads at which a program, or the supervisor itself, cannot start a thread.
func (p *preflight) tasks() {
	if p.f.Rooted {
		return
	}
	r := p.check("tasks", "enough processes and threads can run",
		fmt.Sprintf("%d, at least %d", wantedTasks, leastTasks))
	limits, unread := p.taskLimits()
	var low, all, remedies []string
	status := StatusOK
	for _, l := range limits {
		all = append(all, l.String())
		switch {
		case l.free >= wantedTasks:
			continue
		case l.free < leastTasks && !l.sessions:
			status = StatusRefused
		case status == StatusOK:
			status = StatusWarning
		}
		low, remedies = append(low, l.String()), append(remedies, l.remedy)
	}
	if len(low) > 0 {
		all = low
	}
	for _, why := range unread {
		all = append(all, "not looked at: "+why)
	}
	r.measured("%s", strings.Join(all, "; "))
	r.Remedy = strings.Join(remedies, "; ")
	switch {
	case status == StatusWarning:
		r.Remedy = "enough for a trial with one job at a time; " + r.Remedy
	case status == StatusOK && len(unread) > 0:
		status = StatusSkipped
	}
	r.end(status)
}

// taskLimits lists every limit on tasks, and why some could not be looked at.
func (p *preflight) taskLimits() (limits []taskLimit, unread []string) {
	grouped := false
	for _, l := range p.f.Tasks {
		grouped = grouped || path.Base(l.File) == "pids.max"
		limits = append(limits, p.kernelLimit(l))
	}
	if why, unknown := p.f.Unknown["tasks"]; unknown {
		unread = append(unread, why)
	} else if !grouped {
		limits = append(limits,
			taskLimit{source: "pids.max of the control groups", most: host.Unlimited, free: math.MaxUint64})
	}
	of := func(source string, most uint64, remedy string) taskLimit {
		return taskLimit{source: source, most: most, free: most, remedy: remedy}
	}
	const what = "RLIMIT_NPROC"
	given, _ := strconv.ParseUint(render.LimitProcesses, 10, 64)
	have, ok := p.f.Limit("nproc")
	switch why := p.f.Unraisable["nproc"]; {
	case !ok:
		unread = append(unread, "RLIMIT_NPROC of this process"+reasonOf(p.f.Unknown["limits"]))
	case why != "" && have.Hard < given:
		source := "%s of programs (the hard limit that the supervisor inherits here, which cannot be raised: %s)"
		limits = append(limits, of(fmt.Sprintf(source, what, why), have.Hard,
			"raise it where this container is started, as docker run --ulimit nproc="+render.LimitProcesses+
				" or LimitNPROC= of its unit do"))
	default:
		limits = append(limits, of(what+" of programs (limit_nproc of the supervisor)", given, ""))
	}
	if process, found := p.fewTasks(); found {
		source := fmt.Sprintf("%s of %s (pid %d) in /proc/%[3]d/limits", what, process.Name, process.PID)
		limits = append(limits,
			of(source, process.Tasks, "raise LimitNPROC= of the supervisor's unit, or the limit of "+
				"the container, and restart the programs: fate-installer svc restart all"))
	}
	if why, unknown := p.f.Unknown["session limits"]; unknown {
		return limits, append(unread, why)
	}
	return append(limits, p.sessionTasks()...), unread
}

func reasonOf(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// kernelLimit describes a limit of a control group or of the machine. On an installed host most of the tasks are ours.
func (p *preflight) kernelLimit(l tasks.Limit) taskLimit {
	if p.in.Installed && path.Base(l.File) == "pids.max" {
		l.Used = 0
	}
	out := taskLimit{source: l.File, most: l.Max, free: l.Free(), remedy: "raise it: TasksMax= of the unit or slice " +
		"with that group (systemctl set-property NAME TasksMax=4096), or --pids-limit of the container"}
	key, setting := strings.CutPrefix(l.File, "/proc/sys/kernel/")
	if !setting {
		return out
	}
	key = "kernel." + key
	wanted := l.Used + wantedTasks
	if p.f.Container == "" && p.prepares("sysctl:"+key) { // install raises it
		for _, s := range leastSettings {
			if s.key == key {
				out.most = max(l.Max, uint64(s.want))
				out.free = out.most - min(out.most, l.Used)
			}
		}
	}
	out.remedy = fmt.Sprintf("sysctl -w %s=%d", key, max(wanted, 65535))
	if p.f.Container != "" {
		out.remedy = fmt.Sprintf("on the machine that this %s container is on: %s", p.f.Container, out.remedy)
	}
	return out
}

// fewTasks is the running program of this installation with the lowest limit, when that is less than wanted.
func (p *preflight) fewTasks() (least host.Process, found bool) {
	for _, process := range p.f.Processes {
		few := process.Tasks > 0 && process.Tasks < wantedTasks && !process.Contained && p.isOurs(process)
		if p.in.Installed && few && (!found || process.Tasks < least.Tasks) {
			least, found = process, true
		}
	}
	return least, found
}

// sessionTasks are the limits that pam_limits gives to logins of the service user, which count the tasks of all of them
// and of the programs together.
func (p *preflight) sessionTasks() []taskLimit {
	lines := p.withOurs()
	if p.s.OS.Limits == cluster.PolicyKeep {
		lines = p.f.SessionLimits
	}
	limit := p.sessionLimit("nproc", lines)
	line, value := limit.softLine, limit.soft
	if limit.hardLine.File != "" && (line.File == "" || limit.hard < value) {
		line, value = limit.hardLine, limit.hard
	}
	if line.File == "" || line.File == limits(p.s).Path {
		return nil
	}
	return []taskLimit{{
		source: fmt.Sprintf(`nproc of logins of %s ("%s %s %s %s" in %s, line %d)`, p.s.User, line.Domain, line.Type,
			line.Item, line.Value, line.File, line.Line),
		most: value, free: value, sessions: true,
		remedy: fmt.Sprintf("write %s in line %d of %s, or remove it: programs have theirs from the supervisor, but "+
			"what is started in a login of %s does not run", render.LimitProcesses, line.Line, line.File, p.s.User),
	}}
}
