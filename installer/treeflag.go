package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"fate-installer/installer/exit"

	"github.com/spf13/cobra"
)

// worksInTree lists the commands that --root can direct to a directory tree, each with those below it: they need files
// alone, or leave out what needs a running host. Every other command works with what runs on this machine, which has
// nothing to do with the tree, and is refused there; so is a command that is added and not listed.
var worksInTree = []string{
	"install", "plan", "init", "config", "render", "keys", "check", "bundle", "secrets", "upgrade", "rollback",
	"uninstall", "diagnose", "version", "help", "completion",
	"party list", "party add", "party remove",
	"party test", // works with other hosts; a tree has the cluster file and the certificates for it
	"svc install", "svc uninstall",
}

// needsMachine reports whether a command works with what runs on this machine. A command that only has others below it
// does when all of these do.
func needsMachine(cmd *cobra.Command) bool {
	if !cmd.HasParent() {
		return false // it installs
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		return !slices.ContainsFunc(cmd.Commands(), func(sub *cobra.Command) bool { return !needsMachine(sub) })
	}
	for c := cmd; c.HasParent(); c = c.Parent() {
		if slices.Contains(worksInTree, wordsOf(c)) {
			return false
		}
	}
	return true
}

// wordsOf is how a command is called, without the name of the program.
func wordsOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// inTree reports whether --root names a directory tree and not the running machine.
func (g *globals) inTree() bool {
	root, err := filepath.Abs(g.Root)
	return g.Root != "" && (err != nil || root != "/")
}

// checkTree refuses --root where the command would work with the running machine and not with the tree.
func (g *globals) checkTree(cmd *cobra.Command) error {
	if !g.inTree() || !needsMachine(cmd) {
		return nil
	}
	return exit.With(exit.Hint(fmt.Errorf("cannot use --root: %s works with what runs on this machine, and %s is a tree "+
		"of files", wordsOf(cmd), g.Root), "leave --root out for this machine; for the tree's host, boot it and run "+
		programName+" "+wordsOf(cmd)+" there"), exit.Usage)
}
