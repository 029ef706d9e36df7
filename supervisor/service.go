package supervisor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// service is one program and its state machine. Every event is a method that takes the lock, looks at the state and
// acts; an event that no longer matters in the state it meets does nothing, which is what makes late timers harmless.
// Nothing else is locked inside, except what is a leaf (the reaper, the event log).
type service struct {
	sup *Supervisor

	mu    sync.Mutex
	prog  Program // the definition in force: the process may still run an older one
	state State
	since time.Time

	wanted bool // somebody wants it up, now or when its stop has ended
	ready  bool
	gone   bool // taken out of the configuration: no event may start it again

	detached bool // the supervisor is closed; the process lives on without it
	restored bool // known from an earlier supervisor, whose decision to leave it down stands
	resume   bool // known from an earlier supervisor, which would have started it again

	timer *time.Timer // of the state; a new state stops it
	turn  uint64      // counts states, so that a timer that fires late knows it

	run      run // the process, or the last one
	failures int // starts that failed in a row
	backoffs int // restarts since it was last up for restart_reset
	restarts int // starts nobody asked for
	next     time.Time
	after    func() // what follows when nothing of the process is left
	startErr error
	lastLog  []string
	exit     *ExitInfo

	status  atomic.Pointer[Status]
	changed chan struct{} // closed at each change, then replaced
}

// run is what belongs to one process of a program.
type run struct {
	number   uint64 // counts runs, so that what a probe or a wait reports late is known as late
	proc     *process
	ended    bool // the process has ended; what it started may still live
	started  time.Time
	stopped  time.Time
	deadline time.Time // when KILL follows the stop signal
	asked    bool      // it was asked to stop
	adopted  bool
	program  string // fingerprint of its definition
	acct     account
	paths    logPaths
	outMark  logMark
	errMark  logMark
	oomKills int
	timedOut bool   // not ready within ready_timeout
	probe    string // why the last readiness attempt failed
	cancel   context.CancelFunc
}

func newService(sup *Supervisor, p Program) *service {
	s := &service{sup: sup, prog: p, state: Stopped, changed: make(chan struct{}), since: time.Now()}
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
	before, wasReady, turn := s.state, s.ready, s.turn
	f()
	if s.turn != turn || s.ready != wasReady {
		s.save()
	}
	s.publish(before)
	became, name := s.ready && !wasReady, s.prog.Name
	s.mu.Unlock()
	if became {
		s.sup.becameReady(name)
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
		s.state, s.since = state, time.Now()
	}
	if state != Running {
		s.ready = false
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

// start is the wish that the program runs.
func (s *service) start() {
	s.event(func() {
		if s.gone || s.sup.stopping.Load() {
			return
		}
		s.wanted = true
		switch s.state {
		case Stopped, Exited, Fatal, Backoff, Waiting:
			s.failures, s.backoffs = 0, 0
			s.try()
		case Killing:
			s.changeMind()
		}
	})
}

// stop is the wish that it does not. again says that it is to come back when it has stopped.
func (s *service) stop(again bool) {
	s.event(func() {
		again = again && !s.gone && !s.sup.stopping.Load()
		s.wanted = again
		switch s.state {
		case Waiting, Backoff:
			s.setState(Stopped, 0, nil)
		case Starting, Running:
			s.terminate()
		case Killing:
			s.changeMind()
		}
		if again && s.state.Down() {
			s.failures, s.backoffs = 0, 0
			s.wanted = true
			s.try()
		}
	})
}

// changeMind makes what follows the end of a process depend on what is wanted now: it had ended by itself, what it left
// behind is being killed, and meanwhile somebody asked for a start or a stop.
func (s *service) changeMind() {
	if s.after != nil {
		s.after = s.stoppedNow
	}
}

// dependencyChanged is told when something the program depends on became ready.
func (s *service) dependencyChanged() {
	s.event(func() {
		if s.state == Waiting {
			s.try()
		}
	})
}

// exited is told when the process has ended.
func (s *service) exited(number uint64, st exitStatus) {
	s.event(func() {
		if s.run.number != number || s.run.ended || !s.state.Up() {
			return
		}
		s.run.ended, s.run.stopped = true, time.Now()
		s.run.cancel()
		s.noteExit(st)
		switch s.state {
		case Starting:
			s.conclude(s.startFailed)
		case Running:
			if s.mustRestart() {
				s.conclude(s.backOff)
			} else {
				s.conclude(func() { s.wanted = false; s.setState(Exited, 0, nil) })
			}
		case Stopping, Killing:
			s.conclude(s.stoppedNow)
		}
	})
}

// aliveLongEnough is the timer of startsecs.
func (s *service) aliveLongEnough() {
	s.failures = 0
	s.setState(Running, 0, nil)
	if !s.prog.HasReadiness() {
		s.becomeReady()
	}
}

// probed is told the outcome of a readiness attempt of a run; err is nil for success.
func (s *service) probed(number uint64, err error) {
	s.event(func() {
		if s.run.number != number || s.run.ended || s.state != Starting && s.state != Running {
			return
		}
		if err != nil {
			s.run.probe = printable(err.Error())
			s.ready = false
			return
		}
		s.run.probe, s.failures = "", 0
		if s.state == Starting {
			s.setState(Running, 0, nil) // an answer is better evidence of life than a second without a crash
		}
		s.becomeReady()
	})
}

// readyOverdue is told when ready_timeout has passed since the start.
func (s *service) readyOverdue(number uint64) {
	s.event(func() {
		if s.run.number == number && !s.run.ended && !s.ready && (s.state == Starting || s.state == Running) {
			s.run.timedOut = true
			s.keepLastLog()
		}
	})
}

// unwell is told when liveness has failed too often.
func (s *service) unwell(number uint64, err error) {
	s.event(func() {
		if s.run.number != number || s.state != Running {
			return
		}
		s.sup.log.Warn().Str("program", s.prog.Name).Str("action", s.prog.LivenessAction).Err(err).Msg("liveness failed")
		s.run.probe = "liveness: " + printable(err.Error())
		s.ready = false
		switch s.prog.LivenessAction {
		case "restart":
			s.restarts++
			s.keepLastLog()
			s.terminate()
		case "stop":
			s.wanted = false
			s.keepLastLog()
			s.terminate()
		}
	})
}

func (s *service) becomeReady() {
	s.ready, s.run.timedOut = true, false
}

// try starts the program if all it depends on is ready; otherwise it waits for that.
func (s *service) try() {
	s.startErr = nil
	if len(s.sup.unready(s.prog.DependsOn)) > 0 {
		s.setState(Waiting, 0, nil)
		return
	}
	if err := s.launch(); err != nil {
		s.startErr, s.lastLog = err, nil
		s.sup.log.Error().Str("program", s.prog.Name).Err(err).Msg("cannot start")
		s.startFailed()
		return
	}
	alive := s.sup.seconds(s.prog.StartSecs)
	s.setState(Starting, alive, s.aliveLongEnough)
	if alive == 0 {
		s.aliveLongEnough()
	}
}

// startFailed follows a process that could not be started or did not live for startsecs.
func (s *service) startFailed() {
	s.failures++
	if s.startErr == nil {
		s.keepLastLog()
	}
	if s.failures > s.prog.StartRetries {
		s.wanted = false
		s.setState(Fatal, 0, nil)
		return
	}
	s.backOff()
}

// backOff arranges the next start.
func (s *service) backOff() {
	if !s.run.started.IsZero() && s.run.stopped.Sub(s.run.started) >= s.prog.RestartReset {
		s.backoffs = 0
	}
	s.backoffs++
	delay := backoffDelay(s.prog.RestartDelay, s.prog.RestartDelayMax, s.backoffs)
	s.next = time.Now().Add(delay)
	again := func() {
		s.restarts++
		s.try()
	}
	if delay == 0 && s.failures == 0 {
		s.setState(Backoff, 0, nil)
		again()
		return
	}
	s.setState(Backoff, delay, again)
}

// backoffDelay doubles the first delay with each further failure, up to the limit, and varies it by a tenth, so that
// programs that failed together do not come back together.
func backoffDelay(first, limit time.Duration, failures int) time.Duration {
	d := first
	for i := 1; i < failures && d < limit; i++ {
		d *= 2
	}
	if limit > 0 {
		d = min(d, limit)
	}
	if d <= 0 {
		return 0
	}
	return d - d/10 + time.Duration(rand.Int64N(int64(d/5)+1))
}

// mustRestart applies autorestart to a process that ended by itself.
func (s *service) mustRestart() bool {
	switch s.prog.AutoRestart {
	case "true":
		return true
	case "false":
		return false
	}
	return !s.exit.Expected
}

// terminate sends the stop signal and starts the clock towards KILL.
func (s *service) terminate() {
	s.run.cancel()
	s.run.asked = true
	sig, err := parseSignal(s.prog.StopSignal)
	if err != nil {
		sig = syscall.SIGTERM
	}
	wait := s.sup.seconds(s.prog.StopWaitSecs)
	s.run.deadline = time.Now().Add(wait)
	s.setState(Stopping, wait, s.killNow)
	if s.prog.StopAsGroup {
		err = s.run.proc.signalGroup(sig)
	} else {
		err = s.run.proc.signal(sig)
	}
	if err != nil && err != unix.ESRCH {
		s.sup.log.Error().Str("program", s.prog.Name).Err(err).Msg("cannot send the stop signal")
	}
}

// Pauses between two looks at whether a killed process, or what is left of it, is gone.
const (
	killAgainAfter = 500 * time.Millisecond
	drainInterval  = 10 * time.Millisecond
)

// killNow is the timer of stopwaitsecs, and then of itself: a process in an uninterruptible wait dies late.
func (s *service) killNow() {
	s.run.proc.killAll()
	s.setState(Killing, killAgainAfter, s.killNow)
}

// conclude does what follows the end of a process, but not before everything it started is gone as well.
func (s *service) conclude(then func()) {
	s.after = then
	s.drain()
}

// drain is the timer while something is left of a program whose process has ended.
func (s *service) drain() {
	if s.prog.KillAsGroup && len(s.run.proc.leftovers()) > 0 {
		polite := s.state == Stopping && s.prog.StopAsGroup && time.Now().Before(s.run.deadline)
		if polite {
			s.setState(Stopping, drainInterval, s.drain)
			return
		}
		s.run.proc.killAll()
		s.setState(Killing, drainInterval, s.drain)
		return
	}
	s.run.proc.release()
	then := s.after
	s.after = nil
	then()
}

// stoppedNow follows a stop that is complete.
func (s *service) stoppedNow() {
	s.setState(Stopped, 0, nil)
	if s.wanted {
		s.failures, s.backoffs = 0, 0
		s.try()
	}
}

// noteExit remembers how the process ended.
func (s *service) noteExit(st exitStatus) {
	e := &ExitInfo{Known: st.Known, Code: st.Code, Core: st.Core, At: s.run.stopped}
	if st.Signal != 0 {
		e.Signal = signalName(st.Signal)
	}
	for _, code := range s.prog.ExitCodes {
		e.Expected = e.Expected || st.Known && st.Signal == 0 && st.Code == code
	}
	if st.Signal == unix.SIGKILL && !s.run.asked {
		s.askForOOM(e)
	}
	e.Expected = e.Expected || s.run.asked
	s.exit = e
	if !e.Expected {
		s.keepLastLog()
	}
	s.sup.log.Info().Str("program", s.prog.Name).Int("pid", s.run.proc.id.PID).Bool("asked", s.run.asked).
		Msg("process " + e.String())
}

// oomAskedAfter leaves the processor to the restart first.
const oomAskedAfter = 200 * time.Millisecond

// askForOOM finds out whether the kernel has killed the process for want of memory. The kernel's log is long, and the
// restart does not wait for it.
func (s *service) askForOOM(e *ExitInfo) {
	proc, before := s.run.proc, s.run.oomKills
	if g := proc.cgroup; g != nil && before >= 0 {
		e.OOM = g.oomKills() > before
		return
	}
	pid := proc.id.PID
	s.sup.background(func() {
		if sleep(s.sup.ctx, oomAskedAfter) && kernelKilled(pid) {
			s.event(func() {
				if s.exit == e {
					oom := *e
					oom.OOM = true
					s.exit = &oom
				}
			})
		}
	})
}

// keepLastLog remembers the end of the log, which says why a program failed more often than anything else.
func (s *service) keepLastLog() { s.lastLog = s.run.lastLines() }

// lastLines returns what the run has written last, of both streams.
func (r *run) lastLines() []string {
	var lines []string
	marks := map[string]logMark{r.paths.out: r.outMark, r.paths.err: r.errMark}
	for _, path := range r.paths.distinct() {
		lines = append(lines, lastLines(path, r.acct, marks[path], lastLogLines)...)
	}
	return lines
}

// publish makes a new snapshot, which is read without the lock, and reports the change.
func (s *service) publish(before State) {
	st := s.snapshot()
	old := s.status.Swap(st)
	if old != nil && old.State == st.State && old.Ready == st.Ready && old.Why == st.Why && old.PID == st.PID && old.Wanted == st.Wanted {
		return
	}
	close(s.changed)
	s.changed = make(chan struct{})
	if old == nil {
		return
	}
	if old.State == st.State && old.Ready == st.Ready && old.Why == st.Why && old.PID == st.PID {
		return // only the wish has changed: nothing that has happened to it
	}
	text := st.line()
	s.sup.log.Info().Str("program", st.Name).Str("state", string(st.State)).Bool("ready", st.Ready).Int("pid", st.PID).Msg(text)
	s.sup.events.add(Event{Time: time.Now(), Name: st.Name, Group: st.Group, From: before, State: st.State,
		Ready: st.Ready, PID: st.PID, Text: text})
}

func (s *service) snapshot() *Status {
	st := &Status{
		Name: s.prog.Name, Group: s.prog.Group, State: s.state, Ready: s.ready, Wanted: s.wanted, Since: s.since,
		Started: s.run.started, Stopped: s.run.stopped, Restarts: s.restarts, Failures: s.failures,
		Adopted: s.run.adopted && s.state.Up(), Exit: s.exit, Probe: s.run.probe, TimedOut: s.run.timedOut,
		LastLog: orEmpty(s.lastLog), Ports: orEmpty(s.prog.Ports), Depends: orEmpty(s.prog.DependsOn), WaitsFor: []string{},
		Stdout: s.run.paths.out,
	}
	if s.run.paths.err != s.run.paths.out {
		st.Stderr = s.run.paths.err
	}
	if s.state.Up() && s.run.proc != nil && !s.run.ended {
		st.PID = s.run.proc.id.PID
		st.Changed = s.run.program != s.prog.fingerprint()
	}
	if s.state == Backoff {
		st.Next = s.next
	}
	if s.state == Waiting {
		st.WaitsFor = s.sup.unready(s.prog.DependsOn)
	}
	if s.startErr != nil {
		st.Error = printable(s.startErr.Error())
	}
	st.Why = st.explain()
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
		_ = s.sup.records.remove(s.prog.Name)
		return
	}
	if err := s.sup.records.save(s.record()); err != nil {
		s.sup.log.Error().Str("program", s.prog.Name).Err(err).Msg("cannot write the state file: a new supervisor would not know this process")
	}
}

func (s *service) record() *record {
	r := &record{
		Name: s.prog.Name, Boot: s.sup.boot, State: s.state, Since: s.since, Wanted: s.wanted,
		Program: s.run.program, Started: s.run.started, Stopped: s.run.stopped, WasReady: s.ready,
		Restarts: s.restarts, Failures: s.failures, Backoffs: s.backoffs,
		Stdout: s.run.outMark, Stderr: s.run.errMark, Exit: s.exit, LastLog: s.lastLog,
		StopGroup: s.prog.StopAsGroup, StopWait: s.prog.StopWaitSecs, StopWith: s.prog.StopSignal,
	}
	if s.startErr != nil {
		r.Error = s.startErr.Error()
	}
	if s.run.proc != nil && !s.run.ended {
		r.Identity = s.run.proc.id
		if s.run.proc.cgroup != nil {
			r.Cgroup = s.run.proc.cgroup.dir
		}
	}
	return r
}
