package cluster_test

import (
	"errors"
	"path/filepath"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/problem"

	"github.com/google/go-cmp/cmp"
)

func TestClusterFileRoundTrip(t *testing.T) {
	var sets []string
	for _, pattern := range []string{"/setup-conf/*/setup.conf", "/var-files-*/*",
		"/ha-fateflow/fate_host.second-flow"} {
		more, err := filepath.Glob(fatetest.Upstream + pattern)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, more...)
	}
	for _, set := range sets {
		c, err := cluster.Parse(fatetest.Sources(t, set))
		if err != nil {
			continue // refused, as another test checks
		}
		if diff := fatetest.SideDiff(c, fatetest.Reparse(t, c)); diff != "" {
			t.Errorf("%s changes on the way through the cluster file:\n%s", set, diff)
		}
	}
	c, err := fatetest.ParseText("host: {partyid: 1, ip: 10.0.0.1, fate_flow: {job_defaults: {task_cores: 2, " +
		"max_cores_percent_per_job: 0.5, default_component_provider_path: yes, task_process_classpath: off}}}")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"task_cores": "2", "max_cores_percent_per_job": "0.5",
		"default_component_provider_path": "yes", "task_process_classpath": "false"}
	if diff := cmp.Diff(want, fatetest.Reparse(t, c).Host.FateFlow.JobDefaults); diff != "" {
		t.Errorf("defaults of jobs change on the way through the cluster file:\n%s", diff)
	}
}

func TestInitRefusesWhatCannotWork(t *testing.T) {
	host, _ := cluster.ParseInitSide(cluster.RoleHost, "10000:192.168.0.1")
	guest, _ := cluster.ParseInitSide(cluster.RoleGuest, "9999:192.168.0.2")
	exchange, _ := cluster.ParseInitSide(cluster.RoleExchange, "192.168.0.88")
	_, err := cluster.NewCluster(cluster.InitOptions{Host: host, Guest: guest, Exchange: exchange,
		TLS:     []cluster.Role{cluster.RoleHost, cluster.RoleGuest},
		Secrets: fatetest.Generated(t)})
	fatetest.WantProblem(t, err, "cannot work with an exchange between them")
	_, err = cluster.NewCluster(cluster.InitOptions{Host: host, Polling: cluster.RoleHost,
		Secrets: fatetest.Generated(t)})
	fatetest.WantProblem(t, err, "polling needs an exchange")
	var ps problem.Problems
	if !errors.As(err, &ps) {
		t.Errorf("%T is not Problems", err)
	}
	for _, text := range []string{"192.168.0.1", "x:192.168.0.1", "10000:192.168.0.300", "12345678901:10.0.0.1"} {
		if _, err := cluster.ParseInitSide(cluster.RoleHost, text); err == nil {
			t.Errorf("accepts %q", text)
		}
	}
}
