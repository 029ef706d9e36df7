package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/output"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

// uninstallOptions are the flags of uninstall.
type uninstallOptions struct {
	purgeData bool
	verify    bool
	dryRun    bool
}

// newUninstallCommand removes what install brought.
func newUninstallCommand(g *globals) *cobra.Command {
	opts := &uninstallOptions{}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the party's programs and remove everything that install changed",
		Long: `Stop the party's programs and remove everything that install changed on this host, putting back what was there
before. The journal of the installation says what that is. Things that were changed since are left, each with the reason.

Data is kept: the database, eggroll's stores, trained models, keys, logs, the passwords that open them, and what was added
to or edited in the components' directories. With --purge-data all of it is removed too. The program itself stays with the
data, for that command, which the output names. It may be repeated, and works after an installation that did not finish.

On a terminal it shows what it would do and asks; --yes does not ask. Where there is no terminal it does not ask either, and
--purge-data takes --yes. --dry-run shows it and changes nothing. --verify looks at the journal and at the disk for what is
still there, and ends with 3 when there is anything. The journal stays as long as something is left that it names.

When a file system is mounted in what would be removed, nothing is changed and the mounts are named: unmount them first. A
data or log directory that was a mount point before the installation is emptied by --purge-data, and stays.

On an outside database server nothing is removed. What the side has there is listed, with the statements that remove it.

EXIT STATUS
` + strings.Replace(exitHelp, "refused by the preflight checks", "a file system is mounted in the way; --verify: something remains", 1),
		Example: `  fate-installer uninstall
  fate-installer uninstall --dry-run
  fate-installer uninstall --purge-data --yes
  fate-installer uninstall --verify`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runUninstall(cmd.Context(), g, opts) },
	}
	f := cmd.Flags()
	f.BoolVar(&opts.purgeData, "purge-data", false,
		"also remove the database, stores, models, keys, logs and passwords")
	f.BoolVar(&opts.dryRun, "dry-run", false, "change nothing; list what would be removed and what would be kept")
	f.BoolVar(&opts.verify, "verify", false, "change nothing; list what of the installation is still on this host")
	return cmd
}

func runUninstall(ctx context.Context, g *globals, opts *uninstallOptions) error {
	i, err := g.installation()
	if err != nil {
		return err
	}
	defer i.Close()
	if opts.verify {
		return verifyUninstalled(ctx, g, i)
	}
	if opts.dryRun {
		return printForeseen(g, i, opts)
	}
	if err := i.NeedRoot("uninstall"); err != nil {
		return err
	}
	if !g.Yes && g.Output != outputJSON && canAsk(g) && i.WasBegun() {
		if err := askUninstall(g, i, opts); err != nil {
			return err
		}
	} else if opts.purgeData && !g.Yes {
		return exit.With(exit.Hint(
			errors.New("cannot remove the party's data without consent: the database, trained models and keys would "+
				"be lost for good"),
			"add --yes if that is what you want, or leave --purge-data out"), exit.Usage)
	}
	return i.Uninstall(ctx, opts.purgeData, func(r *deploy.Removal) error { return printRemoval(g, i, r, opts) })
}

// printRemoval says what an uninstall removed, and what is left.
func printRemoval(g *globals, i *deploy.Installation, r *deploy.Removal, opts *uninstallOptions) error {
	if g.Output == outputJSON {
		return g.printJSON(uninstallReport{r.Undone, r.Outside})
	}
	if r.Nothing {
		g.printf("nothing is installed below %s\n", g.Base)
		return nil
	}
	defer printOutside(g, r.Outside)
	g.printf("%d removed, %d kept, %d left for the reasons given\n", r.Removed, r.Kept, r.Left)
	if r.Metrics != "" {
		g.printf("%s is left: a new install opens the port for metrics again\n", r.Metrics)
	}
	if l := g.layout(); !opts.purgeData {
		text := fmt.Sprintf("data, logs and passwords are kept in %s, %s and %s: a new install takes them up again; this "+
			"removes them:", l.Data(), l.Logs(), l.State())
		g.raw(output.Indented("", g.text(text), deviceOf(g.Stdout).Columns) + "\n  " + r.Purge + "\n")
	} else if len(r.Named) > 0 {
		g.printf("the journal %s stays, since it names what is left; %s\n", i.JournalPath(),
			exit.Advice{Before: "remove that, then", Repeat: true})
	}
	return nil
}

// uninstallReport is the JSON document of uninstall.
type uninstallReport struct {
	engine.UndoReport
	// what is left on a database server that is not ours
	Outside *deploy.OutsideLeft `json:"outside_database,omitempty"`
}

func printOutside(g *globals, left *deploy.OutsideLeft) {
	if left == nil {
		return
	}
	g.printf("left on the database server at %s: the schemas and accounts of the whole side, which other hosts of\n"+
		"it may still use. These statements remove them, with all jobs and models:\n", left.Server)
	for _, s := range left.Statements {
		g.raw("  " + s + "\n")
	}
}

// uninstallVerifyReport is the JSON document of uninstall --verify.
type uninstallVerifyReport struct {
	Remaining []engine.Remaining `json:"remaining"` // what is still on the host
}

func verifyUninstalled(ctx context.Context, g *globals, i *deploy.Installation) error {
	remaining, err := i.Remaining(ctx)
	if err != nil {
		return err
	}
	var result error
	if len(remaining) > 0 {
		result = exit.Silently(exit.Preflight)
	}
	if g.Output == outputJSON {
		if remaining == nil {
			remaining = []engine.Remaining{}
		}
		if err := g.printJSON(uninstallVerifyReport{remaining}); err != nil {
			return err
		}
		return result
	}
	for _, r := range remaining {
		g.printf("%s\n", r.Title)
		for _, what := range r.What {
			g.printf("  %s\n", what)
		}
	}
	g.printf("%s %s on this host\n", count.Of(len(remaining), "installed item"),
		count.Noun(len(remaining), "remains", "remain"))
	return result
}
