package supervisor

import (
	"context"
	"time"

	"fate-installer/supervisor/account"
	"fate-installer/supervisor/logfile"
	"fate-installer/supervisor/process"
)

// restore puts the service into the state an earlier supervisor left it in, and takes its process over if that is
// still the same one.
func (s *service) restore(r *record) {
	s.event(func() {
		s.restarts, s.failures, s.unreadyStarts, s.backoffs = r.Restarts, r.Failures, max(r.UnreadyStarts, r.Vain),
			r.Backoffs
		s.exit, s.lastLog, s.lastFile, s.restored = r.Exit, r.LastLog, r.LastFile, true
		s.asked = r.Asked
		acct, err := account.Lookup(s.prog.User)
		if err != nil {
			s.sup.log.Warn().Str("program", s.prog.Name).Err(err).Msg("cannot read the program's logs")
		}
		s.run.acct, s.run.program = acct, r.Program
		s.run.paths = logfile.PathsOf(&s.prog, s.sup.config().Daemon.ChildLogDir)
		s.run.outMark, s.run.errMark = r.Stdout, r.Stderr
		s.run.started, s.run.stopped = r.Started, r.Stopped
		switch {
		case r.Identity.PID == 0:
			s.restoreDown(r)
		case !s.adopt(r):
			s.missed(r)
		}
		s.resumePending(r.Pending)
	})
}

// restoreDown restores a program that had no process.
func (s *service) restoreDown(r *record) {
	s.setState(Stopped, 0, nil)
	switch r.State {
	case Exited, Fatal, Stopped:
		s.setState(r.State, 0, nil)
		s.since = r.Since
		if r.SinceBoot > 0 {
			s.sinceBoot = r.SinceBoot
		}
	default:
		s.resume = r.Wanted
		if s.resume && r.State == Backoff { // the start it was waiting for was not requested
			s.restarts++
		}
	}
}

// adopt takes the recorded process over.
func (s *service) adopt(r *record) bool {
	proc := s.sup.processes().Adopt(r.Identity, s.sup.marker(s.prog.Name), r.Cgroup)
	if proc == nil {
		return false
	}
	s.run.number++
	s.run.proc, s.run.adopted, s.run.oomKills = proc, true, -1
	if proc.Cgroup != nil {
		s.run.oomKills = proc.Cgroup.OOMKills()
	}
	// The clock may have been set while no daemon ran; the kernel's count of the process's age cannot.
	age := s.sup.processAge(proc.ID.Start)
	s.run.started, s.run.startedBoot = time.Now().Add(-age), s.sup.bootNow()-age
	number := s.run.number
	child := proc.Watch(func(st process.Exit) {
		s.sup.background(func() { s.exited(number, st) })
	})
	if !child {
		s.watchAdopted(proc, number)
	}
	s.sup.log.Info().Str("program", s.prog.Name).Int("pid", proc.ID.PID).Bool("child",
		child).Msg("took over the running process")
	s.wanted, s.run.wasReady = r.Wanted, r.WasReady
	if r.State == Stopping || r.State == Killing {
		s.terminate()
		s.wanted = r.Wanted
		return true
	}
	left := s.sup.seconds(s.prog.StartSecs) - age
	s.watchReadinessAgain(r.WasReady)
	if left > 0 && r.State == Starting {
		s.setState(Starting, left, s.aliveLongEnough)
		return true
	}
	s.setState(Running, 0, nil)
	if !s.prog.HasReadiness() {
		s.becomeReady()
	}
	return true
}

func (s *service) watchAdopted(proc *process.Tree, number uint64) {
	wait := proc.Wait() // the process may be released before the wait is over
	s.sup.background(func() {
		wait(s.sup.ctx)
		if s.sup.ctx.Err() == nil {
			s.exited(number, process.Exit{})
		}
	})
}

// missed deals with a process that ended while no supervisor was there to see it.
func (s *service) missed(r *record) {
	s.run.ended, s.run.adopted = true, true
	s.run.proc = s.sup.processes().Gone(r.Identity, s.sup.marker(s.prog.Name), r.Cgroup)
	s.run.stopped, s.run.stoppedBoot = time.Now(), s.sup.bootNow()
	if s.prog.KillAsGroup && len(s.run.proc.Leftovers()) > 0 {
		s.run.proc.KillAll()
	}
	s.setState(Stopped, 0, nil)
	if r.State == Stopping || r.State == Killing {
		s.resume = r.Wanted
		return
	}
	s.noteExit(process.Exit{})
	if s.mustRestart() {
		s.resume = r.Wanted
		s.restarts++
		return
	}
	s.setState(Exited, 0, nil)
}

// watchReadinessAgain starts the probes for an adopted process. A line in the log that once said "ready" may have
// been rotated away since; that it was seen is enough.
func (s *service) watchReadinessAgain(wasReady bool) {
	if wasReady && s.prog.ReadyLog != "" && s.prog.ReadyTCP == "" && s.prog.ReadyHTTP == nil &&
		len(s.prog.ReadyExec) == 0 {
		ctx, cancel := context.WithCancel(s.sup.ctx)
		s.run.cancel = cancel
		p, number := s.prog.Clone(), s.run.number
		if p.HasLiveness() {
			s.sup.background(func() { s.probeLiveness(ctx, &p, number) })
		}
		s.sup.background(func() { s.probed(number, true, nil) })
		return
	}
	s.watchReadiness()
}

// clockTicks is how many of /proc's clock ticks make a second: USER_HZ, which is 100 on every Linux Go runs on.
const clockTicks = 100

// processAge is how long ago a process started that has the given start time.
func (sup *Supervisor) processAge(start uint64) time.Duration {
	return max(0, sup.bootNow()-time.Duration(start)*(time.Second/clockTicks))
}

// detach lets go of the program without stopping it.
func (s *service) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.run.cancel()
	if s.run.proc != nil {
		s.run.proc.Close()
	}
}
