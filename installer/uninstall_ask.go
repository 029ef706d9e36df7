package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/output"
	"fate-installer/payload/count"
)

// printForeseen is uninstall --dry-run.
func printForeseen(g *globals, i *deploy.Installation, opts *uninstallOptions) error {
	f, err := i.Foresee(opts.purgeData)
	if err != nil {
		return err
	}
	if g.Output == outputJSON {
		return g.printJSON(f)
	}
	if len(f.Steps) == 0 {
		g.printf("nothing is installed below %s\n", g.Base)
		return nil
	}
	for _, o := range f.Steps {
		what := "would remove"
		if o.Status == engine.Kept {
			what = "would keep"
		}
		g.printf("  %-12s  %s\n", what, o.Title)
	}
	for _, dir := range f.Temp {
		g.printf("  %-12s  %s\n", "would remove", dir)
	}
	printForeignForeseen(g, f, opts)
	g.printf("nothing was changed\n")
	return nil
}

// printForeignForeseen names what operators added or changed in the components' directories, with what becomes of it.
func printForeignForeseen(g *globals, f deploy.Foreseen, opts *uninstallOptions) {
	what := "would keep"
	if opts.purgeData {
		what = "would remove"
	}
	for _, t := range f.Trees {
		for _, rel := range append(append([]string(nil), t.Foreign...), t.Edited...) {
			g.printf("  %-12s  %s/%s, which was added or edited here\n", what, t.Tree, rel)
		}
		for _, rel := range t.Changed {
			g.printf("  %-12s  %s/%s, which was changed here\n", "would remove", t.Tree, rel)
		}
	}
}

// confirm ends a question.
//
//language:labels
const confirm = "? [y/N]"

// askUninstall shows what will go, and wants a yes.
func askUninstall(g *globals, i *deploy.Installation, opts *uninstallOptions) error {
	f, err := i.Foresee(opts.purgeData)
	if err != nil {
		return err
	}
	printForeignForeseen(g, f, opts)
	q := fmt.Sprintf("remove the installation below %s (%s), and keep data, logs and passwords", g.Base,
		count.Of(len(f.Steps), "step"))
	if opts.purgeData {
		q = fmt.Sprintf("remove the installation below %s (%s) and its database, stores, models, keys, logs and "+
			"passwords, for good",
			g.Base, count.Of(len(f.Steps), "step"))
	}
	return askYes(g, q)
}

// askYes puts a question on the terminal, and returns an error unless the answer is yes.
func askYes(g *globals, question string) error {
	question = output.Indented("", g.text(question)+g.language.Label(confirm), deviceOf(g.Stderr).Columns)
	fmt.Fprint(g.Stderr, question+" ")
	answer, err := input(g, func() (string, error) { return bufio.NewReader(g.Stdin).ReadString('\n') })
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if err != nil || !isYes(answer) {
		return exit.With(errors.New("nothing was changed: not confirmed"), exit.Usage)
	}
	return nil
}

func isYes(answer string) bool {
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
