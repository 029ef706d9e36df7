package cluster

import (
	"fmt"
	"slices"
	"strings"
)

// Outward reports whether hosts that are not of the side connect to the module.
func (m Module) Outward() bool { return m.entry().outward }

// ForPeople reports whether only people connect to the module, and no job needs it.
func (m Module) ForPeople() bool { return m.entry().forPeople }

// BindsOwn reports whether the module listens on its host's address alone; others listen on every address.
func (m Module) BindsOwn() bool { return m.entry().bindsOwn }

// IsJVM reports whether the module's process is a JVM with a heap that we size.
func (m Module) IsJVM() bool { return m.entry().heap.part > 0 }

// IsEggroll reports whether the module's process is one of eggroll's.
func (m Module) IsEggroll() bool { return m.entry().group == "eggroll" }

// LogDir is the module's directory below that of all logs; blank: it has none.
func (m Module) LogDir() string { return m.entry().logs }

// Home is the working directory of the module's process.
func (s *Spec) Home(m Module) string {
	if home := m.entry().home; home != nil {
		return home(s)
	}
	return ""
}

// Command is the command line of a module whose process needs no more description than its entry has; nil for others.
func (s *Spec) Command(m Module) []string {
	if command := m.entry().command; command != nil {
		return command(s)
	}
	return nil
}

// Port is the port of a module, of several the one that tells most; 0: it has none, or differs by instance.
func (s *Side) Port(m Module) int {
	if port := m.entry().port; port != nil {
		return port(s)
	}
	return 0
}

// LogLink is a place in the tree of a component that leads to the logs of a module.
type LogLink struct {
	Module     Module
	Path, Logs string
}

// LogLinks are the places that lead to the logs of this host's modules, in the order of the cluster file.
func (s *Spec) LogLinks() []LogLink {
	var out []LogLink
	for _, e := range inFileOrder() {
		if e.logLink != nil && s.Runs(e.module) {
			out = append(out, LogLink{e.module, e.logLink(s.Layout), s.Layout.ComponentLogs(e.logs)})
		}
	}
	return out
}

// LogDirs are the directories of the logs of this host's modules, in the order of the cluster file.
func (s *Spec) LogDirs() []string {
	var out []string
	for _, e := range inFileOrder() {
		if dir := s.Layout.ComponentLogs(e.logs); e.logs != "" && s.Runs(e.module) && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out
}

// SecretsOf lists the names of the secrets that the module's program reads when it starts.
func (s *Spec) SecretsOf(m Module) []string {
	if of := m.entry().secrets; of != nil {
		return of(s)
	}
	return nil
}

// Database is the name of the database that a module logs into; blank: it uses none.
func (s *Spec) Database(m Module) string {
	if e := m.entry(); e.database != nil && slices.Contains(s.Wants(m), MySQL) {
		return e.database(s.Side).name
	}
	return ""
}

// ModulesForJobs lists the modules without which no job runs, besides FATE-Flow, which is given the jobs.
func ModulesForJobs() []Module {
	return slices.DeleteFunc(Modules(), func(m Module) bool { return !m.entry().forJobs })
}

// ProcessMark names the software that a process with this argument is, wherever it is installed; blank for others.
func ProcessMark(argument string) string {
	for _, e := range moduleTable {
		if e.mark.argument != "" && strings.Contains(argument, e.mark.argument) {
			return e.mark.name
		}
	}
	return ""
}

// AddressesOf lists where a module is to be installed; empty when it is off or not ours.
func (s *Side) AddressesOf(m Module) []string {
	e := m.entry()
	switch {
	case e.addresses != nil:
		return e.addresses(s)
	case e.conf != nil:
		c := e.conf(s)
		return when(*c.enable, *c.ips)
	}
	return nil
}

func when[T ~[]E, E any](enable bool, values T) T {
	if !enable {
		return nil
	}
	return slices.Clone(values)
}

// setupModules are the modules that setup.conf can name.
func setupModules() []string {
	var out []string
	for _, e := range moduleTable {
		if e.group != "" && !slices.Contains(out, e.group) {
			out = append(out, e.group)
		}
	}
	return out
}

// setupAddresses are the names that setup.conf can have before an address of a side.
func setupAddresses(s *Side) []string {
	out := []string{"default"}
	for _, m := range s.moduleConfs() {
		out = append(out, m.key)
	}
	return out
}

// ParseModules reads names of modules, upstream's groups among them, and gives the modules in start order.
func ParseModules(names []string) ([]Module, error) {
	wanted := map[Module]bool{}
	for _, name := range names {
		found := false
		for _, e := range moduleTable {
			if name == e.group || name == string(e.module) {
				wanted[e.module], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("cannot use module %q: there are %s", name, strings.Join(ModuleNames(), ", "))
		}
	}
	return slices.DeleteFunc(Modules(), func(m Module) bool { return !wanted[m] }), nil
}

// ModuleWords lists every word that ParseModules accepts.
func ModuleWords() []string {
	words := ModuleNames()
	for _, m := range Modules() {
		if !slices.Contains(words, string(m)) {
			words = append(words, string(m))
		}
	}
	return words
}

// ModuleNames lists what ParseModules understands, upstream's names first.
func ModuleNames() []string {
	names := setupModules()
	for _, m := range Modules() {
		if m != FateFlow && !slices.Contains(names, string(m)) {
			names = append(names, string(m))
		}
	}
	return names
}

// DataDirs lists the directories that a module writes to besides those of its logs.
func (s *Spec) DataDirs(m Module) []string {
	if dirs := m.entry().dataDirs; dirs != nil {
		return dirs(s.Layout)
	}
	return nil
}
