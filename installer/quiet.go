package main

import (
	"slices"

	"github.com/spf13/cobra"
)

// quietPrograms are the commands that change what the supervisor does. It records them itself, see changesHost.
var quietPrograms = []string{"svc start", "svc stop", "svc restart", "svc update", "svc reload"}

// addQuiet adds --quiet to the commands that change the host. secrets show is recorded as they are, and changes
// nothing.
func addQuiet(g *globals, cmd *cobra.Command) {
	if mayChangeHost(cmd) && cmd.Name() != "show" || slices.Contains(quietPrograms, wordsOf(cmd)) {
		cmd.Flags().BoolVar(&g.quiet, "quiet", false, "print only results, warnings and errors, not what is being done")
	}
	for _, sub := range cmd.Commands() {
		addQuiet(g, sub)
	}
}
