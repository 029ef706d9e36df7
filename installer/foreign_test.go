package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/deploy"
)

const eggrollDir = "data/projects/fate/eggroll/"

// textIs reports a file whose content is another one.
func textIs(t *testing.T, root, name, want string) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != want {
		t.Errorf("%s: %q, want %q: %v", name, got, want, err)
	}
}

// TestRepairNextToAVolume: one missing file of a component comes back although a volume is mounted in its tree, and the
// volume and what an operator added are as they were.
func TestRepairNextToAVolume(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	root, appliance := machine(t), smallAppliance(t)
	install := []string{"--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88"}
	mustRunCLI(t, root, "", install...)
	mountAt(t, filepath.Join(root, eggrollDir, "volume"), true)
	put(t, root, eggrollDir+"volume/precious", "rows")
	put(t, root, eggrollDir+"conf/whitelist.json", "{}")
	readme, err := os.ReadFile(filepath.Join(root, eggrollDir, "README"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, eggrollDir, "README")); err != nil {
		t.Fatal(err)
	}
	out := mustRunCLI(t, root, "", install...)
	textIs(t, root, eggrollDir+"README", string(readme))
	textIs(t, root, eggrollDir+"volume/precious", "rows")
	textIs(t, root, eggrollDir+"conf/whitelist.json", "{}")
	if !strings.Contains(out, "kept, not from the appliance: conf/whitelist.json") ||
		!strings.Contains(out, "a mount point or a link: volume") {
		t.Errorf("what was kept is not reported:\n%s", out)
	}
	if err := syscall.Unmount(filepath.Join(root, eggrollDir, "volume"), 0); err != nil {
		t.Fatal(err)
	}
}

// TestForeignFilesMoveAlong: what an operator added to a component's tree is there after an upgrade, after the rollback
// of it and after a second one, with its mode, and the report names it.
func TestForeignFilesMoveAlong(t *testing.T) {
	root := machine(t)
	older, newer := smallAppliance(t), applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.4"})
	mustRunCLI(t, root, "", "--payload", older, "--role", "exchange", "--ip", "192.168.0.88")
	put(t, root, eggrollDir+"python/plugins/mine.py", "mine")
	put(t, root, eggrollDir+"conf/whitelist.json", "{}")
	if err := os.Chmod(filepath.Join(root, eggrollDir, "conf/whitelist.json"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--payload", newer, "upgrade"}, {"rollback"}, {"rollback"}} {
		var report struct {
			Trees []deploy.Tree `json:"component_trees"`
		}
		out := mustRunCLI(t, root, "", append(args, "-o", "json")...)
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if len(report.Trees) != 1 || !slices.Equal(report.Trees[0].Foreign,
			[]string{"conf/whitelist.json", "python/"}) {
			t.Errorf("%v: %+v", args, report.Trees)
		}
		textIs(t, root, eggrollDir+"python/plugins/mine.py", "mine")
		if fi, err := os.Stat(filepath.Join(root, eggrollDir, "conf/whitelist.json")); err != nil ||
			fi.Mode().Perm() != 0o640 {
			t.Errorf("%v: %v, %v", args, fi, err)
		}
	}
}

// TestChangedFileIsNoFaultWithoutTheAppliance: the installed program, which carries no components, tells what was
// changed and goes on.
func TestChangedFileIsNoFaultWithoutTheAppliance(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	install := []string{"install", "--role", "exchange", "--ip", "192.168.0.88"}
	mustRunCLI(t, root, "", append([]string{"--payload", appliance}, install...)...)
	put(t, root, eggrollDir+"README", "a fix")
	out := mustRunCLI(t, root, "", install...)
	if !strings.Contains(out, "changed, and put back by the appliance's own file: README") {
		t.Errorf("the change is not reported:\n%s", out)
	}
	textIs(t, root, eggrollDir+"README", "a fix")
	out = mustRunCLI(t, root, "", append([]string{"--payload", appliance}, install...)...)
	if found, err := filepath.Glob(filepath.Join(root, eggrollDir, ".fate-replaced/*/README")); err != nil ||
		len(found) != 1 {
		t.Errorf("the change is not kept aside: %v, %v\n%s", found, err, out)
	}
}
