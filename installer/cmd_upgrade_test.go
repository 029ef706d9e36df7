package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
)

// TestUpgradeAndBack upgrades an exchange in a tree, rolls it back, and forth again: each time the components, the
// settings and what is remembered are those of the version, an edited file stays edited, and nothing piles up.
func TestUpgradeAndBack(t *testing.T) {
	root := machine(t)
	old, next := applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.2"}),
		applianceOf(t, map[string]string{"jdk": "8u400", "eggroll": "2.5.3"})
	run := func(args ...string) (stdout, stderr string, code int) {
		t.Helper()
		return runCLI(t, root, "", args...)
	}
	good := func(args ...string) string {
		t.Helper()
		out, stderr, code := run(args...)
		if code != exit.OK {
			t.Fatalf("%v: exit code %d\n%s%s", args, code, out, stderr)
		}
		return out
	}
	if _, stderr, code := run("upgrade", "--payload", next); code != exit.Usage ||
		!strings.Contains(stderr, "nothing is installed") {
		t.Errorf("before an install: exit code %d\n%s", code, stderr)
	}
	good("--payload", old, "--role", "exchange", "--ip", "192.168.0.88")
	if _, stderr, code := run("rollback"); code != exit.Usage ||
		!strings.Contains(stderr, "there is no upgrade to roll back") {
		t.Errorf("rollback without an upgrade: exit code %d\n%s", code, stderr)
	}
	eggroll := filepath.Join(root, "data/projects/fate/eggroll")
	routes := filepath.Join(eggroll, "conf/route_table.json")
	edited := []byte("{\"edited\": true}\n")
	if err := os.WriteFile(routes, edited, 0o644); err != nil {
		t.Fatal(err)
	}
	check := func(when, version, jdk string) {
		t.Helper()
		have, err1 := os.ReadFile(filepath.Join(eggroll, "README"))
		kept, err2 := os.ReadFile(routes)
		site, err3 := os.ReadFile(filepath.Join(root, "data/projects/common/fate-installer/site.json"))
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		if string(have) != version || !strings.Contains(string(site), `"`+version+`"`) ||
			!strings.Contains(string(site), `"`+jdk+`"`) {
			t.Errorf("%s: eggroll %s, site %s", when, have, site)
		}
		if string(kept) != string(edited) {
			t.Errorf("%s: the edited file is now %s", when, kept)
		}
		java := filepath.Join(root, "data/projects/fate/common/jdk/jdk-"+jdk, "README")
		if text, err := os.ReadFile(java); err != nil || string(text) != jdk {
			t.Errorf("%s: jdk %q, %v", when, text, err)
		}
		if out := good("plan"); onlyTheProgram(out) != nil {
			t.Errorf("%s: something is left to do:\n%s", when, out)
		}
		if slots, err := os.ReadDir(filepath.Join(root, "data/projects/common/fate-installer/slots")); err != nil ||
			len(slots) != 1 {
			t.Errorf("%s: slots %v, %v", when, slots, err)
		}
	}
	if out := good("upgrade", "--payload", next); !strings.Contains(out, "2.5.2 -> 2.5.3") {
		t.Errorf("upgrade does not say what changes:\n%s", out)
	}
	check("after the upgrade", "2.5.3", "8u400")
	if out := good("upgrade", "--payload", next); !strings.Contains(out, "nothing to do") {
		t.Errorf("the second upgrade:\n%s", out)
	}
	check("after the second upgrade", "2.5.3", "8u400")
	if _, stderr, code := run("upgrade", "--payload", old); code != exit.Usage ||
		!strings.Contains(stderr, "fate-installer rollback") {
		t.Errorf("downgrade: exit code %d\n%s", code, stderr)
	}
	good("rollback")
	check("after the rollback", "2.5.2", "8u345")
	good("rollback")
	check("after the second rollback", "2.5.3", "8u400")
	good("uninstall")
	for _, gone := range []string{eggroll + "/README", filepath.Join(root, "data/projects/fate/common/jdk"),
		filepath.Join(root, "data/projects/common/fate-installer/slots")} {
		if _, err := os.Stat(gone); err == nil {
			t.Errorf("uninstall left %s", gone)
		}
	}
}

// onlyTheProgram wants a plan that changes nothing but the installed program: this test is another one.
func onlyTheProgram(plan string) error {
	for line := range strings.Lines(plan) {
		if (strings.HasPrefix(line, "  + ") || strings.HasPrefix(line, "  ~ ")) &&
			!strings.Contains(line, "/usr/local/bin/fate-installer") {
			return errors.New(line)
		}
	}
	return nil
}

// TestFailedUpgradeIsUndone: what was installed is installed again, and no slot of the attempt stays.
func TestFailedUpgradeIsUndone(t *testing.T) {
	root := machine(t)
	old, next := applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.2"}),
		applianceOf(t, map[string]string{"jdk": "8u400", "eggroll": "2.5.3"})
	if _, stderr, code := runCLI(t, root, "", "--payload", old, "--role", "exchange",
		"--ip", "192.168.0.88"); code != exit.OK {
		t.Fatal(stderr)
	}
	blocked := filepath.Join(root, "data/projects/fate/common/jdk/jdk-8u400/foreign")
	if err := errors.Join(os.MkdirAll(filepath.Dir(blocked), 0o755), os.WriteFile(blocked, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	out, stderr, code := runCLI(t, root, "", "upgrade", "--payload", next)
	if code != exit.Step {
		t.Fatalf("exit code %d\n%s%s", code, out, stderr)
	}
	have, err := os.ReadFile(filepath.Join(root, "data/projects/fate/eggroll/README"))
	if err != nil || string(have) != "2.5.2" {
		t.Errorf("eggroll %s, %v", have, err)
	}
	if _, err := os.Stat(filepath.Join(root, "data/projects/common/fate-installer/slots")); err == nil {
		t.Error("the slot of the failed upgrade is still there")
	}
	if out, stderr, code := runCLI(t, root, "", "plan"); code != exit.OK || onlyTheProgram(out) != nil {
		t.Errorf("plan afterwards: exit code %d\n%s%s", code, out, stderr)
	}
}

// TestHelpHasTheExitCodeOfAFailedTest: a replacement that failed only in its test ends with 8.
func TestHelpHasTheExitCodeOfAFailedTest(t *testing.T) {
	if !strings.Contains(replaceExitHelp, "\n  8    ") {
		t.Errorf("exit code 8 is in no help:\n%s", replaceExitHelp)
	}
}
