package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
)

// TestInstallRefusesAContradictingClusterFile installs an exchange into a tree, and then again with files that differ.
func TestInstallRefusesAContradictingClusterFile(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	cluster := mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.0.2",
		"--exchange", "192.168.0.88")
	install := func(cluster string, args ...string) (stdout, stderr string, code int) {
		t.Helper()
		return runCLI(t, root, cluster, append([]string{"install", "--payload", appliance, "--config", "-",
			"--ip", "192.168.0.88"}, args...)...)
	}
	routes := filepath.Join(root, "data/projects/fate/eggroll/conf/route_table.json")
	table := func() string {
		t.Helper()
		data, err := os.ReadFile(routes)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if _, stderr, code := install(cluster); code != exit.OK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if _, stderr, code := install(cluster); code != exit.OK {
		t.Errorf("the same file again: exit code %d: %s", code, stderr)
	}
	moved := strings.ReplaceAll(cluster, "192.168.0.2\n", "192.168.9.9\n")
	before := table()
	_, stderr, code := install(moved)
	if code != exit.Usage || !strings.Contains(stderr,
		"party 9999 is routed to 192.168.0.2:9370 in plain here, and to 192.168.9.9:9370") ||
		!strings.Contains(stderr, "--change-cluster") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if table() != before {
		t.Error("the route table was changed by a run that was refused")
	}
	if stdout, stderr, code := install(moved, "--change-cluster"); code != exit.OK ||
		!strings.Contains(stdout, "it is changed") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if !strings.Contains(table(), "192.168.9.9") {
		t.Errorf("the route table is not changed:\n%s", table())
	}
}

// TestUpgradeRefusesAContradictingClusterFile: an upgrade replaces the release. It says where the file that is given
// differs from the installed one, and takes one that only adds to it.
func TestUpgradeRefusesAContradictingClusterFile(t *testing.T) {
	root := machine(t)
	old, next := applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.2"}),
		applianceOf(t, map[string]string{"jdk": "8u400", "eggroll": "2.5.3"})
	cluster := mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.0.2",
		"--exchange", "192.168.0.88")
	if _, stderr, code := runCLI(t, root, cluster, "install", "--payload", old, "--config", "-",
		"--ip", "192.168.0.88"); code != exit.OK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	moved := strings.ReplaceAll(cluster, "192.168.0.2\n", "192.168.9.9\n")
	stdout, stderr, code := runCLI(t, root, moved, "upgrade", "--payload", next, "--config", "-")
	if code != exit.Usage || stdout != "" || !strings.Contains(stderr,
		"party 9999 is routed to 192.168.0.2:9370 in plain here, and to 192.168.9.9:9370") ||
		!strings.Contains(stderr, "upgrade without --config") {
		t.Errorf("exit code %d, stdout %q: %s", code, stdout, stderr)
	}
	stdout, stderr, code = runCLI(t, root, "# a comment\n"+cluster, "upgrade", "--payload", next, "--config", "-")
	if code != exit.OK || !strings.Contains(stdout, "contradicts it in nothing") {
		t.Errorf("a file that contradicts nothing: exit code %d: %s%s", code, stdout, stderr)
	}
	if _, stderr, code := runCLI(t, root, moved, "rollback", "--config", "-"); code != exit.Usage ||
		!strings.Contains(stderr, "run it without --config") {
		t.Errorf("rollback: exit code %d: %s", code, stderr)
	}
}
