package cluster

import "fmt"

// Advice is a size that fits this host, and whether it is used. A value that the operator wrote always is.
type Advice struct {
	Key     string // in the cluster file, or the JVM it is about
	Value   string // what fits
	Used    string // what is used
	Why     string // what the size follows from
	Applied bool   // what fits is used
}

// Upstream's guide gives the worker processes of a session as egg = cores * 0.8 / jobs that run at once. Three jobs
// give both of upstream's own defaults: 4 on 16 cores (1.7 and later) and 2 on 8 (1.5).
const (
	coreShare  = 0.8
	jobsAtOnce = 3
	taskCores  = 4 // FATE-Flow's default for a task, which parties elsewhere use too: a smaller pool refuses their jobs
)

// EggsFor is the guide's formula for eggroll.session.processors.per.node, at least 1.
func EggsFor(cores, jobs int) int {
	return max(1, int(float64(cores)*coreShare/float64(max(jobs, 1))))
}

// tune replaces defaults that the operator left alone by what fits the host. Without knowledge of the host, for
// example when the files of another one are rendered, the defaults stay.
func (s *Spec) tune() {
	if s.CPUs == 0 || s.Role == RoleExchange {
		return
	}
	if !s.Cluster.written("%s.eggroll.egg", s.Role) {
		s.Side.Eggroll.Egg = EggsFor(s.CPUs, jobsAtOnce)
	}
	if !s.Cluster.written("%s.clustermanager.cores_per_node", s.Role) {
		s.Side.ClusterManager.CoresPerNode = poolCores(s.CPUs)
	}
}

// poolCores is the cores FATE-Flow may hand out for a node: the node's own, but enough for a default job.
func poolCores(cpus int) int { return max(cpus, taskCores) }

// Advice lists the sizes that depend on the host. It is empty when nothing is known about the host.
func (s *Spec) Advice() []Advice {
	var out []Advice
	add := func(key, value, used, why string) {
		out = append(out, Advice{Key: key, Value: value, Used: used, Why: why, Applied: value == used})
	}
	if s.CPUs > 0 && s.Role != RoleExchange {
		add(string(s.Role)+".eggroll.egg", fmt.Sprint(EggsFor(s.CPUs, jobsAtOnce)), fmt.Sprint(s.Side.Eggroll.Egg),
			fmt.Sprintf("%d cores * 0.8 / %d jobs at once", s.CPUs, jobsAtOnce))
		add(string(s.Role)+".clustermanager.cores_per_node", fmt.Sprint(poolCores(s.CPUs)),
			fmt.Sprint(s.Side.ClusterManager.CoresPerNode),
			fmt.Sprintf("%d cores, and a default job asks for %d", s.CPUs, taskCores))
	}
	if s.Memory == 0 {
		return out
	}
	why := fmt.Sprintf("the host has %d MiB of memory", s.Memory/mebibyte)
	for _, m := range s.modules {
		if !m.IsJVM() {
			continue
		}
		value, used := "the JVM's choice", "the JVM's choice"
		if mib := s.HeapMiB(m); mib > 0 {
			value = fmt.Sprintf("-Xmx%dm", mib)
			used = value
		}
		key := "heap of " + string(m)
		if m == Rollsite {
			key = string(s.Role) + ".rollsite.max_memory"
			if s.Side.Rollsite.MaxMemory != "" {
				used = "-Xmx" + s.Side.Rollsite.MaxMemory
			}
		}
		add(key, value, used, why)
	}
	return out
}
