package rpc

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"time"

	"github.com/ochinchina/supervisord/faults"
	"github.com/ochinchina/supervisord/types"

	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
)

// What supervisorctl expects of the other side. It refuses any other API version.
const (
	apiVersion        = "3.0"
	supervisorVersion = "4.2.5" // the version whose methods these are
)

// State codes of supervisor. WAITING is a kind of STARTING to it, KILLING a kind of STOPPING.
var stateCodes = map[supervisor.State]int{
	supervisor.Stopped: 0, supervisor.Waiting: 10, supervisor.Starting: 10, supervisor.Running: 20,
	supervisor.Backoff: 30, supervisor.Stopping: 40, supervisor.Killing: 40, supervisor.Exited: 100,
	supervisor.Fatal: 200,
}

var stateNames = map[int]string{0: "STOPPED", 10: "STARTING", 20: "RUNNING", 30: "BACKOFF", 40: "STOPPING",
	100: "EXITED", 200: "FATAL"}

func (s *Server) apiVersion(*call) (any, error)        { return apiVersion, nil }
func (s *Server) supervisorVersion(*call) (any, error) { return supervisorVersion, nil }
func (s *Server) pid(*call) (any, error)               { return os.Getpid(), nil }
func (s *Server) identification(*call) (any, error)    { return s.daemon.Config().Daemon.Identifier, nil }

func (s *Server) state(*call) (any, error) {
	if s.sup.Stopping() {
		return map[string]any{"statecode": -1, "statename": "SHUTDOWN"}, nil
	}
	return map[string]any{"statecode": 1, "statename": "RUNNING"}, nil
}

func (s *Server) shutdown(*call) (any, error)      { s.daemon.Shutdown(false); return true, nil }
func (s *Server) restartDaemon(*call) (any, error) { s.daemon.Restart(); return true, nil }

func (s *Server) clearMainLog(*call) (any, error) { return true, s.daemon.ClearLog() }

func (s *Server) reloadConfig(*call) (any, error) {
	changes, err := s.sup.Reread()
	if err != nil {
		return nil, err
	}
	names := func(list []string) []string { return append([]string{}, list...) } // never null
	return [][][]string{{names(changes.Added), names(changes.Changed), names(changes.Removed)}}, nil
}

func (s *Server) addGroup(c *call) (any, error)    { return true, s.sup.AddGroup(c.text(0)) }
func (s *Server) removeGroup(c *call) (any, error) { return true, s.sup.RemoveGroup(c.text(0)) }

// info is a program's status as supervisor gives it.
func info(st *supervisor.Status) types.ProcessInfo {
	code := stateCodes[st.State]
	i := types.ProcessInfo{
		Name: st.Name, Group: st.Group, Description: st.Description(),
		Start: unixTime(st.Started), Stop: unixTime(st.Stopped), Now: unixTime(time.Now()),
		State: code, Statename: stateNames[code], Spawnerr: st.Error, Pid: st.PID,
		Logfile: st.Stdout, StdoutLogfile: st.Stdout, StderrLogfile: st.Stderr,
	}
	if st.Exit != nil && !st.State.Up() {
		i.Exitstatus = st.Exit.Code
	}
	if st.State == supervisor.Backoff && i.Spawnerr == "" {
		i.Spawnerr = "Exited too quickly (process log may have details)"
	}
	return i
}

// unixTime caps as supervisor does: XML-RPC's integers end in 2038.
func unixTime(t time.Time) int {
	if t.IsZero() {
		return 0
	}
	return int(min(t.Unix(), math.MaxInt32))
}

func (s *Server) processInfo(c *call) (any, error) {
	name, err := s.one(c.text(0))
	if err != nil {
		return nil, err
	}
	st, err := s.sup.Status(name)
	if err != nil {
		return nil, err
	}
	return info(&st), nil
}

func (s *Server) allProcessInfo(*call) (any, error) {
	out := []any{}
	for _, st := range s.sup.Statuses() {
		out = append(out, info(&st))
	}
	return out, nil
}

func (s *Server) allConfigInfo(*call) (any, error) {
	out := []any{}
	for _, a := range s.sup.Available() {
		p := a.Program
		user := p.User
		if user == "" {
			user = "none"
		}
		directory := p.Directory
		if directory == "" {
			directory = "none"
		}
		out = append(out, map[string]any{
			"name": p.Name, "group": p.Group, "inuse": a.InUse, "autostart": p.AutoStart,
			"process_prio": p.Priority, "group_prio": p.Priority, "command": config.JoinWords(p.Command),
			"directory": directory, "uid": user, "exitcodes": p.ExitCodes, "killasgroup": p.KillAsGroup,
			"redirect_stderr": p.RedirectStderr, "startsecs": p.StartSecs, "startretries": p.StartRetries,
			"stopsignal": int(config.SignalNumber(p.StopSignal)), "stopwaitsecs": p.StopWaitSecs,
			"stdout_logfile": p.StdoutLogfile, "stdout_logfile_maxbytes": p.StdoutLogfileMaxBytes,
			"stdout_logfile_backups": p.StdoutLogfileBackups, "stdout_syslog": false,
			"stdout_capture_maxbytes": 0, "stdout_events_enabled": false,
			"stderr_logfile": p.StderrLogfile, "stderr_logfile_maxbytes": p.StderrLogfileMaxBytes,
			"stderr_logfile_backups": p.StderrLogfileBackups, "stderr_syslog": false,
			"stderr_capture_maxbytes": 0, "stderr_events_enabled": false, "serverurl": "none",
		})
	}
	return out, nil
}

// one resolves a name that must mean one program.
func (s *Server) one(word string) (string, error) {
	names, err := s.sup.Resolve([]string{word})
	if err != nil {
		return "", err
	}
	if len(names) != 1 {
		return "", &supervisor.UnknownError{Name: word}
	}
	return names[0], nil
}

// group lists the programs of a group in the order of starting.
func (s *Server) group(name string) ([]string, error) { return s.sup.Resolve([]string{name + ":*"}) }

func (s *Server) all() []string {
	names, _ := s.sup.Resolve([]string{"all"})
	return names
}

// isGroup tells "g:*" and "g:", which stand for all programs of a group, from a program's name.
func isGroup(word string) (group string, ok bool) {
	for _, end := range []string{":*", ":"} {
		if n := len(word) - len(end); n > 0 && word[n:] == end {
			return word[:n], true
		}
	}
	return "", false
}

func (s *Server) startProcess(c *call) (any, error) {
	word, wait := c.text(0), c.boolean(1, true)
	if !c.ok() {
		return nil, nil
	}
	if g, ok := isGroup(word); ok {
		names, err := s.group(g)
		if err != nil {
			return nil, err
		}
		return s.eachProgram(names, isDown, s.starter(c.ctx, wait)), nil
	}
	name, err := s.one(word)
	if err != nil {
		return nil, err
	}
	return true, s.starter(c.ctx, wait)(name)
}

// starter starts one program as supervisor's startProcess does; one that is on its way is a fault.
func (s *Server) starter(ctx context.Context, wait bool) func(name string) error {
	return func(name string) error {
		st, err := s.sup.Status(name)
		if err != nil {
			return err
		}
		switch st.State {
		case supervisor.Waiting, supervisor.Starting, supervisor.Running, supervisor.Backoff:
			return &Fault{faults.AlreadyStated, "ALREADY_STARTED: " + name}
		}
		if err := s.sup.CheckExecutable(name); err != nil {
			return err
		}
		return s.sup.Start(ctx, []string{name}, wait)
	}
}

func (s *Server) stopper(ctx context.Context, wait bool) func(name string) error {
	return func(name string) error {
		st, err := s.sup.Status(name)
		if err != nil {
			return err
		}
		if st.State.Down() {
			return &Fault{faults.NotRunning, "NOT_RUNNING: " + name}
		}
		return s.sup.Stop(ctx, []string{name}, wait)
	}
}

func isDown(st *supervisor.Status) bool { return st.State.Down() }
func hasProcess(st *supervisor.Status) bool {
	return st.PID > 0
}

// eachProgram calls f at once for all programs that fit, and lists the outcome of each.
func (s *Server) eachProgram(names []string, fits func(*supervisor.Status) bool, f func(name string) error) []any {
	type outcome struct {
		st  supervisor.Status
		err chan error
	}
	var all []outcome
	for _, n := range names {
		st, err := s.sup.Status(n)
		if err != nil || !fits(&st) {
			continue
		}
		o := outcome{st, make(chan error, 1)}
		all = append(all, o)
		s.running.Go(func() { o.err <- f(n) })
	}
	out := []any{}
	for _, o := range all {
		result := map[string]any{"name": o.st.Name, "group": o.st.Group, "status": faults.Success, "description": "OK"}
		if err := <-o.err; err != nil {
			fault := faultOf(err)
			result["status"], result["description"] = fault.Code, fault.Text
		}
		out = append(out, result)
	}
	return out
}

func (s *Server) startGroup(c *call) (any, error) {
	names, err := s.group(c.text(0))
	wait := c.boolean(1, true)
	if err != nil || !c.ok() {
		return nil, err
	}
	return s.eachProgram(names, isDown, s.starter(c.ctx, wait)), nil
}

func (s *Server) startAll(c *call) (any, error) {
	wait := c.boolean(0, true)
	if !c.ok() {
		return nil, nil
	}
	return s.eachProgram(s.all(), isDown, s.starter(c.ctx, wait)), nil
}

func (s *Server) stopProcess(c *call) (any, error) {
	word, wait := c.text(0), c.boolean(1, true)
	if !c.ok() {
		return nil, nil
	}
	if g, ok := isGroup(word); ok {
		return s.stopNames(c, g, wait)
	}
	name, err := s.one(word)
	if err != nil {
		return nil, err
	}
	return true, s.stopper(c.ctx, wait)(name)
}

func (s *Server) stopGroup(c *call) (any, error) {
	group, wait := c.text(0), c.boolean(1, true)
	if !c.ok() {
		return nil, nil
	}
	return s.stopNames(c, group, wait)
}

func (s *Server) stopNames(c *call, group string, wait bool) (any, error) {
	names, err := s.group(group)
	if err != nil {
		return nil, err
	}
	return s.stopMany(c.ctx, names, wait), nil
}

func (s *Server) stopAll(c *call) (any, error) {
	wait := c.boolean(0, true)
	if !c.ok() {
		return nil, nil
	}
	return s.stopMany(c.ctx, s.all(), wait), nil
}

// stopMany stops programs in the reverse order of their dependencies and lists them.
func (s *Server) stopMany(ctx context.Context, names []string, wait bool) []any {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		st, err := s.sup.Status(n)
		return err != nil || st.State.Down()
	})
	err := s.sup.Stop(ctx, names, wait)
	return s.eachProgram(names, func(*supervisor.Status) bool { return true }, func(name string) error {
		if st, e := s.sup.Status(name); e == nil && wait && !st.State.Down() {
			return errors.Join(errors.New(name+" did not stop"), err)
		}
		return nil
	})
}

func (s *Server) signaller(c *call, i int) func(name string) error {
	sig, err := config.ParseSignal(c.text(i))
	if err != nil {
		c.err = &Fault{faults.BadSignal, "BAD_SIGNAL: " + err.Error()}
	}
	return s.ofOwner(c.peer, func(name string) error {
		err := s.sup.Signal(name, sig)
		var failed *supervisor.FailedError
		if errors.As(err, &failed) {
			return &Fault{faults.NotRunning, "NOT_RUNNING: " + name}
		}
		return err
	})
}

func (s *Server) signalProcess(c *call) (any, error) {
	word, send := c.text(0), s.signaller(c, 1)
	if g, ok := isGroup(word); ok && c.ok() {
		names, err := s.group(g)
		return s.eachProgram(names, hasProcess, send), err
	}
	name, err := s.one(word)
	if err != nil || !c.ok() {
		return nil, err
	}
	return true, send(name)
}

func (s *Server) signalGroup(c *call) (any, error) {
	names, err := s.group(c.text(0))
	send := s.signaller(c, 1)
	if err != nil || !c.ok() {
		return nil, err
	}
	return s.eachProgram(names, hasProcess, send), nil
}

func (s *Server) signalAll(c *call) (any, error) {
	send := s.signaller(c, 0)
	if !c.ok() {
		return nil, nil
	}
	return s.eachProgram(s.all(), hasProcess, send), nil
}

func (s *Server) sendStdin(c *call) (any, error) {
	if _, err := s.one(c.text(0)); err != nil {
		return nil, err
	}
	return nil, &Fault{faults.NoFile, "NO_FILE: programs read /dev/null, there is no standard input to write to"}
}
