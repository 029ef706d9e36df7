package supervisor

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

// Finding is one step of the answer to "why is this program not ready?": what is the case with one program, and what
// to do about it. The last finding of a chain is the root cause.
type Finding struct {
	Name    string      `json:"name"`               // the program, or what is missing on another host
	State   State       `json:"state"`              // as in the status of a program; blank for what is on another host
	Ready   bool        `json:"ready"`              // it does its work
	Text    string      `json:"text"`               // what is the case, for people
	Exit    string      `json:"exit,omitempty"`     // how its last process ended, for people
	LastLog []string    `json:"last_log,omitempty"` // the last lines that it wrote
	LogFile string      `json:"log_file,omitempty"` // the log that they are from
	Ports   []PortOwner `json:"ports,omitempty"`    // ports it needs that another process holds
	Advice  string      `json:"advice,omitempty"`   // what to do
	Root    bool        `json:"root"`               // this is where the trouble begins
}

// PortOwner says who has a port.
type PortOwner struct {
	Port int `json:"port"` // the port
	// the other end, ADDRESS:PORT, of a connection that has it; empty for one who listens
	Peer    string `json:"peer,omitempty"`
	PID     int    `json:"pid"`               // 0: it belongs to a process we may not look at
	Command string `json:"command"`           // of the process
	Program string `json:"program,omitempty"` // the supervised program it belongs to
}

// Why explains why a program is not ready: from it, over what it waits for or needs, to the root cause.
func (sup *Supervisor) Why(name string) ([]Finding, error) {
	if sup.service(name) == nil {
		return nil, &UnknownError{name}
	}
	var chain []Finding
	seen := make(map[string]bool)
	for next := name; next != "" && !seen[next]; {
		seen[next] = true
		s := sup.service(next)
		if s == nil {
			chain = append(chain, Finding{
				Name: next, Text: "is not defined on this host", Root: true,
				Advice: "define it, or take it out of depends_on of " + chain[len(chain)-1].Name,
			})
			return chain, nil
		}
		f, after := sup.finding(s)
		chain = append(chain, f)
		next = after
	}
	chain[len(chain)-1].Root = !chain[len(chain)-1].Ready
	return chain, nil
}

// How room is made where a program lacks it.
const (
	adviceRoom = "make room: df -h and du -x --max-depth=2 on that directory show what takes it; old directories of " +
		"jobs in the logs of fateflow and eggroll can be removed, nothing else does that"
	adviceTasks = "raise that limit (TasksMax= of the unit or slice with a control group, --pids-limit of a container, " +
		"sysctl for a setting of the kernel), or end processes that are not needed: " +
		"ps -eLo user,pid,comm | sort | uniq -c | sort -n"
)

// finding examines one program and names the one to look at next, "" if the search ends here.
func (sup *Supervisor) finding(s *service) (f Finding, next string) {
	st := sup.statusOf(s)
	s.mu.Lock()
	prog := s.prog.Clone()
	s.mu.Unlock()
	f = Finding{Name: st.Name, State: st.State, Ready: st.Ready, LogFile: st.Stdout}
	if st.Stderr != "" {
		f.LogFile = st.Stderr
	}
	if st.Ready {
		f.Text = fmt.Sprintf("is ready (pid %d, up %s)", st.PID, uptime(st.Up()))
		return f, ""
	}
	if st.Degraded && len(st.DegradedBy) == 0 {
		f.Text = fmt.Sprintf("runs (pid %d, up %s), but %s", st.PID, uptime(st.Up()), st.Lacks())
		f.Advice = lackAdvice(&st)
		return f, ""
	}
	if st.Degraded {
		next := sup.nextMissing(&st)
		f.Text = fmt.Sprintf("runs (pid %d, up %s) and cannot work: it needs %s, which is not ready",
			st.PID, uptime(st.Up()), next)
		return f, next
	}
	if next := sup.worstDependency(st.Depends); next != "" && st.State != Exited && st.State != Fatal {
		f.Text = fmt.Sprintf("%s; it depends on %s, which is not ready", stateText(&st), next)
		return f, next
	}
	f.Text = stateText(&st)
	byRequest := st.Asked != nil && st.Asked.For == "stop"
	if st.State == Stopped && (st.Exit == nil || st.Exit.Expected) && (byRequest || prog.LivenessAction != "stop") {
		// It failed in nothing: lines of its log, and how its process ended, would only mislead.
		f.Advice = advice(&prog, &st, &f)
		return f, ""
	}
	file := st.LastFile
	f.LastLog = st.LastLog
	if len(f.LastLog) == 0 && (st.State.Up() || st.State == Backoff) {
		f.LastLog, file = s.recentLog()
	}
	if file != "" {
		f.LogFile = file
	}
	if st.Exit != nil && !st.State.Up() {
		f.Exit = st.Exit.String() + " at " + st.Exit.At.Format("2006-01-02 15:04:05")
	}
	f.Ports = sup.foreignPorts(&prog, &st, f.LastLog)
	f.Advice = advice(&prog, &st, &f)
	if lacks := st.Lacks(); lacks != "" {
		f.Text += "; " + lacks
		f.Advice = strings.TrimSuffix(lackAdvice(&st)+"; "+f.Advice, "; ")
	}
	return f, ""
}

// lackAdvice says what to do about that which the host has too little of.
func lackAdvice(st *Status) string {
	switch {
	case st.LowSpace == "":
		return adviceTasks
	case st.LowTasks == "":
		return adviceRoom
	}
	return adviceRoom + "; " + adviceTasks
}

func (s *service) recentLog() (lines []string, file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run.lastLines(s.prog.LogFiles)
}

// worstDependency picks the dependency to look into: one that has failed before one that is on its way.
func (sup *Supervisor) worstDependency(names []string) string {
	rank := func(n string) int {
		s := sup.service(n)
		if s == nil {
			return 0
		}
		switch s.status.Load().State {
		case Fatal, Exited, Stopped:
			return 1
		case Backoff:
			return 2
		}
		return 3
	}
	unready := sup.unready(names)
	if len(unready) == 0 {
		return ""
	}
	return slices.MinFunc(unready, func(a, b string) int { return rank(a) - rank(b) })
}

// nextMissing picks which of the programs that a degraded one needs to look into.
func (sup *Supervisor) nextMissing(st *Status) string {
	for _, n := range st.needs() {
		if s := sup.service(n); s == nil || !s.status.Load().Serving {
			return n
		}
		if dep := sup.statusOf(sup.service(n)); len(dep.DegradedBy) > 0 || len(sup.missing(&dep)) > 0 {
			return n
		}
	}
	return st.DegradedBy[0]
}

func stateText(st *Status) string {
	switch st.State {
	case Stopped:
		return stoppedText(st)
	case Exited:
		return "has ended by itself and is not to be started again"
	case Fatal:
		return fmt.Sprintf("has failed %s and was given up: %s", inARow(st.Failures), st.failure())
	case Backoff:
		return fmt.Sprintf("has failed (%s) and is tried again in %s", st.failure(),
			time.Until(st.Next).Round(100*time.Millisecond))
	case Waiting:
		return "waits to be started"
	case Stopping, Killing:
		return "is being stopped"
	}
	text := fmt.Sprintf("runs for %s (pid %d) but is not ready", uptime(st.Up()), st.PID)
	if st.Probe != "" {
		text += ": " + firstLine(st.Probe)
	}
	return text
}

// stoppedText says since when a program is stopped, and by whom.
func stoppedText(st *Status) string {
	since := "is stopped since " + st.Since.Local().Format("2006-01-02 15:04:05")
	if a := st.Asked; a != nil && a.For == "stop" {
		return since + ", by " + a.By.String()
	}
	if st.Stopped.IsZero() {
		return "is stopped: it was not started since the boot, or since the supervisor was"
	}
	return since
}

// inUse is how programs of all kinds say that a port is taken: C's strerror, Java, Python, nginx, and FATE's own.
var inUse = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`(?i)address already in use|bind failed|failed to bind|port .*(in use|already)|EADDRINUSE|errno 98`)
})

// foreignPorts lists the ports that a program which is not up needs and another process has. A connection that has one
// counts only where the log says that a port is taken: most connections keep no server from listening.
func (sup *Supervisor) foreignPorts(p *config.Program, st *Status, log []string) []PortOwner {
	ports := slices.Clone(p.Ports)
	for _, addr := range []string{p.ReadyTCP, p.LivenessTCP} {
		if _, port, err := net.SplitHostPort(addr); err == nil {
			if n, err := strconv.Atoi(port); err == nil {
				ports = append(ports, n)
			}
		}
	}
	refused := slices.ContainsFunc(log, inUse().MatchString)
	if refused {
		ports = append(ports, portsIn(log)...)
	}
	slices.Sort(ports)
	var out []PortOwner
	for _, o := range portOwners(slices.Compact(ports)) {
		if o.Peer != "" && !refused {
			continue
		}
		o.Program = sup.programOf(o.PID)
		if o.Program != p.Name || st.PID == 0 {
			out = append(out, o)
		}
	}
	return out
}

var portNumber = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:[:\s'"(]|port[ =:]+)(\d{2,5})\b`)
})

// portsIn finds numbers that may be ports in lines that complain of one in use.
func portsIn(log []string) []int {
	var ports []int
	for _, line := range log {
		if !inUse().MatchString(line) {
			continue
		}
		for _, m := range portNumber().FindAllStringSubmatch(line, 8) {
			if n, err := strconv.Atoi(m[1]); err == nil && n > 0 && n < 65536 {
				ports = append(ports, n)
			}
		}
	}
	return ports
}

// programOf finds the supervised program a process belongs to, by the marker in its environment.
func (sup *Supervisor) programOf(pid int) string {
	if pid == 0 {
		return ""
	}
	for _, s := range sup.services() {
		st := s.status.Load()
		if st.PID == pid || process.HasMarker(pid, sup.marker(st.Name)) {
			return st.Name
		}
	}
	return ""
}

// connectionAdvice says what to do about a connection that has a program's port.
func connectionAdvice(p *config.Program, o PortOwner) string {
	owner := "another process"
	switch {
	case o.Program != "":
		owner = fmt.Sprintf("the program %s (pid %d)", o.Program, o.PID)
	case o.PID != 0:
		owner = fmt.Sprintf("pid %d (%s)", o.PID, o.Command)
	}
	return fmt.Sprintf("a connection of %s to %s has port %d as its own end: the kernel gave it one of "+
		"ip_local_port_range. Keep "+
		"the kernel from that with net.ipv4.ip_local_reserved_ports = %d; %s starts when the connection has ended",
		owner, o.Peer, o.Port, o.Port, p.Name)
}

// PortHeld says what to do about a port that an unknown process holds.
func PortHeld(port int) string {
	return fmt.Sprintf("port %d is held by another process: as root, ss -ltnp 'sport = :%d' tells which", port, port)
}

// advice says what to do about a root cause.
func advice(p *config.Program, st *Status, f *Finding) string {
	if len(f.Ports) > 0 {
		o := f.Ports[0]
		switch {
		case o.Peer != "":
			return connectionAdvice(p, o)
		case o.Program != "":
			return fmt.Sprintf("port %d is held by the program %s (pid %d): give one of them another port",
				o.Port, o.Program, o.PID)
		case o.PID != 0:
			return fmt.Sprintf(
				"port %d is held by pid %d (%s): give %s another port, or stop that program with what started it "+
					"(systemctl status %d names its unit); then: fate-installer svc start %s", o.Port, o.PID, o.Command,
				p.Name, o.PID, p.Name)
		}
		return PortHeld(o.Port)
	}
	again := "fate-installer svc start " + p.Name
	switch {
	case st.State == Stopped:
		return again
	case st.Exit != nil && st.Exit.OOM:
		return "the host has too little memory for what runs on it: free some, or lower the program's own settings; " +
			"then: " + again
	case strings.Contains(st.Error, "log file"):
		return "make the directory of the log file writable for user " + userText(p) + "; then: " + again
	case strings.Contains(st.Error, "cannot find user"):
		return "create the user, or change user= in the program's file; then: fate-installer svc update"
	case st.Error != "":
		return "put right what the message says; then: " + again
	case (st.State == Fatal || st.State == Backoff || st.State == Exited) && len(f.LastLog) == 0:
		return "it wrote nothing into " + logNames(p, st) +
			" since it was started; run its command by hand to see more: " +
			strings.Join(p.Command, " ") + "; then: " + again
	case st.State == Fatal || st.State == Backoff || st.State == Exited:
		return "its last lines say why; the whole log: fate-installer svc logs " + p.Name + "; then: " + again
	case st.State == Running && st.Serving && st.Probe != "":
		return "it listens, and becomes ready when what is said above has passed: give it time, or put it right"
	case st.TimedOut:
		return "it runs but does not answer in " + p.ReadyTimeout.String() +
			": its log tells how far it came: fate-installer svc logs -f " + p.Name
	case st.State == Running || st.State == Starting:
		return "give it time: it has until " + st.Started.Add(p.ReadyTimeout).Format("15:04:05") + " to become ready"
	}
	return ""
}

// logNames lists all logs of a program.
func logNames(p *config.Program, st *Status) string {
	names := slices.DeleteFunc([]string{st.Stdout, st.Stderr}, func(name string) bool { return name == "" })
	if names = append(names, p.LogFiles...); len(names) == 0 {
		return "a log: it has none"
	}
	return strings.Join(names, ", ")
}

func userText(p *config.Program) string {
	if p.User == "" {
		return "of the supervisor"
	}
	return p.User
}

// inARow says how often something happened without a success in between.
func inARow(times int) string {
	if times == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", times)
}
