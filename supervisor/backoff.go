package supervisor

import (
	"math/rand/v2"
	"time"
)

// lastingRetries is how often a start that cannot succeed without help is tried again all the same: an operator may be
// just about to put the file or the user in place. A waiting command learns the cause after two short pauses.
const lastingRetries = 2

// startFailed follows a process that could not be started or did not live for startsecs.
func (s *service) startFailed() {
	s.failures++
	retries := s.prog.StartRetries
	if s.startErr == nil {
		s.keepLastLog()
	} else if !mayPass(s.startErr) {
		retries = min(retries, lastingRetries)
	}
	if s.failures > retries {
		s.wanted = false
		s.setState(Fatal, 0, nil)
		return
	}
	s.backOff()
}

// backOff arranges the next start.
func (s *service) backOff() {
	if s.run.startedBoot > 0 && s.run.stoppedBoot-s.run.startedBoot >= s.prog.RestartReset {
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
	// #nosec G404 -- it spreads restarts, and there is no harm in guessing it
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
