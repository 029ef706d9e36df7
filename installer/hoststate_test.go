package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
)

// runKilled runs a command whose changes of the host are refused from the n-th on: the host is then as a kill at that
// moment leaves it. It returns whether the command came that far.
func runKilled(t *testing.T, root string, n int, args ...string) (cut bool) {
	t.Helper()
	var mu sync.Mutex // steps run at the same time
	var out bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	g.opened = func(h *host.Host) {
		h.InjectFaults(t, func(host.Op, string) error {
			mu.Lock()
			defer mu.Unlock()
			if n--; n < 0 {
				cut = true
				return errors.New("killed")
			}
			return nil
		})
	}
	code := execute(context.Background(), g, append([]string{"--root", root}, args...))
	return cut && code != exit.OK
}

// storedState is the state of the host in a tree.
func storedState(t *testing.T, root string) state.State {
	t.Helper()
	h, err := host.New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	s, err := deploy.LoadState(h, (&globals{Base: "/data"}).layout())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// eggrollOf is the version of eggroll that is installed in a tree.
func eggrollOf(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "data/projects/fate/eggroll/README"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	olderVersions = map[string]string{"jdk": "8u345", "eggroll": "2.5.2"}
	newerVersions = map[string]string{"jdk": "8u400", "eggroll": "2.5.3"}
)

// copyOfTree copies a tree with modes, which os.CopyFS does not.
func copyOfTree(t *testing.T, root string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "tree")
	if out, err := exec.Command("cp", "-a", root, copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return copied
}

// upgradedExchange is a tree in which an exchange was upgraded.
func upgradedExchange(t *testing.T) (root, older, newer string) {
	t.Helper()
	root, older, newer = machine(t), applianceOf(t, olderVersions), applianceOf(t, newerVersions)
	mustRunCLI(t, root, "", "--payload", older, "--role", "exchange", "--ip", "192.168.0.88")
	mustRunCLI(t, root, "", "upgrade", "--payload", newer)
	return root, older, newer
}

// TestKilledRollbackGoesBack: a rollback that was killed at any moment and is repeated leads to the versions of before
// the upgrade, and so does a second one. Upgrade and install are refused in between.
func TestKilledRollbackGoesBack(t *testing.T) {
	root, _, newer := upgradedExchange(t)
	for n := 0; ; n += 29 {
		copied := copyOfTree(t, root)
		cut := runKilled(t, copied, n, "rollback")
		if s := storedState(t, copied); s.Phase == state.RollingBack {
			for _, args := range [][]string{{"upgrade", "--payload", newer}, {"install"},
				{"secrets", "rotate", "all"}} {
				_, stderr, code := runCLI(t, copied, "", args...)
				if code != exit.Contradicts || !strings.Contains(stderr, "a rollback to FATE 1.11.4 was interrupted") ||
					!strings.Contains(stderr, " rollback") {
					t.Fatalf("%q after change %d: exit code %d\n%s", args, n, code, stderr)
				}
			}
		}
		if cut {
			mustRunCLI(t, copied, "", "rollback")
		}
		if have := eggrollOf(t, copied); have != "2.5.2" {
			t.Fatalf("killed at change %d, and repeated: eggroll %s", n, have)
		}
		s := storedState(t, copied)
		if s.Interrupted() || s.Slot == "" || s.Release.Components["eggroll"].Version != "2.5.2" {
			t.Fatalf("killed at change %d, and repeated: %+v", n, s)
		}
		if !cut {
			return
		}
		if err := os.RemoveAll(copied); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInterruptedUpgradeIsTakenBack: rollback takes back an upgrade that was killed, at any moment, and what was the
// way back before is the way back again.
func TestInterruptedUpgradeIsTakenBack(t *testing.T) {
	root, older, newer := machine(t), applianceOf(t, olderVersions), applianceOf(t, newerVersions)
	mustRunCLI(t, root, "", "--payload", older, "--role", "exchange", "--ip", "192.168.0.88")
	taken := 0
	for n := 0; ; n += 37 {
		copied := copyOfTree(t, root)
		cut := runKilled(t, copied, n, "upgrade", "--payload", newer)
		if storedState(t, copied).Phase == state.Upgrading {
			mustRunCLI(t, copied, "", "rollback")
			taken++
			if have, s := eggrollOf(t, copied), storedState(t, copied); have != "2.5.2" || s.Phase != state.Installed ||
				s.Slot != "" {
				t.Fatalf("killed at change %d, and taken back: eggroll %s, %+v", n, have, s)
			}
			if out := mustRunCLI(t, copied, "", "plan"); onlyTheProgram(out) != nil {
				t.Fatalf("killed at change %d, and taken back:\n%s", n, out)
			}
			slots, err := os.ReadDir(filepath.Join(copied, stateDir, "slots"))
			if err == nil && len(slots) > 0 {
				t.Fatalf("killed at change %d, and taken back: slots %v", n, slots)
			}
		}
		if err := os.RemoveAll(copied); err != nil {
			t.Fatal(err)
		}
		if !cut {
			break
		}
	}
	if taken < 3 {
		t.Errorf("taken back only %d times", taken)
	}
}

// TestInstallReplacesNothing: an install of another appliance, newer, older, or with other bytes under the same
// version, is refused and names upgrade, or what upgrade says of it. plan says so, too.
func TestInstallReplacesNothing(t *testing.T) {
	root, installed := machine(t), applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.2"})
	mustRunCLI(t, root, "", "--payload", installed, "--role", "exchange", "--ip", "192.168.0.88")
	for name, c := range map[string]struct {
		appliance string
		want      []string
	}{
		"newer": {applianceOf(t, newerVersions), []string{"would replace what is installed",
			"eggroll 2.5.2 by 2.5.3", " upgrade"}},
		"older": {applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.4.1"}),
			[]string{"cannot upgrade eggroll from 2.5.2 to the older 2.4.1", "rollback"}},
		"other bytes": {applianceWith(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.2"}, "changed"),
			[]string{"eggroll 2.5.2 by another build of the same version", " upgrade"}},
	} {
		for _, args := range [][]string{{"install"}, {"install", "--only", "rollsite"},
			{"--role", "exchange", "--ip", "192.168.0.88"}} {
			_, stderr, code := runCLI(t, root, "", append([]string{"--payload", c.appliance}, args...)...)
			for _, want := range c.want {
				if code != exit.Usage || !strings.Contains(stderr, want) {
					t.Errorf("%s, %q: exit code %d, no %q in\n%s", name, args, code, want, stderr)
				}
			}
		}
		out := mustRunCLI(t, root, "", "plan", "--payload", c.appliance)
		if !strings.Contains(out, "upgrade") {
			t.Errorf("%s: plan does not say upgrade:\n%s", name, out)
		}
	}
	if have := eggrollOf(t, root); have != "2.5.2" {
		t.Errorf("eggroll %s", have)
	}
}

// TestInterruptedInstallIsCompletedByItsAppliance: another appliance, or another side, cannot complete a first
// installation; its own can, and an uninstall removes it.
func TestInterruptedInstallIsCompletedByItsAppliance(t *testing.T) {
	root, own, other := machine(t), applianceOf(t, olderVersions), applianceOf(t, newerVersions)
	install := []string{"--role", "exchange", "--ip", "192.168.0.88"}
	if !runKilled(t, root, 150, append([]string{"--payload", own}, install...)...) {
		t.Fatal("it was not killed")
	}
	for _, args := range [][]string{
		append([]string{"--payload", other}, install...),
		{"--payload", own, "--role", "host", "--party", "10000", "--ip", "192.168.0.88"},
	} {
		_, stderr, code := runCLI(t, root, "", args...)
		if code != exit.Usage {
			t.Errorf("%q: exit code %d\n%s", args, code, stderr)
		}
	}
	if _, stderr, code := runCLI(t, root, "", "upgrade", "--payload", other); code != exit.Contradicts {
		t.Errorf("upgrade: exit code %d\n%s", code, stderr)
	}
	mustRunCLI(t, root, "", append([]string{"--payload", own}, install...)...)
	if have := eggrollOf(t, root); have != "2.5.2" {
		t.Errorf("eggroll %s", have)
	}
}

// TestStateOfAFormerRelease: a host whose state was never stored is upgraded and rolled back as before.
func TestStateOfAFormerRelease(t *testing.T) {
	root, _, newer := upgradedExchange(t)
	file := filepath.Join(root, stateDir, state.FileName)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if s := storedState(t, root); s.Phase != state.Installed || s.Slot == "" ||
		s.Release.Components["eggroll"].Version != "2.5.3" {
		t.Fatalf("%+v", s)
	}
	mustRunCLI(t, root, "", "rollback")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	mustRunCLI(t, root, "", "upgrade", "--payload", newer)
	if have := eggrollOf(t, root); have != "2.5.3" {
		t.Errorf("eggroll %s", have)
	}
}

// TestInterruptedStateIsShown: plan, check and svc status say what was interrupted and what completes it.
func TestInterruptedStateIsShown(t *testing.T) {
	root, _, _ := upgradedExchange(t)
	if !runKilled(t, root, 100, "rollback") {
		t.Fatal("it was not killed")
	}
	for _, verb := range []string{"plan", "check"} {
		out, stderr, _ := runCLI(t, root, "", verb)
		if !strings.Contains(out, "a rollback to FATE 1.11.4 was interrupted") ||
			!strings.Contains(out, "complete it: ") {
			t.Errorf("%s:\n%s%s", verb, out, stderr)
		}
	}
	var errs bytes.Buffer
	g := &globals{Root: root, Base: deploy.StandardBase, Stdout: io.Discard, Stderr: &errs}
	if _, interrupted := g.warnInterrupted(); interrupted == "" || // as svc status does
		!strings.Contains(errs.String(), "a rollback to FATE 1.11.4 was interrupted") {
		t.Errorf("%q\n%s", interrupted, errs.String())
	}
}

// serverFile stands for the database: its content says which server wrote it last.
const (
	serverFile = "data/projects/data/fate/mysql/ibdata1"
	serverMark = "data/projects/data/fate/mysql/fate-installer.json" // says that the files are a database of ours
)

// TestKilledRollbackBringsTheDatabase: a rollback that is killed at any moment and repeated brings the database of
// before back and keeps the newer one, for a second rollback; an uninstall in between leaves a database in place.
func TestKilledRollbackBringsTheDatabase(t *testing.T) {
	root, appliance, _ := partyTree(t)
	newer := applianceOf(t, map[string]string{
		"jdk": "8u345", "eggroll": "2.5.3", "mysql": "8.0.36", "python": "3.8.13", "fate": "1.11.4",
		"fateflow": "1.11.2", "fateboard": "1.11.2",
	})
	put(t, root, serverFile, "8.0.28")
	put(t, root, serverMark, "{}")
	mustRunCLI(t, root, "", "upgrade", "--payload", newer)
	put(t, root, serverFile, "8.0.36")
	database := func(root string) string {
		text, err := os.ReadFile(filepath.Join(root, serverFile))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	swaps, halves := 0, 0
	for n := 0; ; n++ {
		copied := copyOfTree(t, root)
		cut := runKilled(t, copied, n, "rollback", "--yes", "--payload", appliance)
		_, err := os.Stat(filepath.Join(copied, filepath.Dir(serverFile)))
		half, interrupted := err != nil, storedState(t, copied).Phase == state.RollingBack
		if half {
			halves++
			other := copyOfTree(t, copied)
			mustRunCLI(t, other, "", "uninstall", "--yes")
			if have := database(other); have != "8.0.28" {
				t.Errorf("killed at change %d, and uninstalled: the database is that of %s", n, have)
			}
		}
		if interrupted && (half || n%6 == 0) {
			swaps++
			mustRunCLI(t, copied, "", "rollback", "--yes", "--payload", appliance)
			if have := database(copied); have != "8.0.28" {
				t.Fatalf("killed at change %d, and repeated: the database is that of %s", n, have)
			}
			mustRunCLI(t, copied, "", "rollback", "--yes", "--payload", newer)
			if have := database(copied); have != "8.0.36" {
				t.Fatalf("killed at change %d, and forward again: the database is that of %s", n, have)
			}
		}
		if err := os.RemoveAll(copied); err != nil {
			t.Fatal(err)
		}
		if !cut || halves > 0 && !half && swaps > 2 {
			break
		}
	}
	if halves == 0 {
		t.Error("no kill came between the two renames of the exchange")
	}
	t.Logf("%d rollbacks were killed, %d of them between the two renames", swaps, halves)
}

// TestFailedRemovalLeavesNoDirectory: where the removal of one file failed, the directory that was made for it and
// others is removed by the next uninstall.
func TestFailedRemovalLeavesNoDirectory(t *testing.T) {
	root := machine(t)
	mustRunCLI(t, root, "", "--payload", applianceOf(t, olderVersions), "--role", "exchange", "--ip", "192.168.0.88")
	const file = "/etc/sysctl.d/90-fate-net-ipv4-tcp_keepalive_probes.conf"
	var out bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	g.opened = func(h *host.Host) {
		h.InjectFaults(t, func(op host.Op, abs string) error {
			if op == host.OpRemove && abs == file {
				return errors.New("failed")
			}
			return nil
		})
	}
	if code := execute(context.Background(), g, []string{"--root", root, "uninstall", "--yes"}); code != exit.Step {
		t.Fatalf("exit code %d\n%s", code, &out)
	}
	mustRunCLI(t, root, "", "uninstall", "--yes")
	if _, err := os.Stat(filepath.Join(root, "etc/sysctl.d")); err == nil {
		t.Errorf("/etc/sysctl.d is still there\n%s", &out)
	}
}
