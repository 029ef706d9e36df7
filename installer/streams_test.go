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
