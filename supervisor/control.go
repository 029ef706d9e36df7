package supervisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
)

// FailedError says why a program did not get to where it was asked to be.
type FailedError struct {
	Name   string
	Status Status
	Text   string
}

func (e *FailedError) Error() string { return e.Name + ": " + e.Text }

// Resolve turns what a user wrote into program names: "all", a program's name with or without its "fate-", group:name,
// group:*, or a group's name. The result has no doubles and is in the order of starting.
func (sup *Supervisor) Resolve(words []string) ([]string, error) {
	chosen := make(map[string]bool)
	statuses := sup.Statuses()
	for _, w := range words {
		names := matching(statuses, w)
		if len(names) == 0 {
			names = matching(statuses, "fate-"+w)
		}
		if len(names) == 0 && w != "all" {
			return nil, &UnknownError{w}
		}
		for _, n := range names {
			chosen[n] = true
		}
	}
	var out []string
	for _, s := range sup.inOrder(nil) {
		if n := s.status.Load().Name; chosen[n] {
			out = append(out, n)
		}
	}
	return out, nil
}

func matching(statuses []Status, w string) []string {
	group, name, qualified := strings.Cut(w, ":")
	var out []string
	for _, st := range statuses {
		switch {
		case w == "all",
			qualified && st.Group == group && (name == "*" || name == "" || name == st.Name),
			!qualified && st.Name == w:
			out = append(out, st.Name)
		}
	}
	if len(out) > 0 || qualified {
		return out
	}
	for _, st := range statuses {
		if st.Group == w {
			out = append(out, st.Name)
		}
	}
	return out
}

// Start starts programs and, before them, what they depend on. With wait it returns when each is ready or has failed;
// the error joins a *FailedError for each that did.
func (sup *Supervisor) Start(ctx context.Context, names []string, wait bool) error {
	return sup.bring(ctx, names, goalOf(wait))
}

// StartServing is as Start with wait, but returns when the programs that depend on them can start.
func (sup *Supervisor) StartServing(ctx context.Context, names []string) error {
	return sup.bring(ctx, names, untilServing)
}

// goal is the condition that a call that starts programs waits for.
type goal int

const (
	atOnce goal = iota
	untilServing
	untilReady
)

func goalOf(wait bool) goal {
	if wait {
		return untilReady
	}
	return atOnce
}

func (sup *Supervisor) bring(ctx context.Context, names []string, wait goal) error {
	if sup.stopping.Load() {
		return ErrShutdown
	}
	chosen, err := sup.known(names)
	if err != nil {
		return err
	}
	all := withDependencies(sup.definitions(), chosen)
	if wait == atOnce {
		sup.background(func() { sup.startAll(all, nil) })
		return nil
	}
	sup.startAll(all, nil)
	return sup.settle(ctx, chosen, wait)
}

// settle waits until each program is as far as it has to be, or has failed.
func (sup *Supervisor) settle(ctx context.Context, names []string, wait goal) error {
	return sup.each(names, func(s *service) error { return s.settleUp(ctx, wait) })
}

// startAll tells programs to start, those of a lower priority number first and those of the same at once. It returns
// when each has a process, waits for a dependency, or has failed. Those in the plan are started only if the request
// that planned it still stands.
func (sup *Supervisor) startAll(names []string, p plan) {
	byPriority := make(map[int][]string)
	for name, p := range sup.definitions() {
		if slices.Contains(names, name) {
			byPriority[p.Priority] = append(byPriority[p.Priority], name)
		}
	}
	for _, priority := range slices.Sorted(maps.Keys(byPriority)) {
		_ = sup.each(byPriority[priority], func(s *service) error {
			s.start(p[s.status.Load().Name])
			return nil
		})
	}
}

// Signal sends a signal to a program's process.
func (sup *Supervisor) Signal(name string, sig syscall.Signal) error {
	s := sup.service(name)
	if s == nil {
		return &UnknownError{name}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.Up() || s.run.ended {
		return &FailedError{name, *s.status.Load(), "is not running"}
	}
	return s.run.proc.Signal(sig)
}

func (sup *Supervisor) known(names []string) ([]string, error) {
	for _, n := range names {
		if sup.service(n) == nil {
			return nil, &UnknownError{n}
		}
	}
	return slices.Clone(names), nil
}

// each runs f for all names at once and joins the errors in the order of the names.
func (sup *Supervisor) each(names []string, f func(*service) error) error {
	errs := make([]error, len(names))
	var group sync.WaitGroup
	for i, n := range names {
		if s := sup.service(n); s != nil {
			group.Go(func() { errs[i] = f(s) })
		}
	}
	group.Wait()
	return errors.Join(errs...)
}

// settleDown waits until the program is down. A later request may start it again before that, which ends the wait; for
// a restart, when the process that was to be stopped has ended.
func (s *service) settleDown(ctx context.Context, restarts bool) error {
	for {
		st, changed := s.wait()
		if st.State.Down() {
			return nil
		}
		switch {
		case !st.Wanted:
		case !restarts:
			return &FailedError{st.Name, *st, "was started again by another request"}
		case st.State != Stopping && st.State != Killing:
			return nil
		}
		if err := s.waitChange(ctx, changed); err != nil {
			return err
		}
	}
}

// settleUp waits until the program is as far as it has to be, or it is clear that it will not be without help.
func (s *service) settleUp(ctx context.Context, wait goal) error {
	for {
		published, changed := s.wait()
		st := new(Status)
		*st = *published
		s.sup.judge(st)
		if st.Ready || wait == untilServing && st.Serving {
			return nil
		}
		if text := s.sup.hopeless(st, 0); text != "" {
			return &FailedError{st.Name, *st, text}
		}
		if err := s.waitChange(ctx, changed); err != nil {
			return err
		}
	}
}

// hopelessRecheck is how often a waiting caller looks again at programs further up the chain, whose changes it is not
// informed of.
const hopelessRecheck = 100 * time.Millisecond

func (s *service) waitChange(ctx context.Context, changed <-chan struct{}) error {
	timer := time.NewTimer(hopelessRecheck)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.sup.ctx.Done():
		return errClosed
	}
	return nil
}

var errClosed = errors.New("the supervisor is closing; the programs go on")

// hopelessAfter is how many unready starts in a row end a wait. The supervisor itself goes on as startretries
// says: what a program lacks may come, from another host even, but no command has to wait until then.
const hopelessAfter = 5

// hopeless says why a program will not become ready by itself; "" as long as it may.
func (sup *Supervisor) hopeless(st *Status, depth int) string {
	switch {
	case st.State.Down():
		text := st.Why
		if text == "" {
			text = "is " + strings.ToLower(string(st.State))
		}
		return text
	case st.TimedOut:
		return st.Why
	case st.State == Backoff && st.UnreadyStarts >= hopelessAfter:
		return fmt.Sprintf("has failed %s, and is tried again: %s", inARow(st.UnreadyStarts), st.Why)
	case st.Degraded && st.Lacks() != "" && len(st.DegradedBy) == 0 && depth == 0:
		return st.Why
	case (st.State == Waiting || st.Degraded) && depth < config.MaxPrograms:
		for _, d := range slices.Concat(st.WaitsFor, st.DegradedBy) {
			dep := sup.service(d)
			if dep == nil {
				return fmt.Sprintf("depends on %s, which is not defined", d)
			}
			if text := sup.hopeless(dep.status.Load(), depth+1); text != "" {
				return fmt.Sprintf("depends on %s, which is not ready: %s", d, text)
			}
		}
	case (st.State == Starting || st.State == Running) && depth < config.MaxPrograms:
		return sup.lostDependency(st)
	}
	return ""
}

// lostDependency says which dependency of a program that has a process and is not ready was given up since the process
// was started; "" when none was. Without it the program would use up all of its ready_timeout.
func (sup *Supervisor) lostDependency(st *Status) string {
	for _, d := range st.Depends {
		dep := sup.service(d)
		if dep == nil {
			continue
		}
		if now := dep.status.Load(); now.GivenUp() {
			return fmt.Sprintf("depends on %s, which is not ready: %s", d, now.Why)
		}
	}
	return ""
}

// OpenLog opens a program's log for reading: "stdout" or "stderr".
func (sup *Supervisor) OpenLog(name, stream string) (*os.File, error) {
	s := sup.service(name)
	if s == nil {
		return nil, &UnknownError{name}
	}
	s.mu.Lock()
	prog := s.prog
	s.mu.Unlock()
	acct, err := account.Lookup(prog.User)
	if err != nil {
		return nil, err
	}
	paths := logfile.PathsOf(&prog, sup.config().Daemon.ChildLogDir)
	path := paths.Out
	if stream == "stderr" {
		path = paths.Err
	}
	return logfile.OpenToRead(path, acct)
}
