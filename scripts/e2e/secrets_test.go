//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/scripts/lab/lab"
)

// rotationKills is how often a change of passwords is killed.
var rotationKills = repeats(3, 10)

const (
	secretsFile  = "/data/projects/common/fate-installer/secrets.json"
	handoverFile = "/data/projects/common/fate-installer/secrets-handover.json"
)

// TestSecretsRotateKilled changes the passwords of a party on two hosts, kills the command at random moments,
// completes it by the same command, brings the shared password to the other host in the same way, and runs a job.
func TestSecretsRotateKilled(t *testing.T) {
	t.Parallel()
	b := newBench(t, "main=192.168.0.1", "second=192.168.0.2")
	b.run("main", installerFile, "init", "--host", "10000:192.168.0.1", "--host-database", "192.168.0.2",
		"--host-nodes", "192.168.0.1",
		"--guest", "9999:192.168.1.1", "--out", "/root/cluster.yaml")
	b.carry("/root/cluster.yaml", "main", "second")
	config := []string{"--config", "/root/cluster.yaml"}
	b.install("second", config...)
	b.install("main", config...)
	b.toy("main")
	before := map[string]map[string]string{"main": b.secrets("main"), "second": b.secrets("second")}
	pids := b.checkReady("main", mainModules...)

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b.refusedSecrets("main", "it is changed on 192.168.0.2 first", "rotate", "mysql_fate")
	from := []string{"--from", "/root/secrets-handover.json"}
	var whole [2]time.Duration
	b.step("without a kill", func(b bench) {
		whole[0] = b.rotate("second", "192.168.0.1", "all")
		b.hand()
		whole[1] = b.rotate("main", "changed    mysql_fate", from...)
		now := b.checkReady("main", mainModules...)
		for program, restarted := range map[string]bool{
			"fate-clustermanager": true, "fate-fateflow": true, "fate-nodemanager": false, "fate-rollsite": false,
			"fate-fateboard": false,
		} {
			if got := now[program].PID != pids[program].PID; got != restarted {
				b.t.Errorf("%s: restarted %v, want %v", program, got, restarted)
			}
		}
		b.toy("main")
	})
	for i := range rotationKills {
		b.step(fmt.Sprintf("kill %d", i), func(b bench) {
			b.killRotation("second", time.Duration(random.Float64()*float64(whole[0])), "all")
			b.rotate("second", "192.168.0.1", "all")
			b.hand()
			b.killRotation("main", time.Duration(random.Float64()*float64(whole[1])), from...)
			b.rotate("main", "", from...)
		})
	}
	b.step("the new passwords are in force, and no former one", func(b bench) {
		main, second := b.secrets("main"), b.secrets("second")
		if main["mysql_user"] != second["mysql_user"] || main["mysql_user"] == before["main"]["mysql_user"] ||
			second["mysql_root"] == before["second"]["mysql_root"] {
			b.t.Error("the hosts disagree, or have a former password")
		}
		for host, former := range before {
			out, code, err := b.try(host, "grep", "-rlF", former["mysql_user"], "/data/projects/fate",
				"/data/projects/common/supervisord")
			if err != nil || code != 1 {
				b.t.Errorf("host %s: the former password is in %s (%v)", host, out, err)
			}
		}
		b.toy("main")
	})
	b.step("all of it at once, and the old cluster file", func(b bench) {
		b.run("main", "fate-installer", "secrets", "rotate", "route_table_key", "fateboard")
		b.run("main", installerFile, "--config", "/root/cluster.yaml", "--role", "host")
		b.run("second", installerFile, "--config", "/root/cluster.yaml", "--role", "host")
		if b.secrets("main")["mysql_user"] == before["main"]["mysql_user"] {
			b.t.Error("an old copy of the cluster file brought the former password back")
		}
		b.t.Logf("secrets list:\n%s", b.run("main", "fate-installer", "secrets", "list"))
		password := b.secrets("main")["fateboard_admin"]
		shown := b.run("main", "fate-installer", "secrets", "show", "fateboard")
		b.t.Logf("secrets show fateboard:\n%s", strings.ReplaceAll(shown, password, "PASSWORD"))
		history := b.run("main", "fate-installer", "history", "-n", "1")
		kept, code, err := b.try("main", "grep", "-rlF", password, "/data/projects/common/fate-installer/history")
		if !strings.Contains(shown, password) || !strings.Contains(history, "secrets show fateboard") || code != 1 {
			b.t.Errorf("the history has %s; the password is in %q (%v)", history, kept, err)
		}
		b.toy("main")
	})
	b.step("by the cluster file", func(b bench) {
		cluster := b.run("main", "cat", "/root/cluster.yaml")
		changed := strings.ReplaceAll(cluster, before["main"]["mysql_user"], "Chosen-by-hand-1")
		for _, host := range []string{"main", "second"} {
			b.write(host, "/root/changed.yaml", changed)
		}
		b.refused("main", 2, []string{"the password of the database user in the cluster file", "--change-cluster"},
			"--config", "/root/changed.yaml")
		b.refused("main", 2, []string{"the database on 192.168.0.2 has another one"}, "--config",
			"/root/changed.yaml", "--change-cluster")
		b.t.Logf("%s", b.run("second", installerFile, "--config", "/root/changed.yaml", "--change-cluster"))
		b.run("main", installerFile, "--config", "/root/changed.yaml", "--change-cluster")
		b.toy("main")
	})
	b.step("over kept data without the passwords", func(b bench) {
		b.run("second", installerFile, "uninstall", "--yes")
		b.run("second", "rm", secretsFile)
		start := time.Now()
		b.install("second", "--config", "/root/changed.yaml")
		b.t.Logf("installed over kept data in %.1f s", time.Since(start).Seconds())
		b.awaitReady("main", mainModules...)
		b.toy("main")
	})
}

// TestSecretsRotateRegistry changes the password of ZooKeeper on a party with two FATE-Flows: between the hosts both
// find each other with either password, and in the end the former one is let in no more.
func TestSecretsRotateRegistry(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, mysqlAppliance, installerFile, "main=192.168.0.1", "second=192.168.0.2")
	b.run("main", installerFile, "init", "--host", "10000:192.168.0.1", "--host-nodes", "192.168.0.1",
		"--host-flows", "192.168.0.1,192.168.0.2", "--host-zookeeper", "192.168.0.1", "--guest", "9999:192.168.1.1",
		"--out", "/root/cluster.yaml")
	b.carry("/root/cluster.yaml", "main", "second")
	for _, host := range []string{"main", "second"} {
		b.install(host, "--config", "/root/cluster.yaml")
	}
	registered := func() bool {
		modules, _ := b.party("main")
		return modules["fateflow 192.168.0.1"].Registered != nil && modules["fateflow 192.168.0.2"].Registered != nil
	}
	b.await("both FATE-Flows are registered", registered)
	former := b.secrets("main")["zookeeper"]
	out := b.run("main", "fate-installer", "secrets", "rotate", "zookeeper")
	t.Logf("on the first host:\n%s", out)
	if !strings.Contains(out, "192.168.0.2") {
		t.Error("it does not name the host that has the former password")
	}
	b.await("both FATE-Flows are registered, one with either password", registered)
	b.toy("main")
	b.carry(handoverFile, "main", "second")
	b.run("second", "chmod", "600", "/root/secrets-handover.json")
	t.Logf("on the second host:\n%s", b.run("second", "fate-installer", "secrets", "rotate", "--from",
		"/root/secrets-handover.json"))
	b.await("both FATE-Flows are registered with the new password", registered)
	b.toy("main")
	if b.secrets("main")["zookeeper"] == former || b.secrets("main")["zookeeper"] != b.secrets("second")["zookeeper"] {
		t.Error("the hosts disagree, or have the former password")
	}
	b.run("second", "sh", "-c", "sed -i 's/\"zookeeper\": \"[^\"]*\"/\"zookeeper\": \"'"+former+"'\"/' "+secretsFile)
	if text, _, err := b.try("second", "fate-installer", "svc", "status", "--all-hosts"); err != nil ||
		!strings.Contains(text, "not authenticated") {
		t.Errorf("the former password is still let in (%v):\n%s", err, text)
	}
}

var mainModules = []string{"fate-clustermanager", "fate-fateboard", "fate-fateflow", "fate-nodemanager",
	"fate-rollsite"}

// secrets reads the passwords that a host has kept.
func (b bench) secrets(host string) map[string]string {
	b.t.Helper()
	var out map[string]string
	if err := json.Unmarshal([]byte(b.run(host, "cat", secretsFile)), &out); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// refusedSecrets runs a secrets command that has to be refused.
func (b bench) refusedSecrets(host, want string, args ...string) {
	b.t.Helper()
	out, code, err := b.try(host, append([]string{"fate-installer", "secrets"}, args...)...)
	if err != nil || code != 2 || !strings.Contains(out, want) {
		b.t.Errorf("secrets %q: exit status %d (%v), want %q in\n%s", args, code, err, want, out)
	}
}

// rotate changes passwords, expects a text in what it says, and tells how long it took.
func (b bench) rotate(host, want string, args ...string) time.Duration {
	b.t.Helper()
	start := time.Now()
	out := b.run(host, slices.Concat([]string{"fate-installer", "secrets", "rotate"}, args)...)
	took := time.Since(start)
	b.t.Logf("secrets rotate %s on %s took %.1f s:\n%s", strings.Join(args, " "), host, took.Seconds(), out)
	if !strings.Contains(out, want) {
		b.t.Errorf("it does not say %q", want)
	}
	return took
}

// hand carries the shared passwords to the other host.
func (b bench) hand() {
	b.t.Helper()
	b.carry(handoverFile, "second", "main")
	b.run("main", "chmod", "600", "/root/secrets-handover.json")
}

// killRotation runs secrets rotate and kills it after a while.
func (b bench) killRotation(host string, after time.Duration, args ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), after)
	defer cancel()
	var out bytes.Buffer
	err := b.Run(ctx, host, lab.Cmd{Args: slices.Concat([]string{"fate-installer", "secrets", "rotate"}, args),
		Stdout: &out, Stderr: &out})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		b.t.Fatalf("a rotation on %s failed before it was killed: %v\n%s", host, err, &out)
	}
	b.t.Logf("rotation on %s: killed after %v, finished before: %v", host, after.Round(time.Millisecond), err == nil)
}
