package cluster

import (
	"fmt"
	"slices"
	"strings"
)

// moduleEntry is what there is to know of one module. What a side's operator may say about it is in the block of its
// name (cluster.go); its process (programs.go) and its configuration files are described in package render.
type moduleEntry struct {
	module    Module
	addresses func(*Side) []string // where it is to be installed; empty when it is off or not ours
	// of several the one that tells most; nil: it has none, or differs by instance
	port       func(*Side) int
	components func(*Spec) []string  // what its program is made of, by their names in the payload
	wants      func(*Spec) []Module  // what it cannot start without, wherever that runs
	dataDirs   func(Layout) []string // what it writes to besides the directories of its logs
	outward    bool                  // hosts that are not of the side connect to it
	forPeople  bool                  // only people connect to it, and no job needs it
	heap       heapShare             // of a JVM; zero: it is none
}

// moduleTable has the modules in the order of Modules. It is a function because what it names asks it, too.
func moduleTable() []moduleEntry {
	made := func(components ...string) func(*Spec) []string {
		return func(*Spec) []string { return components }
	}
	return []moduleEntry{
		{
			module:     MySQL,
			addresses:  func(s *Side) []string { return when(s.MySQL.Ours(), s.MySQL.IPs) },
			port:       func(s *Side) int { return s.MySQL.Port },
			components: func(s *Spec) []string { return []string{s.DatabaseEngine()} },
			dataDirs:   func(l Layout) []string { return []string{l.DatabaseData(), l.DatabaseTemp()} },
		},
		{
			module:     ClusterManager,
			addresses:  func(s *Side) []string { return when(s.ClusterManager.Enable, s.ClusterManager.IPs) },
			port:       func(s *Side) int { return s.ClusterManager.Port },
			components: made("jdk", "eggroll"),
			wants:      func(*Spec) []Module { return []Module{MySQL} },
			dataDirs:   func(l Layout) []string { return []string{l.EggrollData(), l.ProgramTemp()} },
			heap:       heapShare{16, 192, 1024, 0},
		},
		{
			module:     NodeManager,
			addresses:  func(s *Side) []string { return when(s.NodeManager.Enable, s.NodeManager.IPs) },
			port:       func(s *Side) int { return s.NodeManager.Port },
			components: made("jdk", "eggroll", "python", "fate", "fateflow"),
			wants:      func(*Spec) []Module { return []Module{ClusterManager} },
			dataDirs:   func(l Layout) []string { return []string{l.EggrollData(), l.ProgramTemp()} },
			heap:       heapShare{16, 192, 1024, 0},
		},
		{
			module:     Rollsite,
			addresses:  func(s *Side) []string { return when(s.Rollsite.Enable, s.Rollsite.IPs) },
			port:       func(s *Side) int { return s.Rollsite.Port },
			components: made("jdk", "eggroll"),
			outward:    true,
			heap:       heapShare{8, 256, 2048, 0},
		},
		{
			module: ZooKeeper,
			addresses: func(s *Side) []string {
				var ips []string
				for _, e := range s.ZK.Lists {
					ips = append(ips, e.IP)
				}
				return when(s.ZK.Enable && s.ZK.Type == "inside", ips)
			},
			components: made("jdk", "zookeeper"),
			// A majority has to talk to each other before any of them serves.
			wants:    func(*Spec) []Module { return []Module{ZooKeeper} },
			dataDirs: func(l Layout) []string { return []string{l.ZooKeeperData(), l.ZooKeeperLogs()} },
			heap:     heapShare{32, 128, 1024, 0},
		},
		{
			module:     Nginx,
			addresses:  func(s *Side) []string { return when(s.Balanced() && s.Nginx.Type == "inside", s.Nginx.IPs) },
			port:       func(s *Side) int { return s.Nginx.GRPCPort },
			components: made("nginx"),
			outward:    true,
		},
		{module: RabbitMQ},
		{
			module:     FateFlow,
			addresses:  func(s *Side) []string { return when(s.FateFlow.Enable, s.FateFlow.IPs) },
			port:       func(s *Side) int { return s.FateFlow.HTTPPort },
			components: made("jdk", "eggroll", "python", "fate", "fateflow"),
			wants:      flowWants,
			dataDirs:   func(l Layout) []string { return []string{l.Flow(), l.Data(), l.ProgramTemp()} },
			outward:    true,
		},
		{
			module:     FateBoard,
			addresses:  func(s *Side) []string { return when(s.FateBoard.Enable, s.FateBoard.IPs) },
			port:       func(s *Side) int { return s.FateBoard.Port },
			components: made("jdk", "fateboard"),
			wants:      func(s *Spec) []Module { return when(s.Profile.BoardNeedsDatabase(), []Module{MySQL}) },
			outward:    true,
			forPeople:  true,
			heap:       heapShare{16, 192, boardHeapMiB, boardHeapMiB},
		},
	}
}

// entry is the module's place in the table; a module that has none has an empty one.
func (m Module) entry() moduleEntry {
	table := moduleTable()
	i := slices.IndexFunc(table, func(e moduleEntry) bool { return e.module == m })
	if i < 0 {
		return moduleEntry{module: m}
	}
	return table[i]
}

// Outward reports whether hosts that are not of the side connect to the module.
func (m Module) Outward() bool { return m.entry().outward }

// ForPeople reports whether only people connect to the module, and no job needs it.
func (m Module) ForPeople() bool { return m.entry().forPeople }

// IsJVM reports whether the module's process is a JVM with a heap that we size.
func (m Module) IsJVM() bool { return m.entry().heap.part > 0 }

// AddressesOf lists where a module is to be installed; empty when it is off or not ours.
func (s *Side) AddressesOf(m Module) []string {
	if addresses := m.entry().addresses; addresses != nil {
		return addresses(s)
	}
	return nil
}

func when[T any](enable bool, values []T) []T {
	if !enable {
		return nil
	}
	return slices.Clone(values)
}

// setupModules are the modules setup.conf can name, and setupAddresses the names before an address.
var (
	setupModules   = []string{"mysql", "eggroll", "fate_flow", "fateboard"}
	setupAddresses = []string{"default", "rollsite", "clustermanager", "nodemanager", "fate_flow", "fateboard", "mysql"}
)

// moduleGroups are the names that stand for modules: upstream's, which its setup.conf uses, and those of single
// modules.
var moduleGroups = map[string][]Module{
	"eggroll":   {ClusterManager, NodeManager, Rollsite},
	"fate_flow": {FateFlow},
}

// ParseModules reads names of modules, upstream's groups among them, and gives the modules in start order.
func ParseModules(names []string) ([]Module, error) {
	wanted := map[Module]bool{}
	for _, name := range names {
		group := moduleGroups[name]
		if group == nil && slices.Contains(Modules, Module(name)) {
			group = []Module{Module(name)}
		}
		if group == nil {
			return nil, fmt.Errorf("cannot use module %q: there are %s", name, strings.Join(ModuleNames(), ", "))
		}
		for _, m := range group {
			wanted[m] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(Modules), func(m Module) bool { return !wanted[m] }), nil
}

// ModuleWords lists every word that ParseModules accepts.
func ModuleWords() []string {
	words := ModuleNames()
	for _, m := range Modules {
		if !slices.Contains(words, string(m)) {
			words = append(words, string(m))
		}
	}
	return words
}

// ModuleNames lists what ParseModules understands, upstream's names first.
func ModuleNames() []string {
	names := slices.Clone(setupModules)
	for _, m := range Modules {
		if m != FateFlow && !slices.Contains(names, string(m)) {
			names = append(names, string(m))
		}
	}
	return names
}

// ComponentsOf lists the components a program is made of.
func (s *Spec) ComponentsOf(program string) []string {
	for _, e := range moduleTable() {
		if e.components != nil && e.module.Program() == program {
			return e.components(s)
		}
	}
	return nil
}

// DataDirs lists the directories that a module writes to besides those of its logs.
func (s *Spec) DataDirs(m Module) []string {
	if dirs := m.entry().dataDirs; dirs != nil {
		return dirs(s.Layout)
	}
	return nil
}
