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

// manyCores lets more jobs run at once than FATE-Flow has workers.
const manyCores = twoNodes + "  clustermanager: {cores_per_node: 64}\n"

// nodeStatus returns the status of a nodemanager in eggroll's table.
func (b bench) nodeStatus(address string) string {
	b.t.Helper()
	return strings.TrimSpace(b.query("main", "SELECT status FROM eggroll_meta.server_node"+
		" WHERE node_type = 'NODE_MANAGER' AND host = '"+address+"'"))
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
	t.Parallel()
	onlyLong(t)
	b := newBench(t, "main=192.168.0.1", "second=192.168.0.2")
	b.installTwoNodes(twoNodes)
	b.step("off", func(b bench) { b.nodeOff() })
	b.step("jobs run on the node that is left", func(b bench) { b.oneNodeLeft() })
	b.step("on again", func(b bench) { b.nodeOn(true) })
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
		return code == 3 && !p.Ready &&
			strings.Contains(p.Why, "nodemanager 192.168.0.2:4671 does not answer, and no job is planned on it (LOSS)")
	})
	b.shows("main", []string{"192.168.0.2:4671"}, "fate-installer", "svc", "status")
	b.shows("main", []string{"fate-nodemanager at 192.168.0.2:4671 does not answer", "switch its host on"},
		"fate-installer", "svc", "why", "clustermanager")
	out := b.shows("main", []string{"fate-nodemanager is away: 192.168.0.2:4671 does not answer", "passed in"},
		"fate-installer", "test", "toy")
	if strings.Contains(out, "error:") {
		b.t.Errorf("the toy job fails")
	}
}

// nodeOn switches the second host on, and waits until jobs are planned on it; run also runs one.
func (b bench) nodeOn(run bool) {
	b.t.Helper()
	if err := b.On("second"); err != nil {
		b.t.Fatal(err)
	}
	b.await("jobs are planned on the node again", func() bool { return b.nodeStatus("192.168.0.2") == "HEALTHY" })
	if !run {
		return
	}
	b.awaitReady("main", modulesOfParty...)
	b.toy("main")
	last := fmt.Sprintf("/data/logs/fate/eggroll/%s*", b.jobList("main").Jobs[0].Job)
	b.run("second", "sh", "-c", "ls -d "+last) // a worker of that job ran there
}

// TestNodeGoneWithoutHeartbeats does the same with FATE 1.9.1, whose nodemanagers send no heartbeats, and on which each
// job that is planned on a host without power hangs and keeps a worker of FATE-Flow.
func TestNodeGoneWithoutHeartbeats(t *testing.T) {
	t.Parallel()
	onlyLong(t)
	b := newBenchWith(t, formerAppliance, installerFile, "main=192.168.0.1", "second=192.168.0.2")
	b.installTwoNodes(manyCores)
	b.step("jobs hang and hold all workers", func(b bench) { b.holdWorkers() })
	b.step("also when the node is back", func(b bench) {
		b.nodeOn(false)
		out, code, err := b.try("main", "fate-installer", "test", "toy")
		if err != nil || code != 1 || !strings.Contains(out, "cannot submit a job: no free worker") ||
			!strings.Contains(out, "svc restart fateflow") {
			b.t.Errorf("test toy: exit status %d, %v\n%s", code, err, out)
		}
		b.t.Logf("test toy\n%s", out)
		b.run("main", "fate-installer", "svc", "restart", "fateflow")
		b.awaitReady("main", modulesOfParty...)
		b.toy("main")
	})
	b.step("off and on", func(b bench) {
		b.nodeOff()
		b.oneNodeLeft()
		b.nodeOn(true)
	})
}

// TestFlowIsHealed has the cluster file ask for a restart of a FATE-Flow that has no free worker.
func TestFlowIsHealed(t *testing.T) {
	t.Parallel()
	onlyLong(t)
	b := newBenchWith(t, formerAppliance, installerFile, "main=192.168.0.1", "second=192.168.0.2")
	b.installTwoNodes(manyCores + "heal: {fate_flow: true}\n")
	before := b.flow()
	b.holdWorkers()
	b.await("FATE-Flow was restarted", func() bool {
		p := b.flow()
		return p.Ready && p.PID != before.PID && p.Restarts > before.Restarts
	})
	b.toy("main") // on the node that is left
}

// holdWorkers switches the second host off, and submits jobs that hang on its nodemanager until no worker of FATE-Flow
// is free.
func (b bench) holdWorkers() {
	b.t.Helper()
	if err := b.Off("second"); err != nil {
		b.t.Fatal(err)
	}
	const script = `for i in 1 2 3 4 5 6 7 8 9 10 11 12; do fate-installer test toy --timeout 5s >/root/toy.$i 2>&1 & done
wait; cat /root/toy.1`
	out := b.run("main", "sh", "-c", script)
	b.t.Logf("test toy with a host that has just gone off\n%s", out)
	for _, want := range []string{"fate-nodemanager is away: 192.168.0.2:4671 does not answer", "node-away"} {
		if !strings.Contains(out, want) {
			b.t.Errorf("test toy does not say %q", want)
		}
	}
	b.await("svc status says that no worker is free", func() bool {
		p := b.flow()
		return !p.Ready && strings.Contains(p.Why, "no free worker")
	})
	b.shows("main", []string{"no free worker"}, "fate-installer", "svc", "status")
	b.shows("main", []string{"svc restart fateflow", "fate-nodemanager at 192.168.0.2:4671 does not answer"},
		"fate-installer", "svc", "why", "fateflow")
	b.why("main", "node-away")
}

func (b bench) flow() program {
	b.t.Helper()
	programs, _ := b.status("main")
	return programs["fate-fateflow"]
}
