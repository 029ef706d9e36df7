package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"

	"github.com/google/go-cmp/cmp"
)

// installedTree is a tree with an exchange.
func installedTree(t *testing.T) (root string, install []string) {
	t.Helper()
	root, install = machine(t), []string{"--payload", smallAppliance(t), "--role", "exchange", "--ip", "192.168.0.88"}
	mustRunCLI(t, root, "", install...)
	return root, install
}

// TestVerifyLooksAtTheDisk: what remains is found with and without a journal, and ends the command with 3.
func TestVerifyLooksAtTheDisk(t *testing.T) {
	root, _ := installedTree(t)
	verify := func(when string, wanted ...string) {
		t.Helper()
		out, stderr, code := runCLI(t, root, "", "uninstall", "--verify", "-o", "json")
		var report struct {
			Remaining []engine.Remaining `json:"remaining"`
		}
		if err := json.Unmarshal([]byte(out), &report); err != nil || (code == exit.Preflight) != (len(wanted) > 0) ||
			code != exit.OK && code != exit.Preflight {
			t.Errorf("%s: exit code %d, %v\n%s%s", when, code, err, out, stderr)
		}
		for _, path := range wanted {
			if !strings.Contains(out, path) {
				t.Errorf("%s: no %s in\n%s", when, path, out)
			}
		}
		if len(wanted) == 0 && len(report.Remaining) > 0 {
			t.Errorf("%s: %+v", when, report.Remaining)
		}
	}
	verify("installed", "/data/projects/fate/eggroll", "/usr/local/bin/fate-installer")
	mustRunCLI(t, root, "", "uninstall")
	verify("uninstalled", "/data/projects/common/fate-installer/secrets.json")
	mustRunCLI(t, root, "", "uninstall", "--purge-data", "--yes")
	verify("purged")
	for _, name := range []string{"data/projects/common/supervisord/run/supervisord.lock",
		"data/projects/data/fate/mysql/ibdata1", "etc/systemd/system/fate-supervisor.service"} {
		put(t, root, name, "")
	}
	verify("purged, and something is left", "/data/projects/common/supervisord", "/data/projects/data/fate",
		"/etc/systemd/system/fate-supervisor.service")
}

// TestUninstallDryRun changes nothing, and names what would go, what would stay, and what an operator added.
func TestUninstallDryRun(t *testing.T) {
	root, _ := installedTree(t)
	put(t, root, eggrollDir+"plugins/mine.py", "mine")
	before := treeOf(t, root)
	out := mustRunCLI(t, root, "", "uninstall", "--dry-run")
	for _, want := range []string{"would keep    passwords", "would remove  eggroll 2.5.3",
		"would keep    /data/projects/fate/eggroll/plugins/, which was added"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out = mustRunCLI(t, root, "", "uninstall", "--dry-run", "--purge-data")
	for _, want := range []string{"would remove  passwords",
		"would remove  /data/projects/fate/eggroll/plugins/, which was added"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var report deploy.Foreseen
	if err := json.Unmarshal([]byte(mustRunCLI(t, root, "", "uninstall", "--dry-run", "-o", "json")),
		&report); err != nil || len(report.Steps) == 0 || len(report.Trees) != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if diff := cmp.Diff(before, treeOf(t, root)); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
}

// TestPurgeKeepsTheJournalOfWhatIsLeft: a file that was there before the installation and that was edited since is
// left, and so is the journal that names it, until the file is gone.
func TestPurgeKeepsTheJournalOfWhatIsLeft(t *testing.T) {
	root := machine(t)
	const script, journal = "data/projects/common/supervisord/service.sh", "data/projects/common/fate-installer/journal"
	put(t, root, script, "of the operator")
	mustRunCLI(t, root, "", "--payload", smallAppliance(t), "--role", "exchange", "--ip", "192.168.0.88")
	put(t, root, script, "edited")
	out := mustRunCLI(t, root, "", "uninstall", "--purge-data", "--yes")
	textIs(t, root, script, "edited")
	if _, err := os.Stat(filepath.Join(root, journal)); err != nil ||
		!strings.Contains(out, "stays, since it names what is left") {
		t.Errorf("the journal is gone: %v\n%s", err, out)
	}
	if out, _, code := runCLI(t, root, "", "uninstall", "--verify"); code != exit.Preflight ||
		!strings.Contains(out, "/"+script) {
		t.Errorf("verify: %d\n%s", code, out)
	}
	if err := os.Remove(filepath.Join(root, script)); err != nil {
		t.Fatal(err)
	}
	out = mustRunCLI(t, root, "", "uninstall", "--purge-data", "--yes")
	if _, err := os.Stat(filepath.Join(root, journal)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal is still there: %v\n%s", err, out)
	}
}

// TestUninstallLeavesAProgramForThePurge: the command that the output names can be run.
func TestUninstallLeavesAProgramForThePurge(t *testing.T) {
	root, _ := installedTree(t)
	const later = "data/projects/common/fate-installer/fate-installer"
	out := mustRunCLI(t, root, "", "uninstall")
	fi, err := os.Stat(filepath.Join(root, later))
	if err != nil || fi.Mode().Perm() != 0o755 || !strings.Contains(out, "/"+later+" uninstall --purge-data --yes") {
		t.Errorf("%v, %v\n%s", fi, err, out)
	}
	if _, err := os.Stat(filepath.Join(root, "usr/local/bin/fate-installer")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the installed program: %v", err)
	}
	mustRunCLI(t, root, "", "uninstall", "--purge-data", "--yes")
	if _, err := os.Stat(filepath.Join(root, "data/projects/common")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the purge: %v", err)
	}
}

// TestUninstallClearsTemp removes the JVMs' directories in /tmp that are the service user's, and no links or
// directories of another user or with a process that runs.
func TestUninstallClearsTemp(t *testing.T) {
	for name, tt := range map[string]struct {
		owner string
		gone  bool
	}{
		"hsperfdata_app": {"app", true}, "tomcat.8080.4711": {"app", true}, "tomcat.8080.12": {"root", false},
		"tomcat.9999.1": {"app", false}, "hsperfdata_other": {"app", false},
	} {
		root, _ := installedTree(t)
		put(t, root, "tmp/"+name+"/123", "")
		if err := hostIn(t, root).Chown("/tmp/"+name, tt.owner, ""); err != nil {
			t.Fatal(err)
		}
		out := mustRunCLI(t, root, "", "uninstall")
		if _, err := os.Stat(filepath.Join(root, "tmp", name)); (err != nil) != tt.gone {
			t.Errorf("%s of %s: %v, want it gone: %v\n%s", name, tt.owner, err, tt.gone, out)
		}
	}
	root, _ := installedTree(t)
	put(t, root, "elsewhere/precious", "")
	put(t, root, "tmp/x", "")
	if err := os.Symlink("/elsewhere", filepath.Join(root, "tmp/hsperfdata_app")); err != nil {
		t.Fatal(err)
	}
	put(t, root, "proc/123/stat", "")
	put(t, root, "tmp/tomcat.8080.1/123", "")
	if err := hostIn(t, root).Chown("/tmp/tomcat.8080.1", "app", ""); err != nil {
		t.Fatal(err)
	}
	mustRunCLI(t, root, "", "uninstall")
	for _, kept := range []string{"elsewhere/precious", "tmp/hsperfdata_app", "tmp/tomcat.8080.1/123"} {
		if _, err := os.Lstat(filepath.Join(root, kept)); err != nil {
			t.Error(err)
		}
	}
}

// TestUninstallAsks: only a yes goes on, and what an operator added is named before.
func TestUninstallAsks(t *testing.T) {
	root, _ := installedTree(t)
	put(t, root, eggrollDir+"plugins/mine.py", "mine")
	for answer, goesOn := range map[string]bool{"y\n": true, "yes\n": true, "n\n": false, "\n": false, "": false} {
		var shown bytes.Buffer
		g := &globals{Root: root, Base: "/data", Stdin: strings.NewReader(answer), Stdout: &shown, Stderr: &shown}
		i, err := g.installation()
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		err = askUninstall(g, i, &uninstallOptions{purgeData: true})
		if (err == nil) != goesOn || err != nil && !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%q: %v", answer, err)
		}
		if text := shown.String(); !strings.Contains(text, "plugins/, which was added") ||
			!strings.Contains(text, "for good? [y/N]") {
			t.Errorf("it asks:\n%s", text)
		}
	}
}

// hostIn is the host in a tree.
func hostIn(t *testing.T, root string) *host.Host {
	t.Helper()
	h, err := host.New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}
