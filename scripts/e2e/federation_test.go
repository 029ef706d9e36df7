//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// partyModule is a line of svc status --all-hosts -o json.
type partyModule struct {
	Host       string  `json:"host"`
	Module     string  `json:"module"`
	Answers    bool    `json:"answers"`
	State      string  `json:"state"`
	Registered *string `json:"registered"`
}

// party returns what svc status --all-hosts shows, as MODULE HOST.
func (b bench) party(host string) (map[string]partyModule, int) {
	b.t.Helper()
	out, code, err := b.try(host, "fate-installer", "svc", "status", "--all-hosts", "-o", "json")
	if err != nil {
		b.t.Fatal(err)
	}
	var list struct {
		Modules []partyModule `json:"modules"`
	}
	if err := json.Unmarshal([]byte(out[:strings.LastIndex(out, "}")+1]), &list); err != nil {
		b.t.Fatalf("svc status --all-hosts on host %s: %v\n%s", host, err, out)
	}
	byName := make(map[string]partyModule)
	for _, m := range list.Modules {
		byName[m.Module+" "+m.Host] = m
	}
	return byName, code
}

// refused runs the installer, which has to end with an exit status and say something.
func (b bench) refused(host string, code int, want []string, args ...string) {
	b.t.Helper()
	out, got, err := b.try(host, append([]string{installerFile}, args...)...)
	if err != nil || got != code {
		b.t.Fatalf("host %s: %s: exit status %d (%v), want %d\n%s", host, strings.Join(args, " "), got, err, code, out)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			b.t.Errorf("host %s: %s does not say %q:\n%s", host, strings.Join(args, " "), w, out)
		}
	}
}

// tryToy reports whether a job gets through, without insisting.
func (b bench) tryToy(host string, args ...string) bool {
	b.t.Helper()
	_, code, err := b.try(host, append([]string{"fate-installer", "test", "toy", "--timeout", "30s"}, args...)...)
	return err == nil && code == 0
}

// net runs a command in the lab's network and returns what it prints.
func (b bench) net(args ...string) string {
	b.t.Helper()
	c, err := b.NetCommand(b.t.Context(), args...)
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := c.CombinedOutput()
	if err != nil {
		b.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// The modules of a highly available party on three hosts, and of the other party.
var modulesOfThree = map[string][]string{
	"main": {"fate-clustermanager", "fate-fateboard", "fate-fateflow", "fate-nginx",
		"fate-rollsite", "fate-zookeeper"},
	"second": {"fate-fateflow", "fate-nodemanager", "fate-zookeeper"},
	"third":  {"fate-mysql", "fate-nodemanager", "fate-zookeeper"},
	"guest":  modulesOfParty,
}

// TestPartyOnThreeHosts installs a highly available party on three hosts in an order in which nothing is there when it
// is needed, one command on each, and then takes away one thing after the other. Its database is MySQL 8: FATE-Flow's
// model store, which high availability needs, cannot lock its models in MariaDB.
func TestPartyOnThreeHosts(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, mysqlAppliance, installerFile, "main=192.168.0.1", "second=192.168.0.2", "third=192.168.0.3",
		"guest=192.168.1.1")
	b.run("main", installerFile, "init", "--host", "10000:192.168.0.1", "--host-database", "192.168.0.3",
		"--host-nodes", "192.168.0.2,192.168.0.3",
		"--host-flows", "192.168.0.1,192.168.0.2", "--host-zookeeper", "192.168.0.1,192.168.0.2,192.168.0.3",
		"--guest", "9999:192.168.1.1", "--out", "/root/cluster.yaml")
	b.carry("/root/cluster.yaml", "main", "second", "third", "guest")
	config := []string{"--config", "/root/cluster.yaml"}
	b.refused("second", 6, []string{"fate-nodemanager waits for clustermanager at 192.168.0.1:4670",
		"on 192.168.0.1 run the same file with the same cluster file"}, append(config, "--wait", "0s")...)
	b.refused("main", 6, []string{"fate-clustermanager waits for mysql at 192.168.0.3:3306",
		"on 192.168.0.3 run the same file"}, append(config, "--wait", "1s")...)
	if out := b.run("main", "sh", "-c", "fate-installer svc why clustermanager; true"); !strings.Contains(out,
		"mysql at 192.168.0.3:3306 does not answer") {
		t.Errorf("svc why does not look beyond the host:\n%s", out)
	}
	b.install("third", config...)
	b.install("guest", config...)
	for host, names := range modulesOfThree {
		b.awaitReady(host, names...) // no command was repeated
	}
	b.await("all FATE-Flows are registered", func() bool { _, code := b.party("main"); return code == 0 })
	b.toy("second", "--guest", "10000", "--host", "9999")
	b.toy("guest", "--guest", "9999", "--host", "10000")

	b.step("a job trains, and its models get into the model store", func(b bench) {
		out := b.run("main", "fate-installer", "test", "min", "--guest", "10000", "--host", "10000")
		if !strings.Contains(out, "passed in") {
			b.t.Errorf("test min:\n%s", out)
		}
	})
	b.step("a nodemanager that is missing keeps the clustermanager from being ready", func(b bench) {
		b.run("second", "fate-installer", "svc", "stop", "nodemanager")
		b.await("the clustermanager names it", func() bool {
			p := b.only("main", "fate-clustermanager")
			return !p.Ready && strings.Contains(p.Why, "nodemanager 192.168.0.2:4671")
		})
		out, code, _ := b.try("main", "fate-installer", "svc", "why", "clustermanager")
		b.t.Logf("svc why: exit status %d\n%s", code, out)
		if code != 3 || !strings.Contains(out, "nodemanager 192.168.0.2:4671") {
			b.t.Errorf("svc why: exit status %d\n%s", code, out)
		}
		b.toy("main", "--guest", "10000", "--host", "10000") // the others go on
		b.run("second", "fate-installer", "svc", "start", "nodemanager")
		b.awaitReady("main", modulesOfThree["main"]...)
		b.toy("main", "--guest", "10000", "--host", "10000")
	})
	b.step("a restart of the clustermanager ends when jobs can run", func(b bench) {
		b.run("main", "fate-installer", "svc", "restart", "clustermanager")
		b.toy("main", "--guest", "10000", "--host", "10000")
	})
	b.step("the result is read at the FATE-Flow that ran the task", func(b bench) {
		// nginx gives calls to both in turns, and a job makes several: which of them runs its tasks is chance.
		for _, from := range []string{"main", "second", "main", "main", "second", "second"} {
			b.toy(from, "--guest", "10000", "--host", "9999")
		}
		b.t.Log("tasks ran at",
			strings.Fields(b.query("third",
				"SELECT DISTINCT f_run_ip FROM fate_flow.t_task WHERE f_run_ip IS NOT NULL")))
		if out := b.run("third", "fate-installer", "job", "list"); !strings.Contains(out, "guest 10000") {
			b.t.Errorf("job list on a host without FATE-Flow:\n%s", out)
		}
	})
	b.step("an old copy of the cluster file is refused", func(b bench) {
		b.run("second", "sed", "s/192.168.0.3/192.168.0.9/", "-i", "/root/cluster.yaml")
		b.refused("second", 2,
			[]string{"mysql is at 192.168.0.3:3306 here, and at 192.168.0.9:3306 in the cluster file",
				"--change-cluster"}, config...)
	})
	b.step("every host sees every module", func(b bench) {
		for _, host := range []string{"main", "third"} {
			modules, code := b.party(host)
			leaders := 0
			for name, m := range modules {
				if !m.Answers || strings.HasPrefix(name, "fateflow ") && m.Registered == nil {
					b.t.Errorf("host %s sees %s as %+v", host, name, m)
				}
				if m.State == "leader" {
					leaders++
				}
			}
			if code != 0 || len(modules) != 12 || leaders != 1 {
				b.t.Errorf("host %s: exit status %d, %d modules, %d leaders", host, code, len(modules), leaders)
			}
		}
	})
	b.step("a FATE-Flow that falls out of the registry comes back", func(b bench) {
		before := b.checkReady("second", modulesOfThree["second"]...)["fate-fateflow"].PID
		b.run("second", "sh", "-c", fmt.Sprintf("kill -STOP %d", before))
		b.await("its session has ended", func() bool {
			modules, _ := b.party("main")
			return modules["fateflow 192.168.0.1"].Registered != nil &&
				modules["fateflow 192.168.0.2"].Registered == nil
		})
		b.run("second", "sh", "-c", fmt.Sprintf("kill -CONT %d; true", before)) // unless it has been killed
		b.await("the supervisor has restarted it", func() bool {
			now, _ := b.status("second")
			modules, _ := b.party("main")
			p := now["fate-fateflow"]
			return p.Ready && p.PID != before && modules["fateflow 192.168.0.2"].Registered != nil
		})
	})
	b.step("restarts in turns leave a FATE-Flow at any time", func(b bench) {
		stop := b.call("guest", "http://192.168.0.1:9998/v1/version/get")
		done := make(chan string, 2)
		for _, host := range []string{"main", "second"} {
			go func() {
				out, code, err := b.try(host, "fate-installer", "svc", "restart", "--rolling", "fateflow")
				done <- fmt.Sprintf("%s %d %v %s", host, code, err, out)
			}()
		}
		for range 2 {
			if end := <-done; !strings.Contains(end, " 0 <nil> ") {
				b.t.Errorf("restart --rolling: %s", end)
			}
		}
		good, bad := stop()
		b.t.Logf("%d calls were answered, %d not", good, bad)
		if bad > 2 || good < 20 { // the one call that a FATE-Flow is at work on when it is stopped is lost
			b.t.Error("for a while there was no FATE-Flow")
		}
	})
	b.step("the last FATE-Flow is not restarted in turns", func(b bench) {
		b.run("second", "fate-installer", "svc", "stop", "fateflow")
		out, code, _ := b.try("main", "fate-installer", "svc", "restart", "--rolling", "fateflow")
		if code != 6 || !strings.Contains(out, "no other one of this party is registered") {
			b.t.Errorf("exit status %d: %s", code, out)
		}
		b.run("second", "fate-installer", "svc", "start", "fateflow")
	})
	b.step("the database goes away and comes back", func(b bench) {
		b.run("third", "fate-installer", "svc", "stop", "mysql")
		if out, code, _ := b.try("second", "fate-installer", "svc", "why", "fateflow"); code != 3 ||
			!strings.Contains(out, "mysql at 192.168.0.3:3306 does not answer") {
			b.t.Errorf("svc why: exit status %d\n%s", code, out)
		}
		b.run("third", "fate-installer", "svc", "start", "mysql")
		b.await("a job gets through again",
			func() bool { return b.tryToy("main", "--guest", "10000", "--host", "10000") })
	})
	b.step("the registry loses its majority and gets it back", func(b bench) {
		for _, host := range []string{"second", "third"} {
			b.run(host, "fate-installer", "svc", "stop", "zookeeper")
		}
		b.await("the one that is left says what is wrong", func() bool {
			out, _, _ := b.try("main", "fate-installer", "svc", "why", "zookeeper")
			return strings.Contains(out, "cannot reach enough of the other ZooKeepers")
		})
		b.toy("main", "--guest", "10000", "--host", "10000") // FATE-Flow goes on with what it knows
		for _, host := range []string{"second", "third"} {
			b.run(host, "fate-installer", "svc", "start", "zookeeper")
		}
		b.await("all is as before", func() bool { _, code := b.party("main"); return code == 0 })
	})
	b.step("a host with a FATE-Flow dies and comes back", func(b bench) {
		if err := b.Off("second"); err != nil {
			b.t.Fatal(err)
		}
		b.await("the other FATE-Flow takes the jobs",
			func() bool { return b.tryToy("guest", "--guest", "9999", "--host", "10000") })
		if modules, code := b.party("main"); code != 3 || modules["fateflow 192.168.0.2"].Answers ||
			modules["zookeeper 192.168.0.2"].Answers {
			b.t.Errorf("svc status --all-hosts: exit status %d, %+v", code, modules)
		}
		if err := b.On("second"); err != nil {
			b.t.Fatal(err)
		}
		b.awaitReady("second", modulesOfThree["second"]...)
		b.await("it is registered again", func() bool {
			modules, code := b.party("main")
			return code == 0 && modules["fateflow 192.168.0.2"].Registered != nil
		})
		// The rollsites' channels to that host are tried again only after gRPC's pause, and jobs fail until then.
		b.await("its jobs get through", func() bool { return b.tryToy("second", "--guest", "10000", "--host", "9999") })
	})
	b.step("the parties are cut off from each other, and find together again", func(b bench) {
		b.net("ip", "link", "set", "vb-guest", "down")
		out, code, _ := b.try("main", "fate-installer", "party", "test")
		b.net("ip", "link", "set", "vb-guest", "up")
		if code != 3 || !strings.Contains(out, "there is no way to that host") &&
			!strings.Contains(out, "no answer within") {
			b.t.Errorf("party test: exit status %d\n%s", code, out)
		}
		b.await("a job gets through again",
			func() bool { return b.tryToy("guest", "--guest", "9999", "--host", "10000") })
		report := b.run("main", "fate-installer", "party", "test")
		b.t.Logf("party test:\n%s", report)
		for _, want := range []string{"party 9999 answers", "comes back here"} {
			if !strings.Contains(report, want) {
				b.t.Errorf("party test does not say %q", want)
			}
		}
	})
	b.step("a slow link that drops packets delays a job, and no more", func(b bench) {
		// 1 Mbit/s, and room for one packet that waits: what comes in a burst is lost.
		b.net("tc", "qdisc", "add", "dev", "vb-guest", "root", "tbf", "rate", "1mbit", "burst", "2kb", "limit", "2kb")
		b.toy("main", "--guest", "10000", "--host", "9999")
		report := b.run("main", "fate-installer", "party", "test")
		statistics := b.net("tc", "-s", "qdisc", "show", "dev", "vb-guest")
		b.net("tc", "qdisc", "del", "dev", "vb-guest", "root")
		if strings.Contains(statistics, "(dropped 0,") || !strings.Contains(report, "a message of 32 KiB arrives") {
			b.t.Errorf("nothing was lost, or large messages do not arrive:\n%s%s", statistics, report)
		}
	})
}

// call sends a small request again and again until the returned function is called, which tells how many were answered
// with 200, and how many not.
func (b bench) call(host, url string) (stop func() (good, bad int)) {
	b.t.Helper()
	const script = `
import sys, time, urllib.request
good = bad = 0
while not __import__("os").path.exists("/run/stop-calling"):
    try:
        urllib.request.urlopen(urllib.request.Request(sys.argv[1], b"{}", {"Content-Type": "application/json"}), timeout=10).read()
        good += 1
    except Exception as e:
        bad += 1
        print("failed at", time.strftime("%T"), e)
    time.sleep(0.2)
print(good, bad)
`
	type result struct {
		out string
		err error
	}
	done := make(chan result, 1)
	b.run(host, "rm", "-f", "/run/stop-calling")
	go func() {
		out, _, err := b.try(host, "/data/projects/fate/common/python/venv/bin/python", "-c", script, url)
		done <- result{out, err}
	}()
	return func() (good, bad int) {
		b.t.Helper()
		time.Sleep(time.Second) // what happened last is seen, too
		b.run(host, "touch", "/run/stop-calling")
		r := <-done
		lines := strings.Split(strings.TrimSpace(r.out), "\n")
		for _, failed := range lines[:len(lines)-1] {
			b.t.Log(failed)
		}
		if _, err := fmt.Sscan(lines[len(lines)-1], &good, &bad); err != nil || r.err != nil {
			b.t.Fatalf("calling %s: %v, %v\n%s", url, err, r.err, r.out)
		}
		return good, bad
	}
}
