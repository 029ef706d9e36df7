package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/peer"
)

// TestPartyTestBeforeInstall runs against addresses of a test network (RFC 5737) on which nothing answers, or, where
// there is no route to it at all, refuses at once: each way fails with a sentence, and the exit code says so.
func TestPartyTestBeforeInstall(t *testing.T) {
	root := machine(t)
	cluster := mustRunCLI(t, root, "", "init", "--host", "10000:192.0.2.1", "--guest", "9999:192.0.2.2", "--exchange",
		"192.0.2.88", "--polling", "guest")
	stdout, stderr, code := runHere(t, cluster, "party", "test", "--config", "-", "--ip",
		"192.0.2.88", "-o", "json")
	if code != exit.Preflight {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var report struct {
		OK      bool          `json:"ok"`
		Role    string        `json:"role"`
		Results []peer.Result `json:"results"`
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	found := map[string]peer.Result{}
	for _, r := range report.Results {
		found[r.Party] = r
	}
	if host := found["10000"]; report.OK || report.Role != "exchange" || host.Status != peer.Failed ||
		host.Address != "192.0.2.1:9370" || host.Remedy == "" {
		t.Errorf("the way to the host: %+v", host)
	}
	if guest := found["9999"]; guest.Status != peer.Skipped ||
		!strings.Contains(guest.Measured, "no connection is made to it") {
		t.Errorf("the way to the party that polls: %+v", guest)
	}
}

// TestPartyTestRefusesWhatItCannotTest: the own party, one without a route, and a host without a rollsite.
func TestPartyTestRefusesWhatItCannotTest(t *testing.T) {
	root := machine(t)
	cluster := mustRunCLI(t, root, "", "init", "--host", "10000:192.0.2.1", "--host-nodes", "192.0.2.1,192.0.2.3")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"it is this one", []string{"10000", "--ip", "192.0.2.1"}},
		{"it has no route", []string{"9999", "--ip", "192.0.2.1"}},
		{"the rollsite of this side is elsewhere", []string{"--ip", "192.0.2.3"}},
	} {
		_, stderr, code := runHere(t, cluster, append([]string{"party", "test", "--config", "-"}, c.args...)...)
		if code != exit.Usage || !strings.Contains(stderr, c.want) {
			t.Errorf("party test %v: exit code %d, no %q in\n%s", c.args, code, c.want, stderr)
		}
	}
}

// runHere executes a command line without --root: the command looks at networks, which a tree does not have.
func runHere(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	g := &globals{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs}
	code = execute(t.Context(), g, args)
	return out.String(), errs.String(), code
}

// TestPartyTestRefusesATree: it would test the networks of this machine, and not those of the tree's host.
func TestPartyTestRefusesATree(t *testing.T) {
	_, stderr, code := runCLI(t, machine(t), "", "party", "test", "--config", "-", "--ip", "192.0.2.1")
	if code != exit.Usage || !strings.Contains(stderr, "cannot use --root") || !strings.Contains(stderr, "boot it") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
