package rpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ochinchina/supervisord/faults"

	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

// call is one call of a method.
type call struct {
	ctx    context.Context
	peer   peer
	method string
	params []any
	err    error // the first parameter that is not what it should be
}

// method is one entry of the table of methods.
type method struct {
	min, max  int // number of parameters
	signature string
	help      string
	access    access // who may call it; a method for owners asks for each program
	fn        func(s *Server, c *call) (any, error)
}

// methods is everything that can be called.
var methods map[string]method

func init() {
	// In an init function because system.* itself reads the table.
	methods = map[string]method{
		"supervisor.getAPIVersion": {0, 0, "string", "Version of the RPC API", members, (*Server).apiVersion},
		"supervisor.getVersion": {0, 0, "string", "Version of the RPC API (old name)", members,
			(*Server).apiVersion},
		"supervisor.getSupervisorVersion": {0, 0, "string", "Version of the supervisor", members,
			(*Server).supervisorVersion},
		"supervisor.getIdentification": {0, 0, "string", "Identifier of the supervisor", members,
			(*Server).identification},
		"supervisor.getState": {0, 0, "struct", "State of the supervisor", members, (*Server).state},
		"supervisor.getPID":   {0, 0, "int", "Pid of the supervisor", members, (*Server).pid},
		"supervisor.readLog": {2, 2, "string int int", "Part of the supervisor's log", operators,
			(*Server).readMainLog},
		"supervisor.readMainLog": {2, 2, "string int int", "Part of the supervisor's log (old name)",
			operators, (*Server).readMainLog},
		"supervisor.clearLog": {0, 0, "boolean", "Empty the supervisor's log", operators,
			(*Server).clearMainLog},
		"supervisor.shutdown": {0, 0, "boolean", "Stop all programs and the supervisor", operators,
			(*Server).shutdown},
		"supervisor.restart": {0, 0, "boolean",
			"Stop all programs, read the configuration, start them again", operators, (*Server).restartDaemon},
		"supervisor.reloadConfig": {0, 0, "array", "Read the configuration: [[added, changed, removed]] groups",
			operators, (*Server).reloadConfig},
		"supervisor.addProcessGroup": {1, 1, "boolean string", "Put a group that was read in force", operators,
			(*Server).addGroup},
		"supervisor.removeProcessGroup": {1, 1, "boolean string", "Take a stopped group out of force", operators,
			(*Server).removeGroup},
		"supervisor.getProcessInfo": {1, 1, "struct string", "Status of a program", members,
			(*Server).processInfo},
		"supervisor.getAllProcessInfo": {0, 0, "array", "Status of all programs", members, (*Server).allProcessInfo},
		"supervisor.getAllConfigInfo": {0, 0, "array", "Definitions of all programs", members,
			(*Server).allConfigInfo},
		"supervisor.startProcess": {1, 2, "boolean string boolean", "Start a program and what it depends on",
			members, (*Server).startProcess},
		"supervisor.startProcessGroup": {1, 2, "array string boolean", "Start the programs of a group", members,
			(*Server).startGroup},
		"supervisor.startAllProcesses": {0, 1, "array boolean", "Start all programs", members, (*Server).startAll},
		"supervisor.stopProcess": {1, 2, "boolean string boolean", "Stop a program", members,
			(*Server).stopProcess},
		"supervisor.stopProcessGroup": {1, 2, "array string boolean", "Stop the programs of a group", members,
			(*Server).stopGroup},
		"supervisor.stopAllProcesses": {0, 1, "array boolean", "Stop all programs", members, (*Server).stopAll},
		"supervisor.signalProcess": {2, 2, "boolean string string", "Send a signal to a program", owners,
			(*Server).signalProcess},
		"supervisor.signalProcessGroup": {2, 2, "array string string", "Send a signal to the programs of a group",
			owners, (*Server).signalGroup},
		"supervisor.signalAllProcesses": {1, 1, "array string", "Send a signal to all programs", owners,
			(*Server).signalAll},
		"supervisor.sendProcessStdin": {2, 2, "boolean string string",
			"Always a fault: standard input is /dev/null", owners, (*Server).sendStdin},
		"supervisor.readProcessLog": {3, 3, "string string int int", "Part of a program's log (old name)", owners,
			(*Server).readStdout},
		"supervisor.readProcessStdoutLog": {3, 3, "string string int int", "Part of a program's log", owners,
			(*Server).readStdout},
		"supervisor.readProcessStderrLog": {3, 3, "string string int int", "Part of a program's error log", owners,
			(*Server).readStderr},
		"supervisor.tailProcessLog": {3, 3, "array string int int", "End of a program's log (old name)", owners,
			(*Server).tailStdout},
		"supervisor.tailProcessStdoutLog": {3, 3, "array string int int", "End of a program's log", owners,
			(*Server).tailStdout},
		"supervisor.tailProcessStderrLog": {3, 3, "array string int int", "End of a program's error log", owners,
			(*Server).tailStderr},
		"supervisor.clearProcessLog": {1, 1, "boolean string", "Empty a program's logs (old name)", owners,
			(*Server).clearLogs},
		"supervisor.clearProcessLogs": {1, 1, "boolean string", "Empty a program's logs", owners,
			(*Server).clearLogs},
		"supervisor.clearAllProcessLogs": {0, 0, "array", "Empty the logs of all programs", owners,
			(*Server).clearAllLogs},

		"system.listMethods": {0, 0, "array", "Names of all methods", members, (*Server).listMethods},
		"system.methodHelp":  {1, 1, "string string", "What a method does", members, (*Server).methodHelp},
		"system.methodSignature": {1, 1, "array string", "Types of a method's result and parameters", members,
			(*Server).methodSignature},
		"system.multicall": {1, 1, "array array", "Several calls in one", members, (*Server).multicall},

		"fate.status": {0, 1, "array array", "Full status of the named programs, or all", members,
			(*Server).fateStatus},
		"fate.resolve": {1, 1, "array array", "Programs that names, groups and all stand for", members,
			(*Server).fateResolve},
		"fate.start": {2, 3, "struct array boolean boolean",
			"Start programs; with true, wait until ready or failed; with true again, only until dependants can start",
			members, (*Server).fateStart},
		"fate.stop": {2, 3, "struct array boolean boolean",
			"Stop programs; true: wait; true: with those that need them", members, (*Server).fateStop},
		"fate.restart": {3, 4, "struct array boolean boolean boolean",
			"Restart programs; true: their dependants too; true: wait; true: only until dependants can start", members,
			(*Server).fateRestart},
		"fate.update": {0, 1, "struct array", "Read the configuration and apply it, to the named groups or all",
			operators, (*Server).fateUpdate},
		"fate.rotate": {1, 1, "boolean array", "Rotate the logs of programs now", owners, (*Server).fateRotate},
		"fate.why": {1, 1, "array string", "Why a program is not ready, from it to the root cause", members,
			(*Server).fateWhy},
		"fate.events": {2, 2, "struct int double", "Events after a number; waits so many seconds for one", members,
			(*Server).fateEvents},
		"fate.shutdown": {1, 1, "boolean boolean", "End the supervisor; with true the programs go on", operators,
			(*Server).fateShutdown},
		"fate.began": {0, 0, "string", "When this version of the supervisor was executed", members,
			(*Server).fateBegan},
		"fate.upgrade": {1, 1, "boolean string", "Execute a new version of the supervisor in its own place", root,
			(*Server).fateUpgrade},
	}
}

// call finds and calls a method.
func (s *Server) call(ctx context.Context, p peer, name string, params []any) (any, error) {
	m, ok := methods[name]
	if !ok {
		return nil, &Fault{faults.UnknownMethod, "UNKNOWN_METHOD"}
	}
	if len(params) < m.min || len(params) > m.max {
		return nil, &Fault{faults.IncorrectParameters, "INCORRECT_PARAMETERS"}
	}
	if err := m.access.allowed(p, name); err != nil {
		return nil, err
	}
	c := &call{ctx: ctx, peer: p, method: name, params: params}
	if _, ok := changing[name]; !ok {
		return c.run(s, m)
	}
	r := p.requester()
	c.ctx = supervisor.WithRequester(ctx, r)
	done := s.daemon.Record(r, action(name, params))
	v, err := c.run(s, m)
	done(outcomeOf(v, err))
	return v, err
}

func (c *call) run(s *Server, m method) (any, error) {
	v, err := m.fn(s, c)
	if c.err != nil {
		return nil, c.err
	}
	return v, err
}

func (c *call) bad(i int, want string) {
	if c.err == nil {
		c.err = &Fault{faults.IncorrectParameters, fmt.Sprintf("INCORRECT_PARAMETERS: parameter %d of %s is not a %s",
			i+1, c.method, want)}
	}
}

// text, number, boolean, seconds and list read the i-th parameter. After a parameter of the wrong type the call fails
// whatever the method does, so methods check ok before they act.
func (c *call) text(i int) string {
	v, ok := c.params[i].(string)
	if !ok {
		c.bad(i, "string")
	}
	return v
}

func (c *call) number(i int) int64 {
	switch v := c.params[i].(type) {
	case int64:
		return v
	case string: // supervisor's own methods convert with int()
		var n int64
		if _, err := fmt.Sscanf(v, "%d", &n); err == nil {
			return n
		}
	}
	c.bad(i, "number")
	return 0
}

func (c *call) seconds(i int) float64 {
	switch v := c.params[i].(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	c.bad(i, "number")
	return 0
}

func (c *call) boolean(i int, def bool) bool {
	if i >= len(c.params) {
		return def
	}
	switch v := c.params[i].(type) {
	case bool:
		return v
	case int64: // Python takes any truth value
		return v != 0
	}
	c.bad(i, "boolean")
	return false
}

func (c *call) list(i int) []string {
	if i >= len(c.params) {
		return nil
	}
	values, ok := c.params[i].([]any)
	if !ok {
		c.bad(i, "array")
	}
	out := make([]string, 0, len(values))
	for _, v := range values {
		text, ok := v.(string)
		if !ok {
			c.bad(i, "array of strings")
		}
		out = append(out, text)
	}
	return out
}

func (c *call) ok() bool { return c.err == nil }

// faultOf translates an error into supervisor's faults.
func faultOf(err error) *Fault {
	var fault *Fault
	var unknown *supervisor.UnknownError
	var failed *supervisor.FailedError
	var exec *process.ExecError
	var problems config.Problems
	switch {
	case errors.As(err, &fault):
		return fault
	case errors.As(err, &unknown):
		return &Fault{faults.BadName, "BAD_NAME: " + unknown.Name}
	case errors.As(err, &problems):
		return &Fault{faults.CantReRead, "CANT_REREAD: " + problems.Error()}
	case errors.Is(err, supervisor.ErrShutdown):
		return &Fault{faults.ShutdownState, "SHUTDOWN_STATE"}
	case errors.Is(err, supervisor.ErrAlreadyAdded):
		return &Fault{faults.AlreadyAdded, "ALREADY_ADDED: " + err.Error()}
	case errors.Is(err, supervisor.ErrStillRunning):
		return &Fault{faults.StillRunning, "STILL_RUNNING: " + err.Error()}
	case errors.As(err, &exec) && exec.Missing:
		return &Fault{faults.NoFile, "NO_FILE: " + exec.Error()}
	case errors.As(err, &exec):
		return &Fault{faults.NotExecutable, "NOT_EXECUTABLE: " + exec.Error()}
	case errors.As(err, &failed) && failed.Status.Error != "":
		return &Fault{faults.SpawnError, "SPAWN_ERROR: " + failed.Error()}
	case errors.As(err, &failed):
		return &Fault{faults.AbnormalTermination, "ABNORMAL_TERMINATION: " + failed.Error()}
	}
	return &Fault{faults.Failed, "FAILED: " + err.Error()}
}

func (s *Server) listMethods(*call) (any, error) { return slices.Sorted(maps.Keys(methods)), nil }

func (s *Server) methodHelp(c *call) (any, error) {
	m, ok := methods[c.text(0)]
	if !ok {
		return nil, &Fault{faults.SignatureUnsupported, "SIGNATURE_UNSUPPORTED"}
	}
	return m.help, nil
}

func (s *Server) methodSignature(c *call) (any, error) {
	m, ok := methods[c.text(0)]
	if !ok {
		return nil, &Fault{faults.SignatureUnsupported, "SIGNATURE_UNSUPPORTED"}
	}
	return strings.Fields(m.signature), nil
}

// maxMulticall bounds the calls in one system.multicall.
const maxMulticall = 1000

func (s *Server) multicall(c *call) (any, error) {
	calls, ok := c.params[0].([]any)
	if !ok || len(calls) > maxMulticall {
		c.bad(0, "array of calls")
		return nil, nil
	}
	a := answer{}
	for _, one := range calls {
		a.add(s.callOf(c, one))
	}
	return a.parts, nil
}

// callOf calls one method of a multicall, unless the answer is full.
func (s *Server) callOf(c *call, one any) func() (any, error) {
	return func() (any, error) {
		m, _ := one.(map[string]any)
		name, _ := m["methodName"].(string)
		params, _ := m["params"].([]any)
		switch name {
		case "":
			return nil, &Fault{faults.IncorrectParameters, "INCORRECT_PARAMETERS: No methodName"}
		case "system.multicall":
			return nil, &Fault{faults.IncorrectParameters, "INCORRECT_PARAMETERS: Recursive system.multicall forbidden"}
		}
		return s.call(c.ctx, c.peer, name, params)
	}
}
