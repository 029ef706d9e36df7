package main

import (
	"fmt"
	"path/filepath"

	"fate-installer/installer/exit"

	"github.com/spf13/cobra"
)

// needsMachine reports whether a command works with what runs on this machine, which has nothing to do with the tree
// that --root names. Others need files alone, or leave out what needs a running host.
func needsMachine(cmd *cobra.Command) bool { return !entryOf(cmd).takes("root") }

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
