package adopt

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/host/procstat"
)

// Program is a program of the old supervisor, and how it would be taken over.
type Program struct {
	Name    string `json:"name"`    // as the supervisor knows it
	File    string `json:"file"`    // its program file
	Command string `json:"command"` // without passwords; blank for programs that are not of FATE
	User    string `json:"user"`    // that the file names
	// keep: it goes on running; restart: it is stopped and started once; start: it does not run; leave: it is none of
	// FATE's, and stays with the old supervisor; unknown: the processes were not looked at
	Takeover  string    `json:"takeover"`
	Why       string    `json:"why"`       // what decides it
	Processes []Process `json:"processes"` // that run it: the program itself first, then what stands between
}

// The values of Program.Takeover.
const (
	TakeoverKeep    = "keep"
	TakeoverRestart = "restart"
	TakeoverStart   = "start"
	TakeoverLeave   = "leave"
	TakeoverUnknown = "unknown"
)

// Process is a running process of the installation.
type Process struct {
	PID       int               `json:"pid"`       // its id
	Parent    int               `json:"parent"`    // its pid
	User      string            `json:"user"`      // its name, or its number where it has none
	Command   []string          `json:"command"`   // its arguments
	Exe       string            `json:"exe"`       // the file that it runs
	Directory string            `json:"directory"` // its working directory
	Started   uint64            `json:"started"`   // in ticks since the host was started, as /proc has it
	Output    string            `json:"output"`    // where its standard output goes
	Variables map[string]string `json:"variables"` // of its environment: those that FATE's programs read
}

// OldSupervisor is the python supervisor.
type OldSupervisor struct {
	PID  int    `json:"pid"`  // 0: it does not run
	Conf string `json:"conf"` // its main file
	HTTP string `json:"http"` // the address of its control interface; blank: none
}

// variables are those of the environment that FATE's programs and the loader of their processes read.
var variables = []string{"CLASSPATH", "EGGROLL_HOME", "EGGROLL_LOG_DIR", "EGGROLL_LOG_FILE", "EGGROLL_LOG_LEVEL",
	"FATE_DEPLOY_BASE", "FATE_LOG_LEVEL", "FATE_PROFILE_LOG_ENABLED", "FATE_PROJECT_BASE", "HADOOP_HOME", "JAVA_HOME",
	"JAVA_TOOL_OPTIONS", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LD_PRELOAD", "OMP_NUM_THREADS", "PATH",
	"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "PYTHONPATH", "TMPDIR", "TZ", "VIRTUAL_ENV"}

// watcher finds what runs.
type watcher struct {
	r         *reader
	processes []host.Process
	unknown   string // why the processes are not known
	users     map[int]string
	sec       *secrets
}

func newWatcher(r *reader, processes []host.Process, unknown string, sec *secrets) *watcher {
	w := &watcher{r: r, processes: processes, unknown: unknown, sec: sec, users: map[int]string{}}
	if users, err := r.h.Users(); err == nil {
		for _, u := range users {
			w.users[u.UID] = u.Name
		}
	}
	return w
}

// programs describes every program file.
func (w *watcher) programs(ds *documents, l cluster.Layout) []Program {
	out := []Program{}
	for _, doc := range ds.programs() {
		p := Program{Name: doc.program, File: doc.file, User: doc.setting("user"), Processes: []Process{}}
		m, ok := cluster.ModuleOf(doc.program)
		if !ok { // its command may have passwords of others, in ways that are not known here
			p.Takeover, p.Why = TakeoverLeave, "it is no program of FATE"
			out = append(out, p)
			continue
		}
		p.Command = w.sec.shown(doc.setting("command"))
		main := w.find(m, l, ds)
		for _, found := range main {
			p.Processes = append(p.Processes, w.describe(found))
		}
		if len(main) == 1 {
			for _, between := range w.between(main[0]) {
				p.Processes = append(p.Processes, w.describe(between))
			}
		}
		p.Takeover, p.Why = w.judge(p, len(main))
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Program) int { return order(a.Name) - order(b.Name) })
	return out
}

// order is the place of a program in the order of starting; others come last.
func order(program string) int {
	if m, ok := cluster.ModuleOf(program); ok {
		return slices.Index(cluster.Modules(), m)
	}
	return len(cluster.Modules())
}

// isFATEProgram reports whether a program of the supervisor is one of FATE's.
func isFATEProgram(name string) bool {
	_, ok := cluster.ModuleOf(name)
	return ok
}

// find lists the processes that are a module's program itself.
func (w *watcher) find(m cluster.Module, l cluster.Layout, ds *documents) []host.Process {
	var out []host.Process
	is := m.Old().Process
	conf := ""
	if doc := ds.of(kindDatabase); doc != nil {
		conf = doc.file
	}
	for _, p := range w.processes {
		shell := slices.Contains([]string{"bash", "sh", "dash"}, path.Base(p.Command())) // it runs a script of starting
		if is != nil && !shell && !p.Contained &&
			is(cluster.OldProcess{Layout: l, DatabaseConf: conf, Command: p.Command(), Args: p.Args}) {
			out = append(out, p)
		}
	}
	return out
}

// between lists the processes from a program up to the supervisor, both left out.
func (w *watcher) between(p host.Process) []host.Process {
	var out []host.Process
	for range 10 {
		i := slices.IndexFunc(w.processes, func(o host.Process) bool { return o.PID == p.PPID })
		if i < 0 || p.PPID <= 1 || isSupervisor(w.processes[i]) {
			return out
		}
		p = w.processes[i]
		out = append(out, p)
	}
	return out
}

func isSupervisor(p host.Process) bool {
	return slices.ContainsFunc(p.Args, func(a string) bool { return path.Base(a) == "supervisord" }) &&
		slices.ContainsFunc(p.Args, func(a string) bool { return strings.Contains(a, supervisorSuffix) })
}

func (w *watcher) describe(p host.Process) Process {
	dir := path.Join("/proc", strconv.Itoa(p.PID))
	out := Process{PID: p.PID, Parent: p.PPID, User: w.user(p.UID), Exe: p.Exe,
		Command: w.sec.arguments(p.Args), Variables: map[string]string{}}
	out.Directory, _ = w.r.h.Readlink(path.Join(dir, "cwd")) // blank when it is not ours to see
	out.Output, _ = w.r.h.Readlink(path.Join(dir, "fd", "1"))
	if stat, err := w.r.h.ReadFile(path.Join(dir, "stat")); err == nil {
		if st, err := procstat.Parse(stat); err == nil {
			out.Started = st.Start
		}
	}
	environ, err := w.r.h.ReadFile(path.Join(dir, "environ"))
	if err != nil {
		return out
	}
	for _, variable := range strings.Split(string(environ), "\x00") {
		name, value, _ := strings.Cut(variable, "=")
		if slices.Contains(variables, name) {
			out.Variables[name] = w.sec.shown(value)
		}
	}
	return out
}

func (w *watcher) user(uid int) string {
	if name := w.users[uid]; name != "" {
		return name
	}
	return strconv.Itoa(uid)
}

// judge decides whether a program can go on running under another supervisor. mains is how many processes are the
// program itself.
func (w *watcher) judge(p Program, mains int) (takeover, why string) {
	switch {
	case w.unknown != "":
		return TakeoverUnknown, "processes were not looked at: " + w.unknown
	case mains == 0:
		return TakeoverStart, "it does not run"
	case mains > 1:
		return TakeoverRestart, fmt.Sprintf("%d processes of it run", mains)
	}
	main := p.Processes[0]
	switch {
	case p.User != "" && main.User != p.User:
		return TakeoverRestart, fmt.Sprintf("process %d runs as %s, and the program file says %s", main.PID, main.User,
			p.User)
	case len(p.Processes) > 1:
		return TakeoverRestart, fmt.Sprintf("%s (process %d) stands between it and the supervisor, and may start it "+
			"again when it ends", baseCommand(p.Processes[1]), p.Processes[1].PID)
	case main.Output == "":
		return TakeoverRestart, "it cannot be seen where its output goes"
	case strings.HasPrefix(main.Output, "pipe:") || strings.HasPrefix(main.Output, "socket:"):
		return TakeoverRestart, "its output goes to the old supervisor, and it would end at its next line"
	}
	return TakeoverKeep, fmt.Sprintf("process %d is the program itself, and writes to %s", main.PID, main.Output)
}

// baseCommand names what a process runs: the script where an interpreter runs one.
func baseCommand(p Process) string {
	for _, arg := range p.Command {
		name := path.Base(arg)
		interpreter := strings.HasPrefix(name, "python") || name == "sh" || name == "bash"
		if !interpreter && !strings.HasPrefix(arg, "-") {
			return name
		}
	}
	return p.Exe
}

// supervisor finds the python supervisor.
func (w *watcher) supervisor(ds *documents) *OldSupervisor {
	doc := ds.of(kindSupervisor)
	if doc == nil {
		return nil
	}
	out := &OldSupervisor{Conf: doc.file, HTTP: w.sec.shown(doc.value("inet_http_server.port"))}
	for _, p := range w.processes {
		if !p.Contained && isSupervisor(p) && slices.ContainsFunc(p.Args, func(a string) bool {
			return strings.HasSuffix(a, doc.file)
		}) {
			out.PID = p.PID
		}
	}
	return out
}
