package supervisor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
	"fate-installer/supervisor/process"
)

// service is one program and its state machine. Every event is a method that takes the lock, looks at the state and
// acts; an event that no longer matters in the state it meets does nothing, which makes late timers harmless.
// Nothing else is locked inside, except what is a leaf (the reaper, the event log).
type service struct {
	sup *Supervisor

	mu    sync.Mutex
	prog  config.Program // the definition in force: the process may still run an older one
	state State
	since time.Time

	sinceBoot time.Duration // since by the boot clock

	wanted bool // it is to be up, now or when its stop has ended
	ready  bool
	serves bool // programs that depend on it may start
	gone   bool // taken out of the configuration: no event may start it again

	pending pending // of a request that takes several steps
	asked   *Asked  // the last request by a client

	detached bool // the supervisor is closed; the process lives on without it
	restored bool // known from an earlier supervisor, whose decision to leave it down stands
	resume   bool // known from an earlier supervisor, which would have started it again

	timer *time.Timer // of the state; a new state stops it
	turn  uint64      // counts states, so that a timer that fires late knows it

	run           run // the process, or the last one
	failures      int // starts that failed in a row
	unreadyStarts int // starts in a row after which it did not become ready
	backoffs      int // restarts since it was last up for restart_reset
	restarts      int // starts that were not requested
	next          time.Time
	after         func() // what follows when nothing of the process is left
	startErr      error
	notes         []string // what the last start could not do as defined
	// logs that were removed or renamed; written by the goroutine that rotates, read with mu
	logNotes []string
	ownGone  []string                 // of them, those that the program opened by itself
	looks    uint64                   // at the logs
	keptOf   map[beneath.FileID]int64 // what such a file keeps of its bytes; only that goroutine uses it
	lastLog  []string
	lastFile string // that lastLog is from, when it is not from a standard stream
	exit     *ExitInfo

	status  atomic.Pointer[Status]
	changed chan struct{} // closed at each change, then replaced
}

// run has the state of one process of a program.
type run struct {
	number                   uint64 // counts runs, so that what a probe or a wait reports late is known as late
	proc                     *process.Tree
	ended                    bool // the process has ended; what it started may still live
	started                  time.Time
	stopped                  time.Time
	startedBoot, stoppedBoot time.Duration // by the boot clock
	deadline                 time.Time     // when KILL follows the stop signal
	asked                    bool          // it was asked to stop
	adopted                  bool
	program                  string // fingerprint of its definition
	acct                     account.User
	paths                    logfile.Paths
	outMark                  logfile.Mark
	errMark                  logfile.Mark
	ownMarks                 map[string]logfile.Mark // of the logs that the program writes by itself, by path
	oomKills                 int
	wasReady                 bool
	timedOut                 bool   // not ready within ready_timeout
	probe                    string // why the last readiness attempt failed
	cancel                   context.CancelFunc
	again                    chan struct{} // has a token when readiness is to be asked for at once
}

func newService(sup *Supervisor, p config.Program) *service {
	s := &service{sup: sup, prog: p, state: Stopped, changed: make(chan struct{}), since: time.Now(),
		sinceBoot: sup.bootNow()}
	s.run.cancel = func() {}
	s.publish(Stopped)
	return s
}

// event runs f under the lock, then tells the world what it changed.
func (s *service) event(f func()) {
	s.mu.Lock()
	if s.detached {
		s.mu.Unlock()
		return
	}
	before, wasReady, served, turn, pending := s.state, s.ready, s.serves, s.turn, s.pending
	number := s.run.number
	f()
	if s.turn != turn || s.ready != wasReady || s.pending != pending {
		s.save()
	}
	s.publish(before)
	serves, name := s.serves, s.prog.Name
	launched, dependencies := s.run.number != number, s.prog.DependsOn
	s.mu.Unlock()
	if serves && !served {
		s.sup.beganToServe(name, dependencies)
	}
	if serves != served {
		s.sup.servingChanged(name)
	}
	if launched {
		s.sup.dependantStarted(name, dependencies)
	}
}

// setState enters a state. after, if above zero, is when the state's timer fires.
func (s *service) setState(state State, after time.Duration, fire func()) {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	s.turn++
	if s.state != state {
		s.state, s.since, s.sinceBoot = state, time.Now(), s.sup.bootNow()
	}
	if state != Running {
		s.ready, s.serves = false, false
	}
	if fire == nil {
		return
	}
	turn := s.turn
	s.timer = time.AfterFunc(after, func() {
		s.event(func() {
			if s.turn == turn {
				fire()
			}
		})
	})
}

// lastLogLines is how many lines of a log are kept when a program fails.
const lastLogLines = 20

// keepLastLog remembers the end of the log, which says why a program failed more often than anything else.
func (s *service) keepLastLog() { s.lastLog, s.lastFile = s.run.lastLines(s.prog.LogFiles) }

// lastLines returns what the run has written last, of both streams and of its own logs. file is the log that all of it
// is from, when that is not a standard stream; otherwise the lines of each own log follow a line with its name.
func (r *run) lastLines(own []string) (lines []string, file string) {
	marks := map[string]logfile.Mark{r.paths.Out: r.outMark, r.paths.Err: r.errMark}
	for _, path := range r.paths.Distinct() {
		lines = append(lines, logfile.LastLines(path, r.acct, marks[path], lastLogLines)...)
	}
	ends := r.ownLogEnds(own, lines)
	if len(lines) == 0 && len(ends) == 1 {
		return ends[0].lines, ends[0].file
	}
	for _, e := range ends {
		lines = append(append(lines, "==> "+e.file+" <=="), e.lines...)
	}
	return lines, ""
}

// publish makes a new snapshot, which is read without the lock. Any change wakes those who wait for the program;
// an event, and a line in the log, are for what has happened to it: not for a probe that fails with another text.
func (s *service) publish(before State) {
	st := s.snapshot()
	old := s.status.Swap(st)
	if old == nil {
		return
	}
	happened := old.State != st.State || old.Ready != st.Ready || old.Serving != st.Serving || old.PID != st.PID ||
		old.TimedOut != st.TimedOut ||
		(old.Why == "") != (st.Why == "")
	if happened || old.Why != st.Why || old.Wanted != st.Wanted {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	if !happened {
		return
	}
	text := st.line()
	s.sup.log.Info().Str("program", st.Name).Str("state", string(st.State)).Bool("ready", st.Ready).Int("pid",
		st.PID).Msg(text)
	s.sup.events.add(Event{Time: time.Now(), Name: st.Name, Group: st.Group, From: before, State: st.State,
		Ready: st.Ready, PID: st.PID, Text: text})
}

func (s *service) snapshot() *Status {
	st := &Status{
		Name: s.prog.Name, Group: s.prog.Group, State: s.state, own: s.ready, Serving: s.serves, Wanted: s.wanted,
		Since:   s.since,
		Started: s.run.started, Stopped: s.run.stopped, Restarts: s.restarts, Failures: s.failures,
		UnreadyStarts: s.unreadyStarts,
		Adopted:       s.run.adopted && s.state.Up(), Exit: s.exit, Probe: s.run.probe, TimedOut: s.run.timedOut,
		LastLog: orEmpty(s.lastLog), Ports: orEmpty(s.prog.Ports), Depends: orEmpty(s.prog.DependsOn),
		Needs:    orEmpty(s.prog.Needs),
		WaitsFor: []string{}, Asked: s.asked,
		Stdout: s.run.paths.Out,
	}
	st.LastFile, st.sinceBoot, st.startedBoot = s.lastFile, s.sinceBoot, s.run.startedBoot
	if s.run.paths.Err != s.run.paths.Out {
		st.Stderr = s.run.paths.Err
	}
	if st.PID = s.runningPID(); st.PID != 0 {
		st.Changed = s.run.program != fingerprintOf(&s.prog)
	}
	if s.state == Backoff {
		st.Next = s.next
	}
	if s.state == Waiting {
		st.WaitsFor = s.sup.unready(s.prog.DependsOn)
	}
	if s.startErr != nil {
		st.Error = logfile.Printable(s.startErr.Error())
	}
	if s.state.Up() {
		st.Notes = s.logNotes
	}
	s.sup.judge(st)
	return st
}

// orEmpty makes a list that is never null in JSON.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// wait returns a channel that is closed at the next change after the returned status.
func (s *service) wait() (*Status, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status.Load(), s.changed
}

func signalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("%d", int(sig))
}

// save writes the program's record. That it cannot be written is no reason to let the program down.
func (s *service) save() {
	if s.gone && s.state.Down() {
		s.sup.removeRecord(s.prog.Name)
		return
	}
	if err := s.sup.records.save(s.record()); err != nil {
		s.sup.log.Error().Str("program", s.prog.Name).Err(err).Msg(
			"cannot write the state file: a new supervisor would not know this process")
	}
}

// runningPID is the process of a program that runs; 0 when it has none. The lock is held.
func (s *service) runningPID() int {
	if s.state.Up() && s.run.proc != nil && !s.run.ended {
		return s.run.proc.ID.PID
	}
	return 0
}

func (s *service) record() *record {
	r := &record{
		Name: s.prog.Name, Boot: s.sup.boot, State: s.state, Since: s.since, SinceBoot: s.sinceBoot, Wanted: s.wanted,
		Pending: s.pending,
		Asked:   s.asked,
		Program: s.run.program, Started: s.run.started, Stopped: s.run.stopped, WasReady: s.run.wasReady,
		Restarts: s.restarts, Failures: s.failures, UnreadyStarts: s.unreadyStarts, Backoffs: s.backoffs,
		Stdout: s.run.outMark, Stderr: s.run.errMark, Exit: s.exit, LastLog: s.lastLog, LastFile: s.lastFile,
		StopGroup: s.prog.StopAsGroup, StopWait: s.prog.StopWaitSecs, StopWith: s.prog.StopSignal,
	}
	if s.startErr != nil {
		r.Error = s.startErr.Error()
	}
	if s.run.proc != nil && !s.run.ended {
		r.Identity = s.run.proc.ID
		if s.run.proc.Cgroup != nil {
			r.Cgroup = s.run.proc.Cgroup.Dir
		}
	}
	return r
}
