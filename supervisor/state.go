package supervisor

import (
	"encoding/json"
	"fmt"
	"time"
)

// State is where a program is in its life; the table in the package comment says how it gets from one to another.
type State string

// The states of a program.
const (
	Stopped  State = "STOPPED"  // not running, and not requested to
	Waiting  State = "WAITING"  // wanted, but something it depends on is not ready
	Starting State = "STARTING" // running, not yet for startsecs
	Running  State = "RUNNING"  // running for startsecs, or its readiness probe has passed
	Stopping State = "STOPPING" // asked to stop
	Killing  State = "KILLING"  // sent KILL, or its leftovers were
	Backoff  State = "BACKOFF"  // failed, will be started again after a delay
	Exited   State = "EXITED"   // ended by itself, not to be started again
	Fatal    State = "FATAL"    // failed too often in a row
)

// Up reports whether the program has a process.
func (s State) Up() bool { return s == Starting || s == Running || s == Stopping || s == Killing }

// Down reports whether nothing will happen to the program unless it is asked to.
func (s State) Down() bool { return s == Stopped || s == Exited || s == Fatal }

// Status is everything known about a program at one moment.
type Status struct {
	Name  string `json:"name"`  // the program
	Group string `json:"group"` // its group; the program's own name when it is in none
	State State  `json:"state"` // STOPPED, WAITING, STARTING, RUNNING, STOPPING, KILLING, BACKOFF, EXITED or FATAL
	// Ready is whether the program works: its probe passed, and what it needs serves.
	Ready bool `json:"ready"`
	// Degraded is whether only that is missing which other programs do, or room on a file system that it writes to, or
	// for processes and threads. DegradedBy names the programs, LowSpace the file system, LowTasks the limit.
	Degraded   bool     `json:"degraded"`
	DegradedBy []string `json:"degraded_by"`         // programs that it needs and that do not serve
	LowSpace   string   `json:"low_space,omitempty"` // the file system that has too little room
	LowTasks   string   `json:"low_tasks,omitempty"` // the limit on processes and threads that is nearly reached
	// Serving is whether programs that depend on it may start: it is ready, or listens and needs them to become ready.
	Serving bool `json:"serving"`
	PID     int  `json:"pid"` // of the process; 0: there is none
	// Wanted is whether it is to be up, now or when its stop is complete.
	Wanted bool `json:"wanted"`

	Since         time.Time `json:"since"`            // since when it is in this state
	Started       time.Time `json:"started,omitzero"` // start of the process, or of the last one
	Stopped       time.Time `json:"stopped,omitzero"` // end of the last process
	Restarts      int       `json:"restarts"`         // times it was started again without being asked
	Failures      int       `json:"failures"`         // starts that failed, in a row
	UnreadyStarts int       `json:"unready_starts"`   // starts in a row after which it did not become ready
	Next          time.Time `json:"next,omitzero"`    // when a program in backoff is started again
	Adopted       bool      `json:"adopted"`          // its process was started by an earlier daemon
	// the process runs an older definition than the one in force
	Changed  bool      `json:"changed"`
	WaitsFor []string  `json:"waits_for"`               // dependencies that do not serve
	Exit     *ExitInfo `json:"exit,omitempty"`          // how the last process ended
	Error    string    `json:"error,omitempty"`         // why it could not be started
	Probe    string    `json:"probe,omitempty"`         // what the last readiness attempt said, if it failed
	TimedOut bool      `json:"timed_out"`               // not ready within ready_timeout
	LastLog  []string  `json:"last_log"`                // last lines before the last end that was a failure
	LastFile string    `json:"last_log_file,omitempty"` // the log they are from, when that is not stdout or stderr
	Why      string    `json:"why"`                     // why it is not ready, in one line; empty when all is well
	Notes    []string  `json:"notes,omitempty"`         // what is to be put right of a program that works
	Ports    []int     `json:"ports"`                   // ports that its definition names
	Memory   int64     `json:"memory"`                  // bytes resident, of the main process
	Stdout   string    `json:"stdout,omitempty"`        // log of its standard output
	// log of its standard error; empty when it goes where stdout goes
	Stderr  string   `json:"stderr,omitempty"`
	Depends []string `json:"depends_on"` // programs that have to serve before it is started
	// programs that it needs to be ready, and does not wait for
	Needs []string `json:"needs"`
	Asked *Asked   `json:"asked,omitempty"` // the last request that concerned it

	// StateSeconds is the time in the state, by the boot clock.
	StateSeconds float64 `json:"state_seconds"`
	UpSeconds    float64 `json:"up_seconds,omitempty"` // time since the process was started, by the boot clock

	own                    bool          // it is ready as far as it is up to it
	sinceBoot, startedBoot time.Duration // Since and Started by the boot clock
}

// UnmarshalJSON reads the status that a supervisor sent, which may be an older program than this one.
func (st *Status) UnmarshalJSON(data []byte) error {
	type status Status
	doc := struct {
		*status
		Vain int `json:"vain"` // unready_starts, until it had that name
	}{status: (*status)(st)}
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	st.UnreadyStarts = max(st.UnreadyStarts, doc.Vain)
	return nil
}

// GivenUp reports whether the program is not worth waiting for: it is FATAL, or has failed so often in a row that only
// the supervisor goes on trying.
func (s *Status) GivenUp() bool {
	return s.State == Fatal || s.State == Backoff && s.UnreadyStarts >= hopelessAfter
}

// Lacks says what the host has too little of for the program; "" when it has enough.
func (s *Status) Lacks() string {
	if s.LowSpace != "" && s.LowTasks != "" {
		return s.LowSpace + ", " + s.LowTasks
	}
	return s.LowSpace + s.LowTasks
}

// ExitInfo says how a process ended.
type ExitInfo struct {
	Known    bool      `json:"known"`            // false when a parent that is gone got the status
	Code     int       `json:"code"`             // exit status, when no signal ended it
	Signal   string    `json:"signal,omitempty"` // name of the signal that ended it
	Core     bool      `json:"core,omitempty"`   // it left a core dump
	OOM      bool      `json:"oom,omitempty"`    // the kernel killed it for want of memory
	Expected bool      `json:"expected"`         // it was asked to stop, or its code is among exitcodes
	At       time.Time `json:"at"`               // when it ended
}

// String describes the end as a person would.
func (e *ExitInfo) String() string {
	switch {
	case e == nil:
		return "has not ended yet"
	case e.OOM:
		return "killed by the kernel: out of memory"
	case !e.Known:
		return "ended; how is not known, because it was started by an earlier supervisor"
	case e.Signal != "" && e.Core:
		return "ended by signal " + e.Signal + ", core dumped"
	case e.Signal != "":
		return "ended by signal " + e.Signal
	}
	return fmt.Sprintf("exited with status %d", e.Code)
}
