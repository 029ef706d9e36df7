package fate

import (
	"slices"
)

// moduleEntry is what there is to know of one module. What a side's operator may say about it is in the block of its
// name (cluster.go); its process is described in programs.go, and its configuration files have a renderer (render_*.go).
type moduleEntry struct {
	module    Module
	addresses func(*Side) []string // where it is to be installed; empty when it is off or not ours
	// of several the one that tells most; nil: it has none, or differs by instance
	port       func(*Side) int
	components func(*Spec) []string  // what its program is made of, by their names in the payload
	wants      func(*Spec) []Module  // what it cannot start without, wherever that runs
	dataDirs   func(Layout) []string // what it writes to besides the directories of its logs
	outward    bool                  // hosts that are not of the side connect to it
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
			addresses:  func(s *Side) []string { return when(s.MySQL.ours(), s.MySQL.IPs) },
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
			heap:       heapShare{16, 192, 1024},
		},
		{
			module:     NodeManager,
			addresses:  func(s *Side) []string { return when(s.NodeManager.Enable, s.NodeManager.IPs) },
			port:       func(s *Side) int { return s.NodeManager.Port },
			components: made("jdk", "eggroll", "python", "fate", "fateflow"),
			wants:      func(*Spec) []Module { return []Module{ClusterManager} },
			dataDirs:   func(l Layout) []string { return []string{l.EggrollData(), l.ProgramTemp()} },
			heap:       heapShare{16, 192, 1024},
		},
		{
			module:     Rollsite,
			addresses:  func(s *Side) []string { return when(s.Rollsite.Enable, s.Rollsite.IPs) },
			port:       func(s *Side) int { return s.Rollsite.Port },
			components: made("jdk", "eggroll"),
			outward:    true,
			heap:       heapShare{8, 256, 2048},
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
			heap:     heapShare{32, 128, 1024},
		},
		{
			module:     Nginx,
			addresses:  func(s *Side) []string { return when(s.balanced() && s.Nginx.Type == "inside", s.Nginx.IPs) },
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
			heap:       heapShare{16, 192, boardHeapMiB},
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

// outward reports whether hosts that are not of the side connect to the module.
func (m Module) outward() bool { return m.entry().outward }

// isJVM reports whether the module's process is a JVM with a heap that we size.
func (m Module) isJVM() bool { return m.entry().heap.part > 0 }

// addressesOf lists where a module is to be installed; empty when it is off or not ours.
func (s *Side) addressesOf(m Module) []string {
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
