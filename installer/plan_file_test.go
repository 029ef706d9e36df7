package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/host"
)

// TestInstallByPlan installs by a plan that was reviewed, and refuses when the host, the appliance or the cluster
// changed since then, without changing anything.
func TestInstallByPlan(t *testing.T) {
	appliance := applianceOf(t, olderVersions)
	other := applianceOf(t, newerVersions)
	exchange := []string{"--role", "exchange", "--ip", "192.168.0.88"}
	for _, tt := range []struct {
		name   string
		change func(root string) []string // and the flags of the installation
		want   string
	}{
		{"the same", func(string) []string { return append(exchange, "--payload", appliance) }, ""},
		{"another appliance", func(string) []string { return append(exchange, "--payload", other) }, "appliance: "},
		{"another role", func(string) []string {
			return []string{"--role", "exchange", "--ip", "192.168.0.89", "--payload", appliance}
		}, "the cluster file or the flags are others"},
		{"another host", func(root string) []string {
			if err := os.MkdirAll(filepath.Join(root, "data/projects"), 0o755); err != nil {
				t.Fatal(err)
			}
			return append(exchange, "--payload", appliance)
		}, "dir:/data/projects"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := machine(t)
			file := filepath.Join(t.TempDir(), "plan.json")
			brief := mustRunCLI(t, root, "", append([]string{"plan", "--brief", "--out", file, "--payload", appliance},
				exchange...)...)
			if !strings.Contains(brief, "\nsteps      ") || !strings.Contains(brief, "\nunpacks    ") ||
				!strings.Contains(brief, "\nexpected   about 1 minute: ") ||
				strings.Contains(brief, "  + ") {
				t.Errorf("plan --brief:\n%s", brief)
			}
			stdout, stderr, code := runCLI(t, root, "", append(tt.change(root), "--plan", file)...)
			if tt.want == "" {
				if code != exit.OK {
					t.Errorf("exit %d\n%s%s", code, stdout, stderr)
				}
				return
			}
			if code != exit.Preflight || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, want %d and %q\n%s%s", code, exit.Preflight, tt.want, stdout, stderr)
			}
			if _, err := os.Stat(filepath.Join(root, "data/projects/common/fate-installer/site.json")); err == nil {
				t.Error("it was installed")
			}
		})
	}
	notAPlan := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(notAPlan, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := runCLI(t, machine(t), "", append(exchange, "--payload", appliance, "--plan", notAPlan)...)
	if code != exit.Usage || !strings.Contains(stderr, "it is no plan") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// TestPlanFileHasNoDigestOfPasswords plans by cluster files that differ. Those that differ in a password only have the
// same digest in the plan file, so that no password can be found by trying.
func TestPlanFileHasNoDigestOfPasswords(t *testing.T) {
	root, appliance := machine(t), applianceOf(t, olderVersions)
	asked := func(password, port string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "plan.json")
		mustRunCLI(t, root, "exchange: {ip: 192.168.0.88, rollsite: {port: "+port+"}}\n"+
			"host: {partyid: 10000, ip: 192.168.0.1, mysql: {dbpasswd: "+password+"}}\n",
			"plan", "--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88", "--config", "-",
			"--out", file)
		var plan struct {
			Asked string `json:"asked"`
		}
		text, err := os.ReadFile(file)
		if err := errors.Join(err, json.Unmarshal(text, &plan)); err != nil || plan.Asked == "" {
			t.Fatalf("%q, %v", text, err)
		}
		return plan.Asked
	}
	first := asked("Winter-2026", "9370")
	if got := asked("Summer-2026", "9370"); got != first {
		t.Error("the digest depends on a password")
	}
	if got := asked("Winter-2026", "9372"); got == first {
		t.Error("the digest does not depend on a port")
	}
}

// TestPlanSaysThingsOnce holds that a component is a heading once, and that nothing new is said to be missing.
func TestPlanSaysThingsOnce(t *testing.T) {
	text := mustRunCLI(t, machine(t), "", "plan", "--payload", applianceOf(t, olderVersions), "--role", "exchange", "--ip",
		"192.168.0.88")
	seen := map[string]bool{}
	_, steps, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(steps) {
		if strings.Contains(line, "it does not exist") {
			t.Errorf("%q", line)
		}
		if line != "\n" && !strings.HasPrefix(line, " ") && strings.Count(line, " ") == 0 {
			if seen[line] {
				t.Errorf("%q is a heading twice", line)
			}
			seen[line] = true
		}
	}
	if len(seen) < 3 {
		t.Errorf("%v\n%s", seen, text)
	}
}

// TestPlanIsComparedUnderTheLock: what another run changes until this one has the lock is seen, too.
func TestPlanIsComparedUnderTheLock(t *testing.T) {
	root, appliance, file := machine(t), applianceOf(t, olderVersions), filepath.Join(t.TempDir(), "plan.json")
	exchange := []string{"--root", root, "--role", "exchange", "--ip", "192.168.0.88", "--payload", appliance}
	if _, stderr, code := run(t, append([]string{"plan", "--out", file}, exchange...)...); code != exit.OK {
		t.Fatal(stderr)
	}
	var out bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	locked := false
	g.opened = func(h *host.Host) {
		h.InjectFaults(t, func(_ host.Op, path string) error {
			if locked || !strings.HasPrefix(path, "/run") {
				return nil
			}
			locked = true
			return os.MkdirAll(filepath.Join(root, "data/projects"), 0o755) // as the other run leaves it
		})
	}
	code := execute(t.Context(), g, append([]string{"install", "--plan", file}, exchange...))
	if code != exit.Preflight || !locked || !strings.Contains(out.String(), "dir:/data/projects") {
		t.Errorf("exit %d, locked: %v\n%s", code, locked, out.String())
	}
	if _, err := os.Stat(filepath.Join(root, "data/projects/common")); err == nil {
		t.Error("something was installed")
	}
}
