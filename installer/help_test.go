package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/exit"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Help is part of the product: on an isolated host it is the only documentation. Each command has to say what it does,
// show how it is called, and list its exit codes; each flag has to say what it is for.
func TestEveryCommandHasHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			return // cobra's own
		}
		name := cmd.CommandPath()
		if cmd.Short == "" || !strings.Contains(cmd.Long, "EXIT STATUS") {
			t.Errorf("%s: its help has no EXIT STATUS or no summary", name)
		}
		if cmd.Example == "" {
			t.Errorf("%s: its help has no example", name)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s has no help text", name, f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(&globals{}))
}

// run executes a command line below a temporary root, and returns what it printed and its exit code.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	code = execute(context.Background(), g, args)
	return out.String(), errs.String(), code
}

func TestUsageErrorsHaveTheirExitCodeAndSayWhatToDo(t *testing.T) {
	root := t.TempDir()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown command", []string{"instal"}, "unknown command"},
		{"unknown flag", []string{"version", "--rol", "host"}, "unknown flag"},
		{"bad output", []string{"version", "-o", "yaml"}, "text or json"},
		{"bad level", []string{"version", "--log-level", "loud"}, "--log-level"},
		{"bad role", []string{"plan", "--root", root, "--role", "hots", "--party", "1"}, "host, guest or exchange"},
		{"nothing to go on", []string{"plan", "--root", root}, "neither --role nor --config"},
		{"missing cluster file", []string{"plan", "--root", root, "--config", "/nonexistent/cluster.yaml"},
			"/nonexistent/cluster.yaml"},
		{"no installation", []string{"test", "toy", "--base", root}, "nothing is installed"},
		{"purge without consent", []string{"uninstall", "--root", root, "--purge-data"}, "--yes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, code := run(t, tt.args...)
			if code != exit.Usage || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, want %d; stderr %q, want %q in it", code, exit.Usage, stderr, tt.want)
			}
			if stdout != "" {
				t.Errorf("an error went to stdout: %q", stdout)
			}
		})
	}
}

func TestErrorsAreOneJSONDocument(t *testing.T) {
	stdout, stderr, code := run(t, "test", "toy", "--root", t.TempDir(), "-o", "json")
	if code != exit.Usage || stderr != "" || !strings.HasPrefix(stdout, `{"error":`) ||
		strings.Count(stdout, "\n") != 1 {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// TestOneJSONDocument holds that a command which has printed its document, and then fails, prints no second one.
func TestOneJSONDocument(t *testing.T) {
	var out, errs bytes.Buffer
	g := &globals{Stdout: &out, Stderr: &errs, Output: outputJSON}
	waiting := []programs.Absence{{Program: "fate-fateflow", Needs: "the database", Remedy: "install it"}}
	if err := g.printJSON(endReport{Waiting: waiting}); err != nil {
		t.Fatal(err)
	}
	printError(g, &programs.WaitError{Absences: waiting}, exit.NotReady)
	if strings.Contains(out.String(), `"error"`) || !strings.HasPrefix(errs.String(),
		"error: this host is installed, but") {
		t.Errorf("stdout %s\nstderr %s", out.String(), errs.String())
	}
}

func TestUninstallOfNothingIsDone(t *testing.T) {
	stdout, stderr, code := run(t, "uninstall", "--root", t.TempDir())
	if code != exit.OK || !strings.Contains(stdout, "nothing is installed") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestVersionNeedsNoPayload(t *testing.T) {
	stdout, _, code := run(t, "version")
	if code != exit.OK || !strings.HasPrefix(stdout, "fate-installer ") {
		t.Errorf("exit %d, stdout %q", code, stdout)
	}
}
