package cluster

import (
	"fmt"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fate-installer/installer/fate/yamltext"
	"fate-installer/installer/problem"
)

// FATE-Flow 1.7 and later read what a job does not say itself from job_default_config.yaml, which is shipped inside the
// component. Here it is always written, with the shipped values where the cluster file says nothing in
// fate_flow.job_defaults: a setting that is taken out of the cluster file again has to leave the host too, and render
// and render --diff then show all that a FATE-Flow works by.
//
// Its neighbours in that directory are left alone. What FATE-Flow calls its component registry names classes of FATE's
// code, belongs to the release, and is overlaid by a table in its database: nothing in it is for an operator.

// jobDefault is one key of the file.
type jobDefault struct {
	key      string
	standard string // the shipped value
	kind     jobValue
	since    []int // first FATE-Flow that reads it; nil: 1.7
	until    []int // first FATE-Flow that no longer does; nil: none
}

// jobValue describes the values that a key may have.
type jobValue struct {
	fits func(string) bool
	what string
	yaml func(string) any // as it stands in the file
}

func plain(s string) any { return yamltext.Plain(s) }

var (
	wholeFromZero = jobValue{func(s string) bool { return integer().MatchString(s) }, "a whole number", plain}
	wholeFromOne  = jobValue{func(s string) bool { return integer().MatchString(s) && s != "0" },
		"a whole number from 1", plain}
	cores = jobValue{func(s string) bool { return integer().MatchString(s) && s != "0" && number(s) <= maxCores },
		"a whole number from 1 to a million", plain}
	aboveZero = jobValue{func(s string) bool { return decimal().MatchString(s) && number(s) > 0 },
		"a number above 0; 1 stands for 100 percent", plain}
	share = jobValue{func(s string) bool { return decimal().MatchString(s) && number(s) > 0 && number(s) <= 1 },
		"a number above 0 and up to 1, which stands for 100 percent", plain}
	yesOrNo      = jobValue{func(s string) bool { _, ok := parseBool(s); return ok }, "true or false", plain}
	pushOrPull   = jobValue{func(s string) bool { return s == "PUSH" || s == "PULL" }, "PUSH or PULL", yamltext.Text}
	relativePath = jobValue{func(s string) bool { return relative().MatchString(s) },
		"a path below FATE's python directory", yamltext.Text}
)

var relative = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*$`) })

// maxCores is more than any cluster has; it keeps the product of three such numbers within an integer.
const maxCores = 1_000_000

var decimal = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?$`)
})

// number is the value of a text that decimal matches; python's arithmetic is the same.
func number(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

// jobDefaults are the keys and shipped values of FATE-Flow 1.7.0 to 1.11.2, in the order of the shipped file.
var jobDefaults = []jobDefault{
	{key: "default_component_provider_path", standard: "federatedml", kind: relativePath},
	{key: "total_cores_overweight_percent", standard: "1", kind: aboveZero},
	{key: "total_memory_overweight_percent", standard: "1", kind: aboveZero},
	{key: "task_parallelism", standard: "1", kind: cores},
	{key: "task_cores", standard: "4", kind: cores},
	{key: "task_memory", standard: "0", kind: wholeFromZero},
	{key: "max_cores_percent_per_job", standard: "1", kind: share},
	{key: "job_timeout", standard: "259200", kind: wholeFromOne},
	{key: "remote_request_timeout", standard: "30000", kind: wholeFromOne},
	{key: "federated_command_trys", standard: "3", kind: wholeFromOne},
	{key: "end_status_job_scheduling_time_limit", standard: "300000", kind: wholeFromZero},
	{key: "end_status_job_scheduling_updates", standard: "1", kind: wholeFromZero},
	{key: "auto_retries", standard: "0", kind: wholeFromZero},
	{key: "auto_retry_delay", standard: "1", kind: wholeFromZero},
	{key: "federated_status_collect_type", standard: "PUSH", kind: pushOrPull},
	{key: "detect_connect_max_retry_count", standard: "3", kind: wholeFromZero, since: []int{1, 9}},
	{key: "detect_connect_long_retry_count", standard: "2", kind: wholeFromZero, since: []int{1, 9}},
	{key: "task_process_classpath", standard: "true", kind: yesOrNo, since: []int{1, 11, 1}},
	{key: "upload_max_bytes", standard: "104857600", kind: wholeFromOne, until: []int{1, 9}},
	{key: "upload_block_max_bytes", standard: "104857600", kind: wholeFromOne, since: []int{1, 9}},
	{key: "output_data_summary_count_limit", standard: "100", kind: wholeFromZero},
	{key: "task_world_size", standard: "2", kind: wholeFromOne, since: []int{1, 11, 1}},
	{key: "resource_waiting_timeout", standard: "21600", kind: wholeFromOne, since: []int{1, 11, 1}},
}

// HasJobDefaults reports whether FATE-Flow reads its defaults for jobs from a file; before 1.7 they are in its code.
func (p Profile) HasJobDefaults() bool { return p.Flow.AtLeast(1, 7) }

// readBy reports whether a FATE-Flow knows the key.
func (d jobDefault) readBy(flow Version) bool {
	return (d.since == nil || flow.AtLeast(d.since...)) && (d.until == nil || !flow.AtLeast(d.until...))
}

// readers says which FATE-Flow knows a key that not every one does.
func (d jobDefault) readers() string {
	if d.until != nil {
		return "only FATE-Flow before " + dotted(d.until)
	}
	return "only FATE-Flow " + dotted(d.since) + " or later"
}

func dotted(numbers []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", ".")
}

// jobDefaultKeys are the keys that some FATE-Flow knows.
func jobDefaultKeys() []string {
	keys := make([]string, len(jobDefaults))
	for i, d := range jobDefaults {
		keys[i] = d.key
	}
	return keys
}

// JobDefaultsPath is where FATE-Flow looks for the file.
func (l Layout) JobDefaultsPath() string {
	return path.Join(l.Flow(), "conf", "job_default_config.yaml")
}

// JobSettings is what FATE-Flow's file of defaults for jobs holds on this host.
func (s *Spec) JobSettings() yamltext.Map {
	var m yamltext.Map
	for _, d := range jobDefaults {
		if d.readBy(s.Profile.Flow) {
			m = append(m, yamltext.Item(d.key, d.kind.yaml(s.jobDefault(d.key))))
		}
	}
	return m
}

// jobDefault is the value of a key on this host.
func (s *Spec) jobDefault(key string) string {
	if key == "task_cores" {
		return strconv.Itoa(s.taskCores())
	}
	return s.Side.jobDefault(key)
}

// jobDefault returns the operator's value of a key, or the shipped one.
func (s *Side) jobDefault(key string) string {
	if v := s.FateFlow.JobDefaults[key]; v != "" {
		return v
	}
	i := slices.IndexFunc(jobDefaults, func(d jobDefault) bool { return d.key == key })
	return jobDefaults[i].standard
}

// Pool is the size of the computing engine as FATE-Flow counts it.
func (s *Side) Pool() (nodes, coresPerNode int) {
	switch s.FateFlow.DefaultEngines {
	case "standalone":
		return 1, 20
	case "spark":
		return s.Spark.Nodes, s.Spark.CoresPerNode
	}
	return len(s.NodeManager.IPs), s.ClusterManager.CoresPerNode
}

// jobLimit is the most cores that FATE-Flow of this side lets a job have.
func (s *Side) jobLimit() int {
	nodes, perNode := s.Pool()
	total := math.Floor(float64(nodes*perNode) * number(s.jobDefault("total_cores_overweight_percent")))
	return int(min(math.Floor(total*number(s.jobDefault("max_cores_percent_per_job"))), math.MaxInt32))
}

// jobCores is how many cores a job asks this side for when its tasks are to have that many in all. FATE-Flow divides
// them among the nodes, rounds down, and gives each node at least one.
func (s *Side) jobCores(taskCores, parallelism int) int {
	nodes, _ := s.Pool()
	return max(1, taskCores/max(nodes, 1)) * nodes * parallelism
}

// knowsPool reports whether the size of the side's engine is known. Where it only follows the host, it always
// suffices for a default job.
func (s *Side) knowsPool() bool {
	nodes, perNode := s.Pool()
	return s.Role != RoleExchange && s.FateFlow.Enable && nodes > 0 && perNode > 0 && max(nodes, perNode) <= maxCores
}

func (s *Side) jobNumber(key string) int {
	n, _ := strconv.Atoi(s.jobDefault(key)) // validation has read it
	return n
}

// taskCores is how many cores a task gets when a job does not say. The party that starts a job decides for all, so
// where nothing is written it is the most, up to the shipped number, that no party of the cluster file refuses.
func (s *Spec) taskCores() int {
	standard := s.Side.jobNumber("task_cores")
	if s.Side.FateFlow.JobDefaults["task_cores"] != "" {
		return standard
	}
	for cores := standard; cores > 1; cores-- {
		if len(s.refusing(cores)) == 0 {
			return cores
		}
	}
	return 1
}

// refusing lists the sides that refuse a job of this side with so many cores for a task.
func (s *Spec) refusing(taskCores int) []*Side {
	parallelism := s.Side.jobNumber("task_parallelism")
	var out []*Side
	for _, side := range s.Cluster.Sides() {
		if side.Role == s.Role {
			side = s.Side // sized for this host
		}
		if side.knowsPool() && side.jobCores(taskCores, parallelism) > side.jobLimit() {
			out = append(out, side)
		}
	}
	return out
}

// completeJobDefaults writes what YAML 1.1 takes for a truth value as every YAML does.
func (s *Side) completeJobDefaults() {
	for _, d := range jobDefaults {
		written, ok := s.FateFlow.JobDefaults[d.key]
		if on, isBool := parseBool(written); ok && isBool && d.kind.what == yesOrNo.what {
			s.FateFlow.JobDefaults[d.key] = strconv.FormatBool(on)
		}
	}
}

// jobDefaults checks what is written in fate_flow.job_defaults, as far as one can without knowing the FATE-Flow, and
// that a job which asks for nothing special is not refused.
func (k *checker) jobDefaults(s *Side) {
	at := string(s.Role) + ".fate_flow.job_defaults"
	readable := true
	for _, key := range slices.Sorted(maps.Keys(s.FateFlow.JobDefaults)) {
		i := slices.IndexFunc(jobDefaults, func(d jobDefault) bool { return d.key == key })
		if i < 0 {
			k.bad(at+"."+key, suggestion(key, jobDefaultKeys()), "FATE-Flow has no default for jobs named %q", key)
			continue
		}
		if d := jobDefaults[i]; !d.kind.fits(s.FateFlow.JobDefaults[key]) {
			readable = false
			k.bad(at+"."+key, "write "+d.kind.what, "%s cannot be %q", at+"."+key, s.FateFlow.JobDefaults[key])
		}
	}
	if !readable || !s.FateFlow.Enable {
		return
	}
	if nodes, perNode := s.Pool(); nodes > 0 && (perNode == 0 || max(nodes, perNode) > maxCores) {
		k.bad(k.poolPath(s), "write the cores that FATE-Flow may hand out for a node",
			"the engine cannot have %d nodes with %d cores each", nodes, perNode)
		return
	}
	taskCores, path := 1, k.poolPath(s) // what is not written is made to fit
	for _, key := range []string{"task_cores", "task_parallelism", "max_cores_percent_per_job",
		"total_cores_overweight_percent"} {
		if s.FateFlow.JobDefaults[key] != "" {
			path = at + "." + key
			break
		}
	}
	if s.FateFlow.JobDefaults["task_cores"] != "" {
		taskCores = s.jobNumber("task_cores")
	}
	if asked := s.jobCores(taskCores, s.jobNumber("task_parallelism")); s.knowsPool() && asked > s.jobLimit() {
		k.bad(path, "ask for less, or raise cores_per_node: it is a budget, not a measurement",
			"a job with these defaults asks the %s for %d cores, and its FATE-Flow gives a job %d at most", s.Role,
			asked, s.jobLimit())
	}
}

// poolPath is the setting that sizes the engine.
func (k *checker) poolPath(s *Side) string {
	if s.FateFlow.DefaultEngines == "spark" {
		return string(s.Role) + ".spark.cores_per_node"
	}
	return string(s.Role) + ".clustermanager.cores_per_node"
}

// suggestion names the key that was meant, or all there are.
func suggestion(key string, known []string) string {
	if near := nearest(key, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "the keys there are " + strings.Join(known, ", ")
}

// checkJobDefaults refuses what the payload's FATE-Flow does not read.
func (s *Spec) checkJobDefaults(problems *problem.Problems) {
	flow, at := s.Profile.Flow, string(s.Role)+".fate_flow.job_defaults"
	if s.Role == RoleExchange || flow == "" {
		return
	}
	if s.Profile.HasJobDefaults() {
		for _, key := range slices.Sorted(maps.Keys(s.Side.FateFlow.JobDefaults)) {
			// validation has found it
			i := slices.IndexFunc(jobDefaults, func(d jobDefault) bool { return d.key == key })
			if d := jobDefaults[i]; !d.readBy(flow) {
				problems.Add(s.Cluster.At("%s.%s", at, key), "remove it: "+d.readers()+" knows it",
					"FATE-Flow %s has no default for jobs named %q", flow, key)
			}
		}
		return
	}
	if len(s.Side.FateFlow.JobDefaults) > 0 {
		problems.Add(s.Cluster.At("%s", at), "remove it",
			"FATE-Flow %s has its defaults for jobs in its code, not in a file", flow)
		return
	}
	if asked := s.Side.jobCores(s.Side.jobNumber("task_cores"), 1); s.Side.knowsPool() && asked > s.Side.jobLimit() {
		problems.Add(s.Cluster.At("%s.clustermanager.cores_per_node", s.Role),
			"raise cores_per_node: it is a budget, not a measurement",
			"a job with the defaults of FATE-Flow %s asks for %d cores, and it gives a job %d at most", flow, asked,
			s.Side.jobLimit())
	}
}

// noteJobDefaults says where a default was made to fit, and who refuses one that was not.
func (s *Spec) noteJobDefaults(notes *problem.Problems) {
	if !s.Runs(FateFlow) || !s.Profile.HasJobDefaults() {
		return
	}
	cores, standard := s.taskCores(), s.Side.jobNumber("task_cores")
	if cores != standard {
		small := s.refusing(standard)[0]
		notes.Add(s.Cluster.At("%s.clustermanager.cores_per_node", small.Role),
			"write fate_flow.job_defaults: {task_cores: ...} to choose another number",
			"a task gets %d cores when its job does not say, not %d: the %s gives a job %d at most", cores, standard,
			small.Role, small.jobLimit())
	}
	for _, side := range s.refusing(cores) {
		notes.Add(s.Cluster.At("%s.fate_flow.job_defaults.task_cores", s.Role),
			"lower task_cores, or raise cores_per_node of the "+string(side.Role),
			"the %s refuses jobs of the %s that do not say how many cores they want: they ask for %d, and it gives a "+
				"job %d at most",
			side.Role, s.Role, side.jobCores(cores, s.Side.jobNumber("task_parallelism")), side.jobLimit())
	}
}
