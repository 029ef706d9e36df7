package fate

import (
	"fmt"
	"strconv"
	"strings"
)

// Sizes of java heaps. FATE's guide asks for 16 GB hosts and lets every JVM take a quarter of the memory, which three
// eggroll processes and FATE-Board do not survive on less. A host of 16 GB or more, or of unknown size, therefore
// gets upstream's values; a smaller one gets shares of what it has.
const (
	mebibyte     = 1 << 20
	amplyMemory  = 15 << 30 // what a machine sold as 16 GB reports
	boardHeapMiB = 2048     // upstream's -Xmx and -Xms
)

// heapShare is the part of a small host's memory that a JVM may take, with bounds in MiB.
type heapShare struct{ part, min, max uint64 }

// heapMiB is the -Xmx of a module in MiB, 0 for the JVM's own choice.
func (s *Spec) heapMiB(m Module) uint64 {
	if s.Memory == 0 || s.Memory >= amplyMemory {
		if m == FateBoard {
			return boardHeapMiB
		}
		return 0
	}
	share := m.entry().heap
	return min(max(s.Memory/share.part/mebibyte, share.min), share.max)
}

// heapOptions are -Xmx and -Xms of a module.
func (s *Spec) heapOptions(m Module) []string {
	if m == Rollsite && s.Side.Rollsite.MaxMemory != "" {
		return []string{"-Xmx" + s.Side.Rollsite.MaxMemory}
	}
	mib := s.heapMiB(m)
	if mib == 0 {
		return nil
	}
	options := []string{fmt.Sprintf("-Xmx%dm", mib)}
	if m == FateBoard && mib == boardHeapMiB {
		options = append(options, fmt.Sprintf("-Xms%dm", mib))
	}
	return options
}

// javaMajor is the feature release of the jdk component: 8 for 8u345 and 1.8.0_345, 17 for 17.0.15. An unknown
// version counts as 8, which is what upstream ships.
func (s *Spec) javaMajor() int {
	v := strings.TrimPrefix(s.Versions["jdk"], "1.")
	if n, err := strconv.Atoi(leadingDigits(v)); err == nil {
		return n
	}
	return 8
}

// gcLogOptions make a rotating log of the garbage collector. Java 9 replaced the options of Java 8, which newer JVMs
// refuse to start with; without rotation upstream's file grows for ever.
func (s *Spec) gcLogOptions(file string) []string {
	if s.javaMajor() >= 9 {
		return []string{"-Xlog:gc*:file=" + file + ":time,uptime,level,tags:filecount=5,filesize=20M"}
	}
	return []string{
		"-XX:+PrintGCDetails", "-XX:+PrintGCDateStamps", "-Xloggc:" + file,
		"-XX:+UseGCLogFileRotation", "-XX:NumberOfGCLogFiles=5", "-XX:GCLogFileSize=20M",
	}
}

// rollsiteJVM are the options of rollsite's JVM; they also stand in eggroll.properties, where upstream keeps them.
func (s *Spec) rollsiteJVM() []string {
	options := append([]string{"-XX:+UseG1GC"}, s.gcLogOptions("logs/eggroll/rollsite.gc.log")...)
	return append(options, s.heapOptions(Rollsite)...)
}

// smallHost reports a host that upstream's sizes do not fit on.
func (s *Spec) smallHost() bool { return s.Memory != 0 && s.Memory < amplyMemory }
