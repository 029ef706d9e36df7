package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/exit"

	"github.com/spf13/cobra"
)

// TestStreams holds for every command that what was asked for goes to standard output, and that an error goes to
// standard error, or with -o json to standard output as one document.
func TestStreams(t *testing.T) {
	var walk func(cmd *cobra.Command, words []string)
	walk = func(cmd *cobra.Command, words []string) {
		with := func(more ...string) []string { return append(slices.Clone(words), more...) }
		if stdout, stderr, code := run(t, with("--help")...); code != exit.OK || stderr != "" ||
			!strings.Contains(stdout, "\nUsage:\n") {
			t.Errorf("%v --help: exit %d, stdout %q, stderr %q", words, code, stdout, stderr)
		}
		if stdout, stderr, code := run(t, with("--log-level", "loud")...); code != exit.Usage || stdout != "" ||
			!strings.HasPrefix(stderr, "error: ") {
			t.Errorf("%v: exit %d, stdout %q, stderr %q", words, code, stdout, stderr)
		}
		stdout, stderr, code := run(t, with("-o", "json", "--log-level", "loud")...)
		var document errorOutput
		if err := json.Unmarshal([]byte(stdout), &document); err != nil || stderr != "" || code != exit.Usage ||
			document.ExitCode != code {
			t.Errorf("%v -o json: exit %d, %v, stdout %q, stderr %q", words, code, err, stdout, stderr)
		}
		for _, sub := range cmd.Commands() {
			walk(sub, with(sub.Name()))
		}
	}
	walk(newRootCommand(&globals{}), nil)
}

// TestStreamsOfInstall: what an install does goes to standard error, its result to standard output, and --quiet leaves
// the result.
func TestStreamsOfInstall(t *testing.T) {
	appliance := smallAppliance(t)
	for _, quiet := range []bool{false, true} {
		args := []string{"install", "--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88"}
		if quiet {
			args = append(args, "--quiet")
		}
		stdout, stderr, code := runCLI(t, machine(t), "", args...)
		if code != exit.OK || !strings.Contains(stdout, "\ndone: ") {
			t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
		}
		for _, progress := range []string{"applying ", "  done      supervisor "} {
			if strings.Contains(stdout, progress) || strings.Contains(stderr, progress) == quiet {
				t.Errorf("quiet %v: %q, stdout:\n%s\nstderr:\n%s", quiet, progress, stdout, stderr)
			}
		}
	}
}

// TestQuietCommands: the commands that change the host take --quiet, and the others refuse it.
func TestQuietCommands(t *testing.T) {
	tree := newRootCommand(&globals{})
	for _, words := range runnable(tree) {
		cmd, _, err := tree.Find(words)
		if err != nil {
			t.Fatal(err)
		}
		takes := cmd.LocalFlags().Lookup("quiet") != nil
		if changes := cmd.Annotations[changesHost] != ""; changes && !takes && cmd.Name() != "show" {
			t.Errorf("%v does not take --quiet", words)
		}
	}
	for words, want := range map[string]bool{"": true, "install": true, "upgrade": true, "rollback": true,
		"uninstall": true, "party add": true, "secrets rotate": true, "svc restart": true, "plan": false,
		"svc status": false, "secrets show": false} {
		cmd, _, err := tree.Find(strings.Fields(words))
		if err != nil || (cmd.LocalFlags().Lookup("quiet") != nil) != want {
			t.Errorf("%q: --quiet %v, %v", words, !want, err)
		}
	}
	if words, _, _ := run(t, "__complete", "uninstall", "--qu"); !strings.HasPrefix(words, "--quiet\t") {
		t.Errorf("completion offers %q", words)
	}
}
