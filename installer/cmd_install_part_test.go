package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/exit"
)

// TestModesOnATree: config needs what install unpacked, both together make what deploy makes, and uninstall takes
// it all away.
func TestModesOnATree(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	install := func(args ...string) (stdout, stderr string, code int) {
		t.Helper()
		return runCLI(t, root, "",
			append([]string{"--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88"}, args...)...)
	}
	if _, stderr, code := install("--mode", "config"); code != exit.Preflight ||
		!strings.Contains(stderr, "eggroll 2.5.3: it is not installed") ||
		!strings.Contains(stderr, "--mode install first") {
		t.Errorf("config before install: exit code %d\n%s", code, stderr)
	}
	out, stderr, code := install("--mode", "install")
	if code != exit.OK || !strings.Contains(out, "--mode config") {
		t.Fatalf("install: exit code %d\n%s%s", code, out, stderr)
	}
	properties := filepath.Join(root, "data/projects/fate/eggroll/conf/eggroll.properties")
	if _, err := os.Stat(properties); err == nil {
		t.Error("mode install writes configuration")
	}
	if out, stderr, code := install("--mode", "config"); code != exit.OK {
		t.Fatalf("config: exit code %d\n%s%s", code, out, stderr)
	}
	if _, err := os.Stat(properties); err != nil {
		t.Error(err)
	}
	if out, stderr, code := install(); code != exit.OK || !strings.Contains(out, "nothing to do") {
		t.Errorf("deploy after both: exit code %d\n%s%s", code, out, stderr)
	}
	for _, args := range [][]string{{"--mode", "half"}, {"--only", "mysql"}, {"--only", "flow"}, {"--skip-os=swop"}} {
		if _, stderr, code := install(args...); code != exit.Usage {
			t.Errorf("%v: exit code %d\n%s", args, code, stderr)
		}
	}
}

// TestSkipOSIsRemembered: what the operator wants left alone stays so in later runs, until it is taken back.
func TestSkipOSIsRemembered(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	limits := filepath.Join(root, "etc/security/limits.d/90-fate.conf")
	for i, tt := range []struct {
		args []string
		want bool
	}{{[]string{"--skip-os"}, false}, {nil, false}, {[]string{"--skip-os=none"}, true}} {
		args := slices.Concat([]string{"--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88"}, tt.args)
		if out, stderr, code := runCLI(t, root, "", args...); code != exit.OK {
			t.Fatalf("run %d: exit code %d\n%s%s", i, code, out, stderr)
		}
		if _, err := os.Stat(limits); (err == nil) != tt.want {
			t.Errorf("run %d with %v: limits are set: %v", i, tt.args, err == nil)
		}
	}
}

// TestFailedRunIsUndone: the report of the undo does not blame anybody for directories that hold data and logs.
func TestFailedRunIsUndone(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	foreign := filepath.Join(root, "data/projects/common/supervisord/service.sh/precious")
	if err := errors.Join(os.MkdirAll(filepath.Dir(foreign), 0o755),
		os.WriteFile(foreign, []byte("mine"), 0o644)); err != nil {
		t.Fatal(err)
	}
	out, stderr, code := runCLI(t, root, "", "--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88")
	if code != exit.Step || !strings.Contains(stderr, "neither a file nor a link") {
		t.Fatalf("exit code %d\n%s%s", code, out, stderr)
	}
	if !strings.Contains(out, "0 left for the reasons given") {
		t.Errorf("the report of the undo:\n%s", out)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
}

func TestCheckPrintsJUnit(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	out, stderr, code := runCLI(t, root, "", "check", "--payload", appliance, "--role", "exchange", "--ip",
		"192.168.0.88", "-o", "junit")
	if code != exit.OK || !strings.HasPrefix(out, "<?xml") ||
		!strings.Contains(out,
			`<testcase classname="preflight.port" name="port:9370: port 9370 is free for rollsite">`) {
		t.Errorf("exit code %d\n%s%s", code, out, stderr)
	}
	if _, stderr, code := runCLI(t, root, "", "plan", "-o", "junit"); code != exit.Usage {
		t.Errorf("plan -o junit: exit code %d\n%s", code, stderr)
	}
}
