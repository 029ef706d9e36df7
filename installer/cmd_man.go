package main

import (
	"errors"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/step"

	"github.com/spf13/cobra"
)

// manOutput is the JSON document of man.
type manOutput struct {
	Files []step.Doc `json:"files"` // each with the path at which install writes it
}

// newManCommand prints manual pages. An install has the installed program print them when that is another one than the
// running one.
func newManCommand(g *globals) *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use:   "man [COMMAND...]",
		Short: "Print the manual page of a command",
		Long: `Print the manual page of a command, or of this program, as text for man. install writes all pages to
` + step.ManDir + `, with one page for each command, and completion for bash to
` + step.CompletionDir + `; upgrade and rollback replace them together with the program, and uninstall removes them.
Pages that others wrote or edited are kept.

EXIT STATUS
  0    printed
  2    there is no such command`,
		Example: `  man fate-installer-svc-status
  fate-installer man svc status | man -l -
  fate-installer man --all -o json`,
		Args: knownTopic,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			at, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range at.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runMan(g, cmd.Root(), args, all) },
	}
	cmd.Flags().BoolVar(&all, "all", false, "print the pages of all commands, and the completion for bash")
	return cmd
}

func runMan(g *globals, root *cobra.Command, words []string, all bool) error {
	var docs []step.Doc
	if all {
		if len(words) > 0 {
			return exit.With(exit.Hint(errors.New("cannot use --all with the name of a command"),
				"leave one of them out"), exit.Usage)
		}
		docs = docsOf(root)
	} else {
		cmd, _, err := root.Find(words)
		if err != nil {
			return exit.With(err, exit.Usage)
		}
		docs = []step.Doc{{Path: pathOfPage(cmd), Content: manPage(cmd)}}
	}
	if g.Output == outputJSON {
		return g.printJSON(manOutput{docs})
	}
	for _, d := range docs {
		g.raw(d.Content)
	}
	return nil
}

// docsOf gives the pages and the completion of the program with a digest, if it is the running one.
func (g *globals) docsOf(digest string) (docs []step.Doc, known bool) {
	switch {
	case g.docs != nil:
		return g.docs(digest), true
	case g.Payload != "" && !deploy.IsRunning(digest, g.executable):
		return nil, false
	}
	return docsOf(newRootCommand(&globals{})), true
}

// docsOf lists the pages of all commands that help lists, and the completion.
func docsOf(root *cobra.Command) []step.Doc {
	docs := []step.Doc{{Path: step.CompletionDir + "/fate-installer", Content: bashCompletion}}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		docs = append(docs, step.Doc{Path: pathOfPage(cmd), Content: manPage(cmd)})
		for _, sub := range cmd.Commands() {
			if isDocumented(sub) {
				walk(sub)
			}
		}
	}
	walk(root)
	return docs
}

// isDocumented reports whether a command has a page of its own. That of completion is cobra's, for one page.
func isDocumented(cmd *cobra.Command) bool {
	return cmd.IsAvailableCommand() && cmd.Name() != "help" && (cmd.Name() != "completion" || cmd.HasSubCommands()) &&
		(!cmd.HasParent() || cmd.Parent().Name() != "completion")
}

// pathOfPage is where the page of a command belongs.
func pathOfPage(cmd *cobra.Command) string { return step.ManDir + "/" + nameOfPage(cmd) + ".1" }

func nameOfPage(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// bashCompletion has the installed program complete its own commands. It is read at each login, so that it runs the
// program when a command is completed for the first time, and it is the same for every version.
const bashCompletion = `# bash completion of fate-installer, by the program itself
_fate_installer_first() {
	local script
	script=$(/usr/local/bin/fate-installer completion bash 2>/dev/null) || return 1
	complete -r fate-installer
	eval "$script" && return 124
}
complete -F _fate_installer_first fate-installer
`
