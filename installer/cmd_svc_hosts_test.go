package main

import (
	"testing"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/registry"
)

func twoFlows(t *testing.T) *cluster.Spec {
	t.Helper()
	c, err := cluster.Parse([]cluster.Source{{Name: "cluster.yaml", Data: []byte(`
host:
  partyid: 10000
  ip: 192.0.2.1
  fate_flow: {ips: [192.0.2.1, 192.0.2.2]}
  mysql: {dbpasswd: secret}
  zk: {lists: [{ip: 192.0.2.1}], passwd: secret}
  nginx: {ips: [192.0.2.1]}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := c.Spec(cluster.Selection{IP: "192.0.2.1", Env: map[string]string{"FATE": "1.11.4"}})
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestRegistryIsComparedWithTheClusterFile: one FATE-Flow is registered, one has fallen out, and one is a stranger.
func TestRegistryIsComparedWithTheClusterFile(t *testing.T) {
	spec := twoFlows(t)
	state := &svcHostsReport{
		Modules: []moduleState{
			{Host: "192.0.2.1", Module: cluster.FateFlow, Answers: true, Own: true},
			{Host: "192.0.2.2", Module: cluster.FateFlow, Answers: true, State: "1.11.4"},
			{Host: "192.0.2.1", Module: cluster.MySQL, Answers: true},
		},
		Registry: []registry.Instance{{Node: "192.0.2.1:9360", Since: time.Now()},
			{Node: "192.0.2.7:9360", ID: "flow-192.0.2.7-9380"}},
	}
	state.compare(spec)
	one, two := state.Modules[0], state.Modules[1]
	if one.Registered == nil || one.Missing || two.Registered != nil || !two.Missing || two.Why == "" {
		t.Errorf("first %+v, second %+v", one, two)
	}
	if len(state.Unknown) != 1 || state.Unknown[0].Node != "192.0.2.7:9360" {
		t.Errorf("strangers: %+v", state.Unknown)
	}
	if state.well() {
		t.Error("all is well with a FATE-Flow that is not in the registry")
	}
	if others := state.others(); len(others) != 0 {
		t.Errorf("%v could take over, though it is not registered", others)
	}
	state.Registry[1].Node = "192.0.2.2:9360"
	state.Modules[1].Missing = false
	state.Unknown = nil
	state.compare(spec)
	if others := state.others(); !state.well() || len(others) != 1 {
		t.Errorf("well: %v, others: %v", state.well(), others)
	}
}

// TestEndsListsEveryInstance of every module on every host.
func TestEndsListsEveryInstance(t *testing.T) {
	want := map[string]bool{
		"mysql 192.0.2.1": true, "clustermanager 192.0.2.1": true, "nodemanager 192.0.2.1": true,
		"rollsite 192.0.2.1": true, "zookeeper 192.0.2.1": true,
		"nginx 192.0.2.1": true, "fateflow 192.0.2.1": true, "fateflow 192.0.2.2": true, "fateboard 192.0.2.1": true,
	}
	for _, e := range twoFlows(t).Ends() {
		key := string(e.Module) + " " + e.IP
		if !want[key] || e.Port == 0 || !e.Inside {
			t.Errorf("unexpected %+v", e)
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}

func TestRollingNeedsAnotherFateFlow(t *testing.T) {
	root, _, _ := exchangeTree(t)
	for _, args := range [][]string{{"mysql"}, {"fateflow"}} {
		err := runSvcRolling(t.Context(), &globals{Root: root, Base: deploy.StandardBase}, args, nil)
		if exit.CodeOf(t.Context(), err) != exit.Usage || exit.HintOf(err) == "" {
			t.Errorf("%v: %v", args, err)
		}
	}
}
