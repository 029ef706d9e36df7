package cluster_test

import (
	"testing"

	"fate-installer/installer/fate/fatetest"
)

func TestJobDefaultsThatNoFlowReadsAreRefused(t *testing.T) {
	for _, tc := range []struct {
		defaults string
		want     []string
	}{
		{"{task_core: 2}", []string{"cluster.yaml:1:79", `no default for jobs named "task_core"`,
			`did you mean "task_cores"?`}},
		{"{colour: blue}", []string{`named "colour"`, "the keys there are "}},
		{"{task_cores: many}", []string{"cluster.yaml:1:80", "whole number", `"many"`}},
		{"{task_cores: 0}", []string{"whole number from 1"}},
		{"{max_cores_percent_per_job: 80}", []string{"up to 1"}},
		{"{total_cores_overweight_percent: 0}", []string{"above 0"}},
		{"{federated_status_collect_type: push}", []string{"PUSH or PULL"}},
		{"{task_process_classpath: 2}", []string{"true or false"}},
		{"{default_component_provider_path: 'a b'}", []string{"a path below"}},
		{"{task_cores: 4, task_cores: 5}", []string{"is there twice"}},
		{"[task_cores]", []string{"must be a mapping"}},
		{"{task_cores: [4]}", []string{"must be a single value"}},
	} {
		_, err := fatetest.ParseText("host: {partyid: 10000, ip: 192.168.0.1, fate_flow: {job_defaults: " +
			tc.defaults + "}}")
		fatetest.WantProblem(t, err, tc.want...)
	}
	for _, tc := range []struct{ release, defaults, want string }{
		{"1.8.0", "{upload_block_max_bytes: 1}", "only FATE-Flow 1.9 or later knows it"},
		{"1.9.0", "{upload_max_bytes: 1}", "only FATE-Flow before 1.9 knows it"},
		{"1.11.1", "{task_world_size: 1}", `FATE-Flow 1.11.0 has no default for jobs named "task_world_size"`},
		{"1.6.0", "{task_cores: 2}", "in its code, not in a file"},
	} {
		fatetest.WantProblem(t,
			fatetest.SpecError(t, "host: {partyid: 10000, ip: 192.168.0.1, fate_flow: {job_defaults: "+
				tc.defaults+"}}", tc.release), tc.want)
	}
}
