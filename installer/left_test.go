package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
)

// put writes a file below a root, with its directories.
func put(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPurgeAfterUndo: what a supervisor writes into its run directory after the step that made it was undone, as that
// of a failed installation does on its way out, goes with the data. What is another's stays.
func TestPurgeAfterUndo(t *testing.T) {
	appliance := smallAppliance(t)
	const run = "data/projects/common/supervisord/run/"
	for _, others := range []bool{false, true} {
		root := machine(t)
		mustRunCLI(t, root, "", "--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88")
		mustRunCLI(t, root, "", "uninstall", "--yes")
		put(t, root, run+"supervisord.lock", "")
		put(t, root, run+"state/fate-rollsite.json", "{}")
		if others {
			put(t, root, run+"other", "of another program")
		}
		out := mustRunCLI(t, root, "", "uninstall", "--purge-data", "--yes")
		if !others && !strings.Contains(out, ", 0 left") {
			t.Errorf("uninstall, others %v:\n%s", others, out)
		}
		if _, err := os.Stat(filepath.Join(root, "data/projects/common")); (err == nil) != others {
			t.Errorf("others %v: %v\n%s", others, err, out)
		}
	}
}

// TestUninstallNamesTheMetricsFile: the administrator's file that opens a port for metrics is named when it is left,
// and goes with the data, as the passwords do.
func TestUninstallNamesTheMetricsFile(t *testing.T) {
	root := machine(t)
	const file = "data/projects/common/supervisord/supervisord.d/metrics.conf"
	mustRunCLI(t, root, "", "--payload", smallAppliance(t), "--role", "exchange", "--ip", "192.168.0.88")
	put(t, root, file, "[metrics_http_server]\nport=127.0.0.1:9180\nusername=p\npassword=p\n")
	if out := mustRunCLI(t, root, "", "uninstall", "--yes"); !strings.Contains(out, "/"+file+" is left") {
		t.Errorf("it is not named:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		t.Error(err)
	}
	out := mustRunCLI(t, root, "", "uninstall", "--purge-data", "--yes")
	if _, err := os.Stat(filepath.Join(root, "data/projects/common")); err == nil || strings.Contains(out, "is left") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInstallTakesUpWhatUninstallKept: edited files that an uninstall leaves do not keep a new install from working,
// need no flag, and are not called repaired. A tree of another origin in the same place is refused.
func TestInstallTakesUpWhatUninstallKept(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	install := []string{"--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88"}
	mustRunCLI(t, root, "", install...)
	edited := []string{"data/projects/fate/eggroll/conf/eggroll.properties",
		"data/projects/common/supervisord/supervisord.d/fate-rollsite.conf"}
	want := map[string]string{}
	for _, name := range edited {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		want[name] = string(text) + "# edited\n"
		put(t, root, name, want[name])
	}
	out := mustRunCLI(t, root, "", "uninstall", "--yes")
	for _, name := range edited {
		if text, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(text) != want[name] {
			t.Errorf("uninstall: %s: %v\n%s", name, err, out)
		}
	}
	out = mustRunCLI(t, root, "", append([]string{"check", "--all"}, install...)...)
	if !strings.Contains(out, "files of ours, which are kept, in /data/projects/fate/eggroll") ||
		!strings.Contains(out, "fate-rollsite.conf, edited and kept") {
		t.Errorf("check does not say what is kept:\n%s", out)
	}
	out = mustRunCLI(t, root, "", install...)
	if strings.Contains(out, "repaired") || !strings.Contains(out, "is kept as edited") {
		t.Errorf("the second install:\n%s", out)
	}
	if text, err := os.ReadFile(filepath.Join(root, edited[0])); err != nil || string(text) != want[edited[0]] {
		t.Errorf("the edit is gone: %v\n%s", err, text)
	}
	mustRunCLI(t, root, "", "uninstall", "--yes")
	put(t, root, "data/projects/fate/eggroll/lib/of-another.jar", "x")
	if out, stderr, code := runCLI(t, root, "", install...); code != exit.Preflight ||
		!strings.Contains(out, "/data/projects/fate/eggroll") {
		t.Errorf("a tree of another origin: exit code %d\n%s%s", code, out, stderr)
	}
}
