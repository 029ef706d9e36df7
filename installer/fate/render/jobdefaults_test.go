package render

import (
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"

	"github.com/google/go-cmp/cmp"
)

// shippedJobDefaults are the files of three generations as published, key by key.
var shippedJobDefaults = map[string]map[string]string{
	"1.7.0": {
		"default_component_provider_path": "federatedml", "total_cores_overweight_percent": "1",
		"total_memory_overweight_percent": "1",
		"task_parallelism":                "1", "task_cores": "4", "task_memory": "0", "max_cores_percent_per_job": "1",
		"job_timeout":            "259200",
		"remote_request_timeout": "30000", "federated_command_trys": "3",
		"end_status_job_scheduling_time_limit": "300000",
		"end_status_job_scheduling_updates":    "1", "auto_retries": "0", "auto_retry_delay": "1",
		"federated_status_collect_type": "PUSH",
		"upload_max_bytes":              "104857600", "output_data_summary_count_limit": "100",
	},
	"1.9.0": {
		"default_component_provider_path": "federatedml", "total_cores_overweight_percent": "1",
		"total_memory_overweight_percent": "1",
		"task_parallelism":                "1", "task_cores": "4", "task_memory": "0", "max_cores_percent_per_job": "1",
		"job_timeout":            "259200",
		"remote_request_timeout": "30000", "federated_command_trys": "3",
		"end_status_job_scheduling_time_limit": "300000",
		"end_status_job_scheduling_updates":    "1", "auto_retries": "0", "auto_retry_delay": "1",
		"federated_status_collect_type":  "PUSH",
		"detect_connect_max_retry_count": "3", "detect_connect_long_retry_count": "2",
		"upload_block_max_bytes": "104857600", "output_data_summary_count_limit": "100",
	},
	"1.11.2": {
		"default_component_provider_path": "federatedml", "total_cores_overweight_percent": "1",
		"total_memory_overweight_percent": "1",
		"task_parallelism":                "1", "task_cores": "4", "task_memory": "0", "max_cores_percent_per_job": "1",
		"job_timeout":            "259200",
		"remote_request_timeout": "30000", "federated_command_trys": "3",
		"end_status_job_scheduling_time_limit": "300000",
		"end_status_job_scheduling_updates":    "1", "auto_retries": "0", "auto_retry_delay": "1",
		"federated_status_collect_type":  "PUSH",
		"detect_connect_max_retry_count": "3", "detect_connect_long_retry_count": "2", "task_process_classpath": "true",
		"upload_block_max_bytes": "104857600", "output_data_summary_count_limit": "100",
		"task_world_size": "2", "resource_waiting_timeout": "21600",
	},
}

// jobDefaultsOf is job_default_config.yaml of a host, and nil where none is written.
func jobDefaultsOf(t *testing.T, s *cluster.Spec) map[string]string {
	t.Helper()
	content, ok := rendered(t, s)[s.Layout.JobDefaultsPath()]
	if !ok {
		return nil
	}
	return flatten(t, "x.yaml", []byte(content))
}

// FATE's own number does not tell: 1.11.1 has FATE-Flow 1.11.0, and 1.11.2 has 1.11.1, which knows three keys more.
func TestJobDefaultsAreTheShippedOnes(t *testing.T) {
	for release, generation := range map[string]string{
		"1.5.0": "", "1.6.1": "", "1.7.0": "1.7.0", "1.8.0": "1.7.0", "1.9.0": "1.9.0", "1.10.0": "1.9.0",
		"1.11.1": "1.9.0", "1.11.2": "1.11.2", "1.11.4": "1.11.2",
	} {
		if diff := cmp.Diff(shippedJobDefaults[generation], jobDefaultsOf(t,
			fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", release))); diff != "" {
			t.Errorf("FATE %s:\n%s", release, diff)
		}
	}
}

func TestJobDefaultsGoWhereFateFlowRuns(t *testing.T) {
	const text = "host: {partyid: 10000, ip: 192.168.0.1, nodemanager: {ips: [192.168.0.1, 192.168.0.7]}, fate_flow: " +
		"{job_defaults: {job_timeout: 60, task_process_classpath: False}}}"
	if got := jobDefaultsOf(t, fatetest.SpecOf(t, text, "192.168.0.7", "1.11.4")); got != nil {
		t.Errorf("a host without FATE-Flow has %v", got)
	}
	s := fatetest.SpecOf(t, text, "192.168.0.1", "1.11.4")
	got := jobDefaultsOf(t, s)
	if got["job_timeout"] != "60" || got["task_process_classpath"] != "false" || got["task_cores"] != "4" {
		t.Errorf("the written defaults become %v", got)
	}
	files, err := Files(s)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files,
		func(f File) bool { return f.Path == "/data/projects/fate/fateflow/conf/job_default_config.yaml" })
	if i < 0 || !slices.Equal(files[i].Programs, []string{"fate-fateflow"}) {
		t.Errorf("a change does not reach FATE-Flow")
	}
}

func TestDefaultJobsFitThePool(t *testing.T) {
	host := func(more string) string { return "host: {partyid: 10000, ip: 192.168.0.1, " + more + "}\n" }
	guest := func(more string) string { return "guest: {partyid: 9999, ip: 192.168.0.2, " + more + "}\n" }
	for _, tc := range []struct {
		name, text string
		want       string // task_cores of the host
		note       string
	}{
		{"roomy", host("fateboard: {}"), "4", ""},
		{"two cores", host("clustermanager: {cores_per_node: 2}"), "2",
			"cluster.yaml:1:74: a task gets 2 cores when its job does not say, not 4: the host gives a job 2 at most"},
		{"three nodes of one core, which upstream's division fits",
			host("clustermanager: {cores_per_node: 1}, nodemanager: {ips: [192.168.0.1, 192.168.0.5, 192.168.0.6]}"),
			"4", ""},
		{"two nodes of one core",
			host("clustermanager: {cores_per_node: 1}, nodemanager: {ips: [192.168.0.1, 192.168.0.5]}"), "3", "not 4"},
		{"a small peer", host("fateboard: {}") + guest("clustermanager: {cores_per_node: 2}"), "2",
			"the guest gives a job 2 at most"},
		{"half of the pool", host(
			"clustermanager: {cores_per_node: 6}, fate_flow: {job_defaults: {max_cores_percent_per_job: 0.5}}"), "3",
			"not 4"},
		{"more than there is",
			host("clustermanager: {cores_per_node: 2}, fate_flow: {job_defaults: {total_cores_overweight_percent: 2}}"),
			"4", ""},
		{"two tasks at once", host(
			"clustermanager: {cores_per_node: 4}, fate_flow: {job_defaults: {task_parallelism: 2}}"), "2", "not 4"},
		{"written", host("fate_flow: {job_defaults: {task_cores: 8}}"), "8", ""},
		{"written, and too much for the peer", host("fate_flow: {job_defaults: {task_cores: 8}}") +
			guest("clustermanager: {cores_per_node: 4}"), "8", "the guest refuses jobs of the host"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := fatetest.SpecOf(t, tc.text, "192.168.0.1", "1.11.4")
			if got := jobDefaultsOf(t, s)["task_cores"]; got != tc.want {
				t.Errorf("task_cores is %s, want %s", got, tc.want)
			}
			if notes := s.Warnings().Error(); !strings.Contains(notes, tc.note) || tc.note == "" &&
				strings.Contains(notes, "a job") {
				t.Errorf("notes:\n%s", notes)
			}
		})
	}
	for _, tc := range []struct {
		text string
		want []string
	}{
		{host("fate_flow: {job_defaults: {task_cores: 17}}"),
			[]string{"cluster.yaml:1:80", "asks the host for 17 cores", "16 at most"}},
		{host("fate_flow: {job_defaults: {task_parallelism: 20}}"), []string{"asks the host for 20 cores"}},
		{host("spark: {nodes: 999999999999}, fate_flow: {default_engines: spark}"),
			[]string{"cannot have 999999999999 nodes"}},
	} {
		_, err := fatetest.ParseText(tc.text)
		fatetest.WantProblem(t, err, tc.want...)
	}
	fatetest.WantProblem(t, fatetest.SpecError(t, host("clustermanager: {cores_per_node: 2}"), "1.6.0"),
		"cluster.yaml:1:74",
		"FATE-Flow 1.6.0 asks for 4 cores")
}
