package supervisor

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
	"fate-installer/supervisor/process"
)

// The events of a service; the table in the package comment has a row for each state and a column for each event.

// Pauses of the transitions.
const (
	killAgainAfter = 500 * time.Millisecond // between two KILLs to a process that does not end
	drainInterval  = 10 * time.Millisecond  // between two looks at what is left of a process
	oomAskedAfter  = 200 * time.Millisecond // leaves the processor to the restart first
)

// start requests that the program runs. With a pending step, it is the last one of a request that planned it, and does
// nothing when a later request has taken its place.
func (s *service) start(planned pending) {
	s.event(func() {
		if s.gone || s.sup.stopping.Load() || planned != pendingNothing && s.pending != planned {
			return
		}
		if planned == pendingNothing {
			s.asked = nil // a stop before is history
		}
		s.wanted, s.pending = true, pendingNothing
		switch s.state {
		case Stopped, Exited, Fatal, Backoff, Waiting:
			s.tryAfresh()
		case Starting, Running:
			s.unreadyStarts = 0 // a caller that waits from now on has seen nothing fail
		case Killing:
			s.requestWhileStopping()
		}
	})
}

// stop requests that the program does not run; planned is the step for which it was marked. It does nothing when a
// later request has taken the place of that one.
func (s *service) stop(planned pending) {
	s.event(func() {
		if s.pending != planned {
			return
		}
		s.wanted = false
		if planned == pendingStop {
			s.pending = pendingNothing // from here on the state tells
		}
		switch s.state {
		case Waiting, Backoff:
			s.setState(Stopped, 0, nil)
		case Starting, Running:
			s.terminate()
		case Killing:
			s.requestWhileStopping()
		}
	})
}

// requestWhileStopping makes what follows the end of a process depend on what is wanted now: it had ended by itself,
// what it left behind is being killed, and a start or a stop was requested while it ends.
func (s *service) requestWhileStopping() {
	if s.after != nil {
		s.after = s.stoppedNow
	}
}

// dependencyChanged is called when something the program depends on became ready.
func (s *service) dependencyChanged() {
	s.event(func() {
		if s.state == Waiting {
			s.try()
		}
	})
}

// exited is called when the process has ended.
func (s *service) exited(number uint64, st process.Exit) {
	s.event(func() {
		if s.run.number != number || s.run.ended || !s.state.Up() {
			return
		}
		s.run.ended, s.run.stopped, s.run.stoppedBoot = true, time.Now(), s.sup.bootNow()
		s.run.cancel()
		s.noteExit(st)
		if !s.run.wasReady && !s.run.asked {
			s.unreadyStarts++
		}
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

// probed receives the outcome of a readiness attempt of a run: err is nil for success, listens is whether the attempts
// over the network succeeded.
func (s *service) probed(number uint64, listens bool, err error) {
	s.event(func() {
		if s.run.number != number || s.run.ended || s.state != Starting && s.state != Running {
			return
		}
		if err != nil {
			s.run.probe = logfile.Printable(err.Error())
			s.ready, s.serves = false, listens && s.prog.DependantsAfter == config.DependantsListening
			if s.serves && s.state == Starting {
				s.setState(Running, 0, nil)
				s.serves = true
			}
			if s.serves {
				s.failures = 0
			}
			return
		}
		s.run.probe, s.failures = "", 0
		if s.state == Starting {
			s.setState(Running, 0, nil) // an answer is better evidence of life than a second without a crash
		}
		s.becomeReady()
	})
}

// readyOverdue is called when ready_timeout has passed since the start.
func (s *service) readyOverdue(number uint64) {
	s.event(func() {
		if s.run.number == number && !s.run.ended && !s.ready && (s.state == Starting || s.state == Running) {
			s.run.timedOut = true
			s.keepLastLog()
		}
	})
}

// livenessFailed is called when liveness has failed too often.
func (s *service) livenessFailed(number uint64, err error) {
	s.event(func() {
		if s.run.number != number || s.state != Running {
			return
		}
		s.sup.log.Warn().Str("program", s.prog.Name).Str("action",
			s.prog.LivenessAction).Err(err).Msg("liveness failed")
		s.run.probe = "liveness: " + logfile.Printable(err.Error())
		s.ready, s.serves = false, false
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

// askAgain makes a program that becomes ready by what its dependants do prove it again: an earlier answer is not true
// of the new process of a dependant.
func (s *service) askAgain(dependant string) {
	s.event(func() {
		if !s.askNow() || !s.ready { // also while it is not ready: a probe that is under way asks the former process
			return
		}
		s.ready, s.run.probe = false, "it is asked again, since "+dependant+" was started"
		number := s.run.number
		time.AfterFunc(s.prog.ReadyTimeout, func() { s.readyOverdue(number) })
	})
}

// askSoon asks a program that is not ready, and becomes so by what its dependants do, at once and then often: a
// dependant has begun to serve.
func (s *service) askSoon() {
	s.event(func() {
		if !s.ready {
			s.askNow()
		}
	})
}

// askNow ends the pause between two readiness probes of a program that becomes ready by what its dependants do, and
// makes the next ones short again. It reports whether it is such a program. The lock is held.
func (s *service) askNow() bool {
	if s.run.ended || s.run.again == nil || s.prog.DependantsAfter != config.DependantsListening {
		return false
	}
	select {
	case s.run.again <- struct{}{}:
	default:
	}
	return true
}

func (s *service) becomeReady() {
	s.ready, s.serves, s.run.wasReady, s.run.timedOut, s.unreadyStarts = true, true, true, false, 0
}

// tryAfresh is a requested start: what failed before does not count.
func (s *service) tryAfresh() {
	s.failures, s.unreadyStarts, s.backoffs = 0, 0, 0
	s.try()
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
		s.unreadyStarts++
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

// stopAgainAfter is the time, in seconds, after which a program that was not ready is sent its stop signal again.
const stopAgainAfter = 2

// terminate sends the stop signal and starts the clock towards KILL. A program that is not ready yet may lose the
// signal: mysqld, for one, blocks it until it has come up. So it is sent again, for as long as the program has to stop.
// One that was ready gets it once, because some take a second one as an order to drop everything; once more by the next
// supervisor, which cannot know whether the former one has sent it.
func (s *service) terminate() {
	early := !s.serves && !s.run.wasReady
	s.run.cancel()
	s.run.asked = true
	wait := s.sup.seconds(s.prog.StopWait(s.run.wasReady))
	s.run.deadline = time.Now().Add(wait)
	s.sendStop()
	if early {
		s.setState(Stopping, min(wait, s.sup.seconds(stopAgainAfter)), s.stopAgain)
		return
	}
	s.setState(Stopping, wait, s.killNow)
}

// stopAgain is the timer between two stop signals to a program that was not ready.
func (s *service) stopAgain() {
	left := time.Until(s.run.deadline)
	if left <= 0 {
		s.killNow()
		return
	}
	s.sendStop()
	s.setState(Stopping, min(left, s.sup.seconds(stopAgainAfter)), s.stopAgain)
}

func (s *service) sendStop() {
	sig, err := config.ParseSignal(s.prog.StopSignal)
	if err != nil {
		sig = syscall.SIGTERM
	}
	if s.prog.StopAsGroup {
		err = s.run.proc.SignalGroup(sig)
	} else {
		err = s.run.proc.Signal(sig)
	}
	if err != nil && err != unix.ESRCH {
		s.sup.log.Error().Str("program", s.prog.Name).Err(err).Msg("cannot send the stop signal")
	}
}

// killNow is the timer of stopwaitsecs, and then of itself: a process in an uninterruptible wait dies late.
func (s *service) killNow() {
	s.run.proc.KillAll()
	s.setState(Killing, killAgainAfter, s.killNow)
}

// conclude does what follows the end of a process, but not before everything it started is gone as well.
func (s *service) conclude(then func()) {
	s.after = then
	s.drain()
}

// drain is the timer while something is left of a program whose process has ended.
func (s *service) drain() {
	if s.prog.KillAsGroup && len(s.run.proc.Leftovers()) > 0 {
		polite := s.state == Stopping && s.prog.StopAsGroup && time.Now().Before(s.run.deadline)
		if polite {
			s.setState(Stopping, drainInterval, s.drain)
			return
		}
		s.run.proc.KillAll()
		s.setState(Killing, drainInterval, s.drain)
		return
	}
	s.run.proc.Release()
	then := s.after
	s.after = nil
	then()
}

// stoppedNow follows a stop that is complete.
func (s *service) stoppedNow() {
	s.setState(Stopped, 0, nil)
	if s.wanted {
		s.tryAfresh()
	}
}

// noteExit remembers how the process ended.
func (s *service) noteExit(st process.Exit) {
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
	s.sup.log.Info().Str("program", s.prog.Name).Int("pid", s.run.proc.ID.PID).Bool("asked", s.run.asked).
		Msg("process " + e.String())
}

// askForOOM finds out whether the kernel has killed the process for want of memory. The kernel's log is long, and the
// restart does not wait for it.
func (s *service) askForOOM(e *ExitInfo) {
	proc, before := s.run.proc, s.run.oomKills
	if g := proc.Cgroup; g != nil && before >= 0 {
		e.OOM = g.OOMKills() > before
		return
	}
	pid := proc.ID.PID
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
