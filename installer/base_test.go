package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
)

// TestClusterFileSaysWhereAndAsWhom installs with a cluster file that names base directory, user and group, and
// without the flags for them: that the flags have defaults is no contradiction.
func TestClusterFileSaysWhereAndAsWhom(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	cluster := "base: /srv/x\nsupervisord: {service: {owner: fate, group: fates}}\n" +
		mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1", "--exchange", "192.168.0.88")
	install := []string{"install", "--payload", appliance, "--config", "-", "--ip", "192.168.0.88"}
	out, stderr, code := runCLI(t, root, cluster, "check", "--payload", appliance, "--config", "-", "--ip",
		"192.168.0.88", "--all")
	if code != exit.OK && code != exit.Preflight || strings.Contains(out+stderr, "/data") {
		t.Errorf("check: exit %d\n%s%s", code, out, stderr)
	}
	if out, stderr, code := runCLI(t, root, cluster, install...); code != exit.OK {
		t.Fatalf("exit %d\n%s%s", code, out, stderr)
	}
	if _, err := os.Stat(filepath.Join(root, "srv/x/projects/common/fate-installer/site.json")); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(filepath.Join(root, "data")); err == nil {
		t.Errorf("/data was made: %v", entries)
	}
	for _, tt := range []struct {
		args []string
		want string // of the error, when there is to be one
	}{
		{install, ""},
		{[]string{"plan", "--payload", appliance, "--base", "/srv/x"}, ""},
		{append([]string{"--base", "/srv/x"}, install...), ""},
		{append([]string{"--base", "/data"}, install...), "the cluster file says /srv/x, and --base is /data"},
		{append([]string{"--user", "app"}, install...), "the cluster file says fate, and --user is app"},
		{[]string{"render", "--fate-version", "1.11.4", "--config", "-", "--ip", "192.168.0.88", "--diff"}, ""},
		{[]string{"config", "check", "--config", "-"}, ""},
		{[]string{"uninstall", "--verify", "--config", "-"}, ""},
	} {
		stdout, stderr, code := runCLI(t, root, cluster, tt.args...)
		if tt.want == "" && code == exit.Usage || tt.want != "" && (code != exit.Usage || !strings.Contains(stderr,
			tt.want)) {
			t.Errorf("%v: exit %d, want %q\n%s%s", tt.args, code, tt.want, stdout, stderr)
		}
	}
	if _, stderr, code := runCLI(t, root, strings.Replace(cluster, "owner: fate", "owner: other", 1),
		install...); code != exit.Usage ||
		!strings.Contains(stderr, "the programs run as user fate here, and are to run as other") {
		t.Errorf("another user: exit %d\n%s", code, stderr)
	}
}
