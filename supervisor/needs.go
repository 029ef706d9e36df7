package supervisor

import (
	"fmt"
	"slices"
	"strings"
)

// What a program needs while it runs is another matter than what it waits for at its start: a FATE-Flow without its
// database runs, answers and computes nothing. Such a program is degraded. It keeps its process, and is ready again as
// soon as what it needs is: restarting it would help nothing.

// judge completes a status by what other programs are at this moment.
func (sup *Supervisor) judge(st *Status) {
	st.Ready, st.Degraded, st.DegradedBy, st.LowSpace, st.LowTasks = st.own, false, []string{}, "", ""
	if st.own || st.Wanted || st.State == Fatal {
		short := sup.short.Load()
		st.LowSpace, st.LowTasks = short.space[st.Name], short.tasks
	}
	if !st.own {
		st.Why = st.explain()
		if lacks := st.Lacks(); lacks != "" && st.State.Up() {
			// It may be the cause: a probe that is a command needs a process, too.
			st.Why = strings.TrimPrefix(st.Why+"; "+lacks, "; ")
		}
		return
	}
	st.Why, st.DegradedBy = "", sup.missing(st)
	if len(st.DegradedBy) == 0 && st.Lacks() == "" {
		return
	}
	st.Ready, st.Degraded = false, true
	var parts []string
	for _, name := range st.DegradedBy {
		parts = append(parts, sup.stateOf(name))
	}
	if lacks := st.Lacks(); lacks != "" {
		parts = append(parts, lacks)
	}
	st.Why = "degraded: " + strings.Join(parts, ", ")
}

// stateTexts say why a program does not serve. They are whole sentences for the catalogue of Chinese.
var stateTexts = map[State]string{
	Stopped:  "%s is stopped",
	Waiting:  "%s waits for what it needs",
	Starting: "%s is starting",
	Running:  "%s is running, and not ready",
	Stopping: "%s is stopping",
	Killing:  "%s is being killed",
	Backoff:  "%s failed, and is started again after a pause",
	Exited:   "%s has ended",
	Fatal:    "%s has failed too often",
}

func (sup *Supervisor) stateOf(name string) string {
	s := sup.service(name)
	if s == nil {
		return name + " is not defined"
	}
	return fmt.Sprintf(stateTexts[s.status.Load().State], name)
}

// missing lists what a program needs, directly or not, and what does not serve. A program that is ready, or listens
// where that is all its dependants need, serves.
func (sup *Supervisor) missing(st *Status) []string {
	out := []string{}
	seen := map[string]bool{st.Name: true}
	var visit func(names []string)
	visit = func(names []string) {
		for _, n := range names {
			if seen[n] {
				continue
			}
			seen[n] = true
			s := sup.service(n)
			if s == nil {
				out = append(out, n)
				continue
			}
			dep := s.status.Load()
			if !dep.Serving {
				out = append(out, n)
				continue
			}
			visit(dep.needs())
		}
	}
	visit(st.needs())
	slices.Sort(out)
	return out
}

// needs lists what the program cannot work without.
func (st *Status) needs() []string { return slices.Concat(st.Depends, st.Needs) }

// dependants lists the programs that need one, directly or not.
func (sup *Supervisor) dependants(name string) []*service {
	users := make(map[string][]string)
	for _, s := range sup.services() {
		st := s.status.Load()
		for _, n := range st.needs() {
			users[n] = append(users[n], st.Name)
		}
	}
	var out []*service
	for _, n := range closure([]string{name}, func(n string) []string { return users[n] }) {
		if s := sup.service(n); s != nil && n != name {
			out = append(out, s)
		}
	}
	return out
}

// servingChanged tells the programs that need one that it began or ceased to serve.
func (sup *Supervisor) servingChanged(name string) {
	for _, s := range sup.dependants(name) {
		sup.background(func() { s.event(func() {}) }) // the event publishes a new status
	}
}

// Dependants lists the programs that need any of the named ones and are not among them, in the order of stopping.
func (sup *Supervisor) Dependants(names []string) []string {
	var out []string
	for _, s := range sup.inOrder(nil) {
		name := s.status.Load().Name
		needs := func(n string) bool {
			return slices.ContainsFunc(sup.dependants(n), func(d *service) bool { return d == s })
		}
		if !slices.Contains(names, name) && slices.ContainsFunc(names, needs) {
			out = append(out, name)
		}
	}
	slices.Reverse(out)
	return out
}
