//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// twoNodes is a party with everything on one host, and a nodemanager on another one, too.
const twoNodes = `host:
  partyid: 10000
  ip: 192.168.0.1
  nodemanager: {ips: [192.168.0.1, 192.168.0.2]}
  mysql: {dbpasswd: twonodes}
`

// nodeStatus returns the status of a nodemanager in eggroll's table.
func (b bench) nodeStatus(address string) string {
	b.t.Helper()
	return strings.TrimSpace(b.query("main", "SELECT status FROM eggroll_meta.server_node WHERE node_type = 'NODE_MANAGER' AND host = '"+address+"'"))
}

// shows runs a command, whatever its exit status, and wants words in what it prints.
func (b bench) shows(host string, wants []string, args ...string) string {
	b.t.Helper()
	out, _, err := b.try(host, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, want := range wants {
		if !strings.Contains(out, want) {
			b.t.Errorf("%s does not say %q", strings.Join(args, " "), want)
		}
	}
	b.t.Logf("%s\n%s", strings.Join(args, " "), out)
	return out
}

// TestNodeGone switches off the host of one of two nodemanagers, and on again.
func TestNodeGone(t *testing.T) {
	b := newBench(t, "main=192.168.0.1", "second=192.168.0.2")
	b.installTwoNodes(twoNodes)
	b.step("off", func(b bench) { b.nodeOff() })
	b.step("jobs run on the node that is left", func(b bench) { b.oneNodeLeft() })
	b.step("on again", func(b bench) { b.nodeOn() })
}

// installTwoNodes installs both hosts and runs a job on both nodes.
func (b bench) installTwoNodes(cluster string) {
	b.t.Helper()
	for _, host := range []string{"main", "second"} {
		b.write(host, "/root/cluster.yaml", cluster)
	}
	done := make(chan error)
	go func() { // the clustermanager is ready when both nodemanagers are
		out, code, err := b.try("second", installerFile, "--config", "/root/cluster.yaml")
		if code != 0 || err != nil {
			err = fmt.Errorf("exit status %d, %v\n%s", code, err, out)
		}
		done <- err
	}()
	b.install("main", "--config", "/root/cluster.yaml")
	if err := <-done; err != nil {
		b.t.Fatalf("install on the second host: %v", err)
	}
	b.awaitReady("main", modulesOfParty...)
	b.awaitReady("second", "fate-nodemanager")
	b.toy("main")
}

// nodeOff cuts the power of the second host, and waits until no job is planned on its nodemanager.
func (b bench) nodeOff() {
	b.t.Helper()
	if err := b.Off("second"); err != nil {
		b.t.Fatal(err)
	}
	b.await("no job is planned on the node", func() bool { return b.nodeStatus("192.168.0.2") == "LOSS" })
	if got := b.nodeStatus("192.168.0.1"); got != "HEALTHY" {
		b.t.Errorf("the node that is left is %s", got)
	}
}

// oneNodeLeft looks at a party without its second node.
func (b bench) oneNodeLeft() {
	b.t.Helper()
	b.await("svc status says which node is away", func() bool {
		programs, code := b.status("main")
		p := programs["fate-clustermanager"]
		return code == 3 && !p.Ready && strings.Contains(p.Why, "nodemanager 192.168.0.2:4671 does not answer, and no job is planned on it (LOSS)")
	})
	b.shows("main", []string{"192.168.0.2:4671"}, "fate-installer", "svc", "status")
	b.shows("main", []string{"fate-nodemanager at 192.168.0.2:4671 does not answer", "switch its host on"}, "fate-installer", "svc", "why", "clustermanager")
	out := b.shows("main", []string{"fate-nodemanager is away: 192.168.0.2:4671 does not answer", "passed in"}, "fate-installer", "test", "toy")
	if strings.Contains(out, "error:") {
		b.t.Errorf("the toy job fails")
	}
}

// nodeOn switches the second host on, and waits until jobs are planned on it.
func (b bench) nodeOn() {
	b.t.Helper()
	if err := b.On("second"); err != nil {
		b.t.Fatal(err)
	}
	b.await("jobs are planned on the node again", func() bool { return b.nodeStatus("192.168.0.2") == "HEALTHY" })
	b.awaitReady("main", modulesOfParty...)
	b.toy("main")
	last := fmt.Sprintf("/data/logs/fate/eggroll/%s*", b.jobList("main").Jobs[0].Job)
	b.run("second", "sh", "-c", "ls -d "+last) // a worker of that job ran there
}
