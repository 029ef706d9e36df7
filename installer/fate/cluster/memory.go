package cluster

import (
	"strconv"
	"strings"
)

// Sizes of java heaps. FATE's guide asks for 16 GB hosts and lets every JVM take a quarter of the memory, which the
// JVMs of a party do not survive on less. A host of 16 GB or more, or of unknown size, therefore
// gets upstream's values; a smaller one gets shares of what it has.
const (
	mebibyte    = 1 << 20
	AmplyMemory = 15 << 30 // what a machine sold as 16 GB reports
)

// heapShare is the part of a small host's memory that a JVM may take, with bounds in MiB. A JVM may have a heap of its
// own, ample, where memory is no concern; 0 is the JVM's choice.
type heapShare struct{ part, min, max, ample uint64 }

// AmpleHeapMiB is the heap in MiB that a module has from its start where memory is no concern; 0: it has none.
func (m Module) AmpleHeapMiB() uint64 { return m.entry().heap.ample }

// HeapMiB is the -Xmx of a module in MiB, 0 for the JVM's own choice.
func (s *Spec) HeapMiB(m Module) uint64 {
	share := m.entry().heap
	if s.Memory == 0 || s.Memory >= AmplyMemory {
		return share.ample
	}
	return min(max(s.Memory/share.part/mebibyte, share.min), share.max)
}

// Resident is the memory of a process in MiB: idle some time after the start, and used after jobs have run. It is the
// largest that was seen of real programs: FATE 1.11.4 with eggroll 2.5.3 and FATE 1.9.1 with eggroll 2.4.6, JDK 8 with
// upstream's heaps, MariaDB 10.11, MySQL 8.0.15 and 9.7.4, on hosts of 23 GiB.
type Resident struct{ Idle, Used uint64 }

const (
	// jvmMiB is the memory of a JVM of these programs besides its heap: classes, compiled code, threads, buffers.
	jvmMiB = 200
	// eggPairMiB and executorMiB are the processes of one job: each egg_pair takes up to this on a nodemanager's host,
	// the task's executor on that of FATE-Flow.
	eggPairMiB  = 255
	executorMiB = 94
	// pairsPerJob is the number of egg_pairs that the toy job and small trainings start on a node.
	pairsPerJob = 2
)

// measured is the memory of a module: the present one, and where it differs that with eggroll 2.4 and older.
func measured(present Resident, older ...Resident) func(*Spec) Resident {
	return func(s *Spec) Resident {
		if len(older) > 0 && s.Profile.Eggroll != "" && !s.Profile.NodesRegister() {
			return older[0]
		}
		return present
	}
}

func databaseMemory(s *Spec) Resident {
	switch {
	case s.DatabaseEngine() == "mariadb":
		return Resident{111, 128}
	case s.Side.MySQL.PerformanceSchema:
		return Resident{389, 510} // with 10,000 connections
	}
	return Resident{108, 128}
}

// Resident is the memory of a module on this host; zero when it was not measured. A heap that was made smaller bounds
// what its JVM takes.
func (s *Spec) Resident(m Module) Resident {
	of := m.entry().memory
	if of == nil {
		return Resident{}
	}
	r := of(s)
	if !m.IsJVM() {
		return r
	}
	if heap := s.HeapMiB(m); heap > 0 {
		r.Idle, r.Used = min(r.Idle, heap+jvmMiB), min(r.Used, heap+jvmMiB)
	}
	return r
}

// JobMiB is the memory that a running job takes on a host of the module, besides the module's own.
func (m Module) JobMiB() uint64 { return m.entry().jobMiB }

// JavaMajor is the feature release of the jdk component: 8 for 8u345 and 1.8.0_345, 17 for 17.0.15. An unknown
// version counts as 8, which is what upstream ships.
func (s *Spec) JavaMajor() int {
	v := strings.TrimPrefix(s.Versions["jdk"], "1.")
	if n, err := strconv.Atoi(leadingDigits(v)); err == nil {
		return n
	}
	return 8
}

// SmallHost reports a host that upstream's sizes do not fit on.
func (s *Spec) SmallHost() bool { return s.Memory != 0 && s.Memory < AmplyMemory }
