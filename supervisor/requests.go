package supervisor

import (
	"context"
	"errors"
	"slices"
)

// pending is the rest of a request that takes several steps with a program. It is in the program's record before
// the first step, so that the next daemon finishes what this one began, and a later request takes its place.
type pending string

const (
	pendingNothing pending = ""
	pendingStop    pending = "stop"
	pendingRestart pending = "restart" // stop the process of before the request, then start the program
	pendingForget  pending = "forget"  // stop, and let autostart decide what the next daemon does
)

// plan has the steps of a request for each program.
type plan map[string]pending

func planFor(p pending, names []string) plan {
	out := make(plan, len(names))
	for _, n := range names {
		out[n] = p
	}
	return out
}

func (p plan) names() []string {
	out := make([]string, 0, len(p))
	for n := range p {
		out = append(out, n)
	}
	return out
}

// mark writes a plan, and who asked for it, into the records of its programs.
func (sup *Supervisor) mark(p plan, a *Asked) {
	_ = sup.each(p.names(), func(s *service) error {
		s.event(func() { s.pending, s.asked = p[s.prog.Name], a })
		return nil
	})
}

// carryOut runs a request that takes several steps. A client that goes away ends only its wait: half a request is a
// state that was not asked for.
func (sup *Supervisor) carryOut(ctx context.Context, f func(ctx context.Context) error) error {
	done := make(chan error, 1)
	own := sup.ctx
	if r, ok := ctx.Value(requesterKey{}).(Requester); ok {
		own = WithRequester(own, r)
	}
	sup.background(func() { done <- f(own) })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-sup.ctx.Done():
		return errClosed
	}
}

// Stop stops programs, each after those of them that depend on it, and returns when they are down with everything they
// started. Without wait it returns at once. When ctx ends, only the wait does.
func (sup *Supervisor) Stop(ctx context.Context, names []string, wait bool) error {
	chosen, err := sup.known(names)
	if err != nil {
		return err
	}
	p := planFor(pendingStop, chosen)
	sup.mark(p, asked(ctx, "stop"))
	if !wait {
		sup.background(func() { sup.unawaited("stop", sup.stopInOrder(sup.ctx, p)) })
		return nil
	}
	return sup.carryOut(ctx, func(ctx context.Context) error { return sup.stopInOrder(ctx, p) })
}

// stopInOrder stops the programs of a plan that was marked, each after its dependants.
func (sup *Supervisor) stopInOrder(ctx context.Context, p plan) error {
	defs := sup.definitions()
	done := make(map[string]chan struct{}, len(p))
	for n := range p {
		done[n] = make(chan struct{})
	}
	return sup.each(p.names(), func(s *service) error {
		name := s.status.Load().Name
		defer close(done[name])
		for _, dependant := range withDependants(defs, []string{name}) {
			if c := done[dependant]; c != nil && dependant != name {
				select {
				case <-c:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		s.stop(p[name])
		return s.settleDown(ctx, p[name] == pendingRestart)
	})
}

// Restart stops programs and starts them again; dependants of them come along only if asked for. When ctx ends, only
// the wait does.
func (sup *Supervisor) Restart(ctx context.Context, names []string, dependants, wait bool) error {
	return sup.restart(ctx, names, dependants, goalOf(wait))
}

// RestartServing is as Restart with wait, but returns when the programs that depend on them can start.
func (sup *Supervisor) RestartServing(ctx context.Context, names []string, dependants bool) error {
	return sup.restart(ctx, names, dependants, untilServing)
}

func (sup *Supervisor) restart(ctx context.Context, names []string, dependants bool, wait goal) error {
	if sup.stopping.Load() {
		return ErrShutdown
	}
	chosen, err := sup.known(names)
	if err != nil {
		return err
	}
	if dependants {
		chosen = withDependants(sup.definitions(), chosen)
		// A dependant that was down stays down.
		chosen = slices.DeleteFunc(chosen, func(n string) bool {
			return !slices.Contains(names, n) && sup.service(n).status.Load().State.Down()
		})
	}
	p := planFor(pendingRestart, chosen)
	sup.mark(p, asked(ctx, "restart"))
	if wait == atOnce {
		sup.background(func() { sup.unawaited("restart", sup.restartPlanned(sup.ctx, p, wait)) })
		return nil
	}
	return sup.carryOut(ctx, func(ctx context.Context) error { return sup.restartPlanned(ctx, p, wait) })
}

// restartPlanned carries out a plan of restarts that was marked. What could be stopped is started again also when
// something else could not.
func (sup *Supervisor) restartPlanned(ctx context.Context, p plan, wait goal) error {
	stopped := sup.stopInOrder(ctx, p)
	if ctx.Err() != nil {
		return stopped
	}
	if sup.stopping.Load() {
		return ErrShutdown
	}
	sup.startAll(withDependencies(sup.definitions(), p.names()), p)
	if wait == atOnce {
		return stopped
	}
	return errors.Join(stopped, sup.settle(ctx, p.names(), wait))
}

// unawaited logs the error of a request whose outcome no client waits for. At the supervisor's end there is none: the
// next one goes on.
func (sup *Supervisor) unawaited(request string, err error) {
	if err != nil && sup.ctx.Err() == nil && !errors.Is(err, ErrShutdown) {
		sup.log.Info().Err(err).Msg("a " + request + " did not end as requested")
	}
}

// finishRequests goes on with what the daemon before this one was doing when it ended.
func (sup *Supervisor) finishRequests() {
	restart, stop := make(plan), make(plan)
	for _, s := range sup.services() {
		s.mu.Lock()
		if !s.gone {
			switch s.pending {
			case pendingRestart:
				restart[s.prog.Name] = s.pending
			case pendingStop:
				stop[s.prog.Name] = s.pending
			}
		}
		s.mu.Unlock()
	}
	for name := range restart {
		sup.log.Info().Str("program", name).Msg("goes on with the restart that was under way")
	}
	for name := range stop {
		sup.log.Info().Str("program", name).Msg("goes on with the stop that was under way")
	}
	if len(restart) > 0 {
		sup.background(func() { sup.unawaited("restart", sup.restartPlanned(sup.ctx, restart, atOnce)) })
	}
	if len(stop) > 0 {
		sup.background(func() { sup.unawaited("stop", sup.stopInOrder(sup.ctx, stop)) })
	}
}

// resumePending decides what follows from the pending step of a record; the service has been restored from it.
func (s *service) resumePending(p pending) {
	s.pending = p
	if p != pendingForget {
		return
	}
	s.pending = pendingNothing
	switch s.state {
	case Stopping, Killing:
		if s.prog.AutoStart {
			s.pending = pendingRestart
		}
	case Running, Starting:
	default:
		s.restored, s.resume = false, false
	}
}
