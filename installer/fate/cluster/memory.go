package cluster

import (
	"strconv"
	"strings"
)

// Sizes of java heaps. FATE's guide asks for 16 GB hosts and lets every JVM take a quarter of the memory, which three
// eggroll processes and FATE-Board do not survive on less. A host of 16 GB or more, or of unknown size, therefore
// gets upstream's values; a smaller one gets shares of what it has.
const (
	mebibyte     = 1 << 20
	AmplyMemory  = 15 << 30 // what a machine sold as 16 GB reports
	boardHeapMiB = 2048     // upstream's -Xmx and -Xms
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
