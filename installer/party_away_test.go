package main

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/job"
	"fate-installer/supervisor"
)

// spreadParty is a party with a nodemanager here, one on another host that answers, and one on a port that nothing
// serves.
func spreadParty(t *testing.T) *cluster.Spec {
	t.Helper()
	spec := twoFlows(t)
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if spec.Side.NodeManager.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	spec.Side.NodeManager.IPs = []string{spec.IP, "127.0.0.2", "127.0.0.3"}
	return spec
}

func TestProgramsAway(t *testing.T) {
	spec := spreadParty(t)
	away := job.ProgramsAway(t.Context(), spec, cluster.NodeManager)
	want := "fate-nodemanager is away: 127.0.0.3:" + strconv.Itoa(spec.Side.NodeManager.Port) + " does not answer: "
	if len(away) != 1 || !strings.HasPrefix(away[0].String(), want) {
		t.Errorf("away: %v, want %q", away, want)
	}
}

// TestWhyNamesTheNode: a nodemanager on another host is the root of a clustermanager that is not ready, and of a
// FATE-Flow without a free worker; not of programs that have another trouble.
func TestWhyNamesTheNode(t *testing.T) {
	spec := spreadParty(t)
	node := "fate-nodemanager at 127.0.0.3:" + strconv.Itoa(spec.Side.NodeManager.Port)
	for name, tt := range map[string]struct {
		root   supervisor.Finding
		node   bool
		advice string // in the root's own; blank: none
	}{
		"clustermanager": {supervisor.Finding{Name: "fate-clustermanager",
			Text: "runs but is not ready: nodemanager x does not answer"}, true, ""},
		"no worker": {supervisor.Finding{Name: "fate-fateflow",
			Text: "runs but is not ready: error: no free worker: FATE-Flow at x"}, true, "svc restart fateflow"},
		"another trouble of FATE-Flow": {
			supervisor.Finding{Name: "fate-fateflow", Text: "runs but is not ready: connection refused",
				Advice: "give it time"}, false, "give it time"},
		"another program": {supervisor.Finding{Name: "fate-mysql", Text: "is stopped", Advice: "start it"},
			false, "start it"},
		"ready": {supervisor.Finding{Name: "fate-clustermanager", Ready: true}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := tt.root
			root.Root = true
			found := missingNodes(t.Context(), spec, &root)
			if (len(found) == 1 && found[0].Name == node && found[0].Root) != tt.node || root.Root == tt.node {
				t.Errorf("found %+v, root %+v", found, root)
			}
			if root.Advice != tt.advice && (tt.advice == "" || !strings.Contains(root.Advice, tt.advice)) {
				t.Errorf("advice %q, want %q", root.Advice, tt.advice)
			}
		})
	}
}
