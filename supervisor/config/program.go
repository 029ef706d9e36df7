package config

import (
	"slices"
	"time"
)

// Program is one supervised process as a [program:NAME] section describes it.
//
// Start from NewProgram: supervisord's defaults (autostart on, one second to count as started, three retries, ...)
// are not Go's zero values. A Program is plain data; Validate says whether it can be written and run.
type Program struct {
	Name  string // unique; shown by status, used by every command
	Group string // equal to Name when the program belongs to no [group:...]

	Command     []string          // argv; Command[0] is looked up in the program's own PATH when it has no slash
	Directory   string            // working directory; "" is the daemon's
	User        string            // name or number; "" is the daemon's user
	Environment map[string]string // added to a clean environment and to [supervisord]'s
	Umask       string            // octal, e.g. "027"; "" is the daemon's

	// PassEnvironment names variables of the daemon's own environment that the program gets, besides those of
	// Inherited.
	PassEnvironment []string

	AutoStart    bool
	AutoRestart  string // "true", "false" or "unexpected" (any exit whose code is not in ExitCodes)
	StartSecs    int    // seconds it has to live to count as started
	StartRetries int    // starts that may fail in a row before it is FATAL
	ExitCodes    []int  // exit codes that "unexpected" regards as a normal end
	Priority     int    // among programs that may start at once, lower goes first

	StopSignal   string // without SIG: TERM, INT, QUIT, ...
	StopWaitSecs int    // seconds from StopSignal to KILL
	// StopWaitStarting is as StopWaitSecs for a process that has not been ready yet; 0 is StopWaitSecs.
	StopWaitStarting int
	StopAsGroup      bool // send StopSignal to the whole process group, not only to its leader
	KillAsGroup      bool // after the leader is gone, kill what is left of the group (and of the cgroup)

	RestartDelay    time.Duration // before the first restart; doubles with each further failure, with jitter
	RestartDelayMax time.Duration
	RestartReset    time.Duration // up for this long: the next failure counts as the first again

	RedirectStderr        bool   // stderr goes where stdout goes
	StdoutLogfile         string // path, "AUTO" (in the daemon's log directory) or "NONE"
	StdoutLogfileMaxBytes int64  // rotate beyond this size; 0 never
	StdoutLogfileBackups  int    // rotated files kept
	StderrLogfile         string
	StderrLogfileMaxBytes int64
	StderrLogfileBackups  int
	LogCompress           bool  // gzip rotated files
	LogTotalMaxBytes      int64 // cap for one log and all its rotated files together; 0 none

	// LogFiles are logs that the program writes by itself, as absolute paths with the wildcards of glob(7). They are
	// looked at when it fails, like its standard streams, and left alone otherwise.
	LogFiles []string

	// DataDirs are directories that the program writes to besides those of its logs, as absolute paths. While the file
	// system of one of all these has less than its Reserve left, the program is degraded.
	DataDirs []string

	DependsOn       []string // programs that must be ready before this one starts
	Needs           []string // programs it does not wait for at its start, and cannot work without
	DependantsAfter string   // when programs that depend on this one may start: DependantsReady or DependantsListening

	ReadyTCP      string        // host:port that accepts a connection
	ReadyHTTP     *HTTPProbe    // request that gets the expected answer
	ReadyExec     []string      // argv that exits 0, run as the program's user with its environment
	ReadyLog      string        // regular expression (RE2) that a line written since the start matches
	ReadyInterval time.Duration // between two attempts; ten times as long once ready
	ReadyTimeout  time.Duration // not ready this long after the start: reported as failed, though left running

	// as Ready..., asked for as long as the program is ready, or listens with DependantsListening
	LivenessTCP       string
	LivenessHTTP      *HTTPProbe
	LivenessExec      []string
	LivenessInterval  time.Duration
	LivenessTimeout   time.Duration // one attempt
	LivenessThreshold int           // failures in a row that trigger the action
	LivenessAction    string        // "restart", "stop" or "none" (only report)

	LimitNoFile string // "65536", "soft:hard" or "unlimited"; "" inherits
	LimitNProc  string
	LimitCore   string
	OOMScoreAdj *int // -1000 (never) to 1000; nil inherits

	Ports []int // TCP ports it is known to listen on; shown by status, used by why
}

// HTTPProbe is a request whose answer tells whether a program works.
type HTTPProbe struct {
	URL          string
	Method       string // GET when empty
	Body         string
	Header       map[string]string
	Status       int    // wanted status code; 0 is any 2xx
	OrStatus     int    // another one that will do; 0 is none
	BodyContains string // wanted in the first 64 KiB of the body
}

// NewProgram returns a program with the dialect's defaults. They are supervisor 4's with one exception: what a
// program leaves behind in its process group is killed with it (killasgroup), because FATE's node manager forks
// workers that nothing else would ever stop.
func NewProgram(name string, command ...string) Program {
	p := Program{Name: name, Group: name, Command: command}
	setDefaults(programKeys, &p)
	return p
}

// Values of DependantsAfter.
const (
	DependantsReady     = "ready"     // when the program is ready
	DependantsListening = "listening" // when its ready_tcp and ready_http pass: what it still lacks may come from them
)

// StopWait returns the seconds that a process has to end after its stop signal.
func (p *Program) StopWait(wasReady bool) int {
	if !wasReady && p.StopWaitStarting > 0 {
		return p.StopWaitStarting
	}
	return p.StopWaitSecs
}

// HasReadiness reports whether the program has a readiness probe; one without is ready when it has started.
func (p *Program) HasReadiness() bool {
	return p.ReadyTCP != "" || p.ReadyHTTP != nil || len(p.ReadyExec) > 0 || p.ReadyLog != ""
}

// HasLiveness reports whether the program has a liveness probe.
func (p *Program) HasLiveness() bool {
	return p.LivenessTCP != "" || p.LivenessHTTP != nil || len(p.LivenessExec) > 0
}

// Clone returns a copy that shares nothing with p.
func (p Program) Clone() Program {
	p.Command = slices.Clone(p.Command)
	p.Environment = cloneMap(p.Environment)
	p.PassEnvironment = slices.Clone(p.PassEnvironment)
	p.ExitCodes = slices.Clone(p.ExitCodes)
	p.LogFiles = slices.Clone(p.LogFiles)
	p.DataDirs = slices.Clone(p.DataDirs)
	p.DependsOn = slices.Clone(p.DependsOn)
	p.Needs = slices.Clone(p.Needs)
	p.ReadyHTTP = p.ReadyHTTP.Clone()
	p.ReadyExec = slices.Clone(p.ReadyExec)
	p.LivenessHTTP = p.LivenessHTTP.Clone()
	p.LivenessExec = slices.Clone(p.LivenessExec)
	p.Ports = slices.Clone(p.Ports)
	if p.OOMScoreAdj != nil {
		v := *p.OOMScoreAdj
		p.OOMScoreAdj = &v
	}
	return p
}

// Clone returns a copy that shares nothing with h.
func (h *HTTPProbe) Clone() *HTTPProbe {
	if h == nil {
		return nil
	}
	c := *h
	c.Header = cloneMap(h.Header)
	return &c
}

func cloneMap(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	c := make(map[string]string, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}
