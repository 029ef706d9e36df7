package supervisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"fate-installer/supervisor/config"
)

// Changes are the differences between two configurations, as names of groups.
type Changes struct {
	Added   []string // programs that are new
	Changed []string // programs whose definition has changed
	Removed []string // programs that are gone
}

// Empty reports whether there are none.
func (c Changes) Empty() bool { return len(c.Added)+len(c.Changed)+len(c.Removed) == 0 }

func (c Changes) String() string {
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"added", c.Added}, {"changed", c.Changed}, {"removed", c.Removed}} {
		if len(p.names) > 0 {
			parts = append(parts, p.what+" "+strings.Join(p.names, ", "))
		}
	}
	if len(parts) == 0 {
		return "no changes"
	}
	return strings.Join(parts, "; ")
}

// Reread reads the configuration again and says what Update would change. Nothing is changed yet; a configuration that
// cannot be used leaves everything as it is.
func (sup *Supervisor) Reread() (Changes, error) {
	sup.changes.Lock()
	defer sup.changes.Unlock()
	return sup.reread()
}

func (sup *Supervisor) reread() (Changes, error) {
	cfg, warnings, err := config.Load(sup.config().Path, sup.environ)
	for _, w := range warnings {
		sup.log.Warn().Msg(w.String())
	}
	if err != nil {
		return Changes{}, err
	}
	sup.pending.Store(cfg)
	return sup.diff(cfg), nil
}

// groupsOf arranges programs by group.
func groupsOf(programs []config.Program) map[string][]config.Program {
	out := make(map[string][]config.Program)
	for _, p := range programs {
		out[p.Group] = append(out[p.Group], p)
	}
	return out
}

// active returns the definitions in force, sorted by name as Load sorts them.
func (sup *Supervisor) active() []config.Program {
	var out []config.Program
	for _, s := range sup.services() {
		s.mu.Lock()
		if !s.gone {
			out = append(out, s.prog)
		}
		s.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b config.Program) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (sup *Supervisor) diff(cfg *config.Settings) Changes {
	now, then := groupsOf(sup.active()), groupsOf(cfg.Programs)
	var c Changes
	for g, programs := range then {
		switch {
		case now[g] == nil:
			c.Added = append(c.Added, g)
		case !reflect.DeepEqual(now[g], programs) || sup.anyOutdated(programs):
			c.Changed = append(c.Changed, g)
		}
	}
	for g := range now {
		if then[g] == nil {
			c.Removed = append(c.Removed, g)
		}
	}
	slices.Sort(c.Added)
	slices.Sort(c.Changed)
	slices.Sort(c.Removed)
	return c
}

// anyOutdated reports whether one of the programs runs a process of another definition, as after a change of its file
// while no supervisor was running.
func (sup *Supervisor) anyOutdated(programs []config.Program) bool {
	return slices.ContainsFunc(programs, func(p config.Program) bool {
		s := sup.service(p.Name)
		return s != nil && s.status.Load().Changed
	})
}

// Update reads the configuration again and makes it so: programs that are new are started, those that are gone are
// stopped, and those whose process would be different are restarted. A program in which only something changed that
// the supervisor itself reads, a probe say, keeps its process. With groups, only those are touched. When ctx ends, only
// the wait does.
func (sup *Supervisor) Update(ctx context.Context, groups ...string) (Changes, error) {
	var changes Changes
	var err error
	waited := sup.carryOut(ctx, func(ctx context.Context) error {
		changes, err = sup.update(ctx, groups)
		return nil
	})
	if waited != nil {
		return Changes{}, waited
	}
	return changes, err
}

func (sup *Supervisor) update(ctx context.Context, groups []string) (Changes, error) {
	sup.changes.Lock()
	defer sup.changes.Unlock()
	if sup.stopping.Load() {
		return Changes{}, ErrShutdown
	}
	changes, err := sup.reread()
	if err != nil {
		return Changes{}, err
	}
	if len(groups) > 0 {
		if groups, err = sup.knownGroups(groups); err != nil {
			return Changes{}, err
		}
		other := func(g string) bool { return !slices.Contains(groups, g) }
		changes.Added = slices.DeleteFunc(changes.Added, other)
		changes.Changed = slices.DeleteFunc(changes.Changed, other)
		changes.Removed = slices.DeleteFunc(changes.Removed, other)
	}
	return changes, sup.apply(ctx, changes)
}

// knownGroups finds the groups that words mean, before or after the change; as elsewhere, "fate-" may be left out. It
// returns an *UnknownError for a word that is none.
func (sup *Supervisor) knownGroups(words []string) ([]string, error) {
	now, then := groupsOf(sup.active()), groupsOf(sup.pending.Load().Programs)
	known := func(g string) bool { return now[g] != nil || then[g] != nil }
	var out []string
	for _, w := range words {
		switch {
		case known(w):
			out = append(out, w)
		case known("fate-" + w):
			out = append(out, "fate-"+w)
		case w == "all":
			out = append(slices.Collect(maps.Keys(now)), slices.Collect(maps.Keys(then))...)
			return out, nil
		default:
			return nil, &UnknownError{w}
		}
	}
	return out, nil
}

func (sup *Supervisor) apply(ctx context.Context, c Changes) error {
	cfg := sup.pending.Load()
	wanted := make(map[string]config.Program)
	var gone, start []string
	for _, p := range cfg.Programs {
		if slices.Contains(c.Added, p.Group) || slices.Contains(c.Changed, p.Group) {
			wanted[p.Name] = p
		}
	}
	for _, p := range sup.active() {
		if _, stays := wanted[p.Name]; stays {
			continue
		}
		if slices.Contains(c.Removed, p.Group) || slices.Contains(c.Changed, p.Group) {
			gone = append(gone, p.Name)
		}
	}
	steps := planFor(pendingStop, gone)
	for _, p := range wanted {
		switch s := sup.service(p.Name); {
		case s == nil && p.AutoStart:
			start = append(start, p.Name)
		case s != nil && s.mustReplace(&p):
			steps[p.Name] = pendingStop
			if !s.status.Load().State.Down() || p.AutoStart {
				steps[p.Name] = pendingRestart
				start = append(start, p.Name)
			}
		}
	}
	restart := maps.Clone(steps)
	maps.DeleteFunc(restart, func(_ string, p pending) bool { return p != pendingRestart })
	sup.mark(steps, asked(ctx, "update"))
	if err := sup.stopInOrder(ctx, steps); err != nil {
		if ctx.Err() == nil { // what was stopped for this runs again as it did
			sup.startAll(restart.names(), restart)
		}
		return fmt.Errorf("cannot stop what the new configuration changes: %w", err)
	}
	for _, n := range gone {
		sup.forget(n)
	}
	sup.conf.Store(cfg)
	for _, p := range wanted {
		sup.define(p)
	}
	sup.startAll(withDependencies(sup.definitions(), start), restart)
	return nil
}

// mustReplace reports whether the new definition needs another process than the one that runs, or ran.
func (s *service) mustReplace(p *config.Program) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := fingerprintOf(&s.prog)
	if s.run.program != "" && s.state.Up() {
		old = s.run.program
	}
	return old != fingerprintOf(p)
}

// define adds a program, or puts a new definition in force for one.
func (sup *Supervisor) define(p config.Program) {
	sup.mu.Lock()
	s := sup.byName[p.Name]
	if s == nil {
		sup.byName[p.Name] = newService(sup, p)
	}
	sup.mu.Unlock()
	if s != nil {
		s.redefine(p)
	}
}

// redefine puts a new definition in force. A process that runs keeps running, under the new probes.
func (s *service) redefine(p config.Program) {
	s.event(func() {
		s.prog, s.gone = p, false
		if (s.state == Starting || s.state == Running) && !s.run.ended {
			s.run.cancel()
			s.watchReadinessAgain(s.ready)
			if !p.HasReadiness() && s.state == Running {
				s.becomeReady()
			}
		}
		if s.state == Waiting {
			s.try()
		}
	})
}

// forget drops a program that is down.
func (sup *Supervisor) forget(name string) {
	s := sup.service(name)
	if s == nil {
		return
	}
	s.mu.Lock()
	s.gone, s.detached = true, true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	sup.mu.Lock()
	delete(sup.byName, name)
	sup.mu.Unlock()
	sup.clear(name)
}

// clear removes what is kept outside of a program that is down: its record and its control group.
func (sup *Supervisor) clear(name string) {
	sup.removeRecord(name)
	if sup.cgroups != nil {
		sup.cgroups.Remove(name)
	}
}

// removeRecord removes the record of a program that is gone. That it stays is no reason to keep the program.
func (sup *Supervisor) removeRecord(name string) {
	if err := sup.records.remove(name); err != nil {
		sup.log.Error().Str("program", name).Err(err).Msg(
			"cannot remove the state file, and tries again: with it, a next supervisor keeps the program down")
	}
}

// Reasons why something cannot be done.
var (
	ErrShutdown     = errors.New("the supervisor is ending")
	ErrAlreadyAdded = errors.New("the group is there already")
	ErrStillRunning = errors.New("the group has a program that is running")
)

// AddGroup puts a group of the configuration last read in force, and starts what has autostart.
func (sup *Supervisor) AddGroup(name string) error {
	sup.changes.Lock()
	defer sup.changes.Unlock()
	if sup.stopping.Load() {
		return ErrShutdown
	}
	if len(groupsOf(sup.active())[name]) > 0 {
		return ErrAlreadyAdded
	}
	programs := groupsOf(sup.pending.Load().Programs)[name]
	if len(programs) == 0 {
		return &UnknownError{name}
	}
	sup.conf.Store(sup.pending.Load())
	var start []string
	for _, p := range programs {
		sup.define(p)
		if p.AutoStart {
			start = append(start, p.Name)
		}
	}
	sup.background(func() { sup.startAll(start, nil) })
	return nil
}

// RemoveGroup takes a group out of force. All its programs must be down.
func (sup *Supervisor) RemoveGroup(name string) error {
	sup.changes.Lock()
	defer sup.changes.Unlock()
	programs := groupsOf(sup.active())[name]
	if len(programs) == 0 {
		return &UnknownError{name}
	}
	for _, p := range programs {
		if s := sup.service(p.Name); s != nil && !s.status.Load().State.Down() {
			return ErrStillRunning
		}
	}
	for _, p := range programs {
		sup.forget(p.Name)
	}
	return nil
}

// Shutdown stops every program, dependants first, and forgets that they were stopped: the next supervisor starts them
// again as their autostart says. With again that is what it is for: should this daemon die before the end, the next one
// restarts those that were not stopped yet.
func (sup *Supervisor) Shutdown(ctx context.Context, again bool) error {
	sup.stopping.Store(true)
	p := make(plan)
	for _, s := range sup.services() {
		s.mu.Lock()
		p[s.prog.Name] = pendingForget
		if again && s.prog.AutoStart && !s.gone {
			p[s.prog.Name] = pendingRestart
		}
		s.mu.Unlock()
	}
	sup.mark(p, nil)
	if err := sup.stopInOrder(ctx, p); err != nil {
		return err
	}
	return sup.each(p.names(), func(s *service) error { sup.clear(s.status.Load().Name); return nil })
}
