package render

import (
	"fmt"

	"fate-installer/installer/fate/cluster"
)

// heapOptions are -Xmx and -Xms of a module.
func heapOptions(s *cluster.Spec, m cluster.Module) []string {
	if m == cluster.Rollsite && s.Side.Rollsite.MaxMemory != "" {
		return []string{"-Xmx" + s.Side.Rollsite.MaxMemory}
	}
	mib := s.HeapMiB(m)
	if mib == 0 {
		return nil
	}
	options := []string{fmt.Sprintf("-Xmx%dm", mib)}
	if mib == m.AmpleHeapMiB() {
		options = append(options, fmt.Sprintf("-Xms%dm", mib))
	}
	return options
}

// gcLogOptions make a rotating log of the garbage collector. Java 9 replaced the options of Java 8, which newer JVMs
// refuse to start with; without rotation upstream's file grows for ever.
func gcLogOptions(s *cluster.Spec, file string) []string {
	if s.JavaMajor() >= 9 {
		return []string{"-Xlog:gc*:file=" + file + ":time,uptime,level,tags:filecount=5,filesize=20M"}
	}
	return []string{
		"-XX:+PrintGCDetails", "-XX:+PrintGCDateStamps", "-Xloggc:" + file,
		"-XX:+UseGCLogFileRotation", "-XX:NumberOfGCLogFiles=5", "-XX:GCLogFileSize=20M",
	}
}

// rollsiteJVM are the options of rollsite's JVM; they also stand in eggroll.properties, where upstream keeps them.
func rollsiteJVM(s *cluster.Spec) []string {
	options := append([]string{"-XX:+UseG1GC"}, gcLogOptions(s, "logs/eggroll/rollsite.gc.log")...)
	return append(options, heapOptions(s, cluster.Rollsite)...)
}
