package main

import (
	"context"
	"errors"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate"

	"github.com/spf13/cobra"
)

// newRollbackCommand brings back what an upgrade replaced.
func newRollbackCommand(g *globals) *cobra.Command {
	opts := &replaceOptions{}
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Bring back what the last upgrade replaced",
		Long: `Bring back the components, settings and, when its server was replaced or its tables were changed, the database of before
the last upgrade. What changes is stopped, put back, configured, started and proved by the toy test. The state that is left
is kept in turn, so that a second rollback returns to it. The program itself stays the new one. A rollback that was cut off
is completed by running it again; one that was complete and had only not said so says so then, and does not go forward.
Former states that cannot be removed are named in a warning; the next command that changes this host tries again.

When the database goes back, too, what was written since the upgrade is not in it any more. The jobs that are lost are
listed, and it takes --yes. Models in files stay.

In a party with several hosts, roll the database's host back last: before eggroll 2.5 nodes do not register themselves, and
their rows in the database are set right there.

EXIT STATUS
` + replaceExitHelp,
		Example: `  fate-installer rollback
  fate-installer rollback --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRollback(cmd.Context(), g, opts) },
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

func runRollback(ctx context.Context, g *globals, opts *replaceOptions) error {
	started := time.Now()
	if len(g.Config) > 0 {
		return exit.With(exit.Hint(
			errors.New("cannot roll back to a cluster file: what was installed before comes back, with its own"),
			"run it without --config"), exit.Usage)
	}
	if taken, err := takeBackUnbegun(ctx, g); taken || err != nil {
		return err
	}
	i, err := g.installation()
	if err != nil {
		return err
	}
	r, err := deploy.OpenRollback(ctx, i, opts.request(g), g.Yes)
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Run(ctx, tellEnd(g, r.Deployment(), started, fate.ModeDeploy))
}

// takeBackUnbegun takes back an upgrade that had not replaced anything, if one was interrupted.
func takeBackUnbegun(ctx context.Context, g *globals) (taken bool, err error) {
	i, err := g.installation()
	if err != nil {
		return false, err
	}
	defer i.Close()
	return i.TakeBackUnbegun(ctx, func(text string, sideOf func() (deploy.UnbegunSide, error)) error {
		if g.Output != outputJSON {
			return nil
		}
		side, err := sideOf()
		if err != nil {
			return err
		}
		return g.printJSON(endReport{
			Role: side.Role, Party: side.Party, IP: side.IP, Logs: g.layout().Logs(),
			Journal: i.JournalPath(),
			Next:    g.runnable("fate-installer svc status"), Notes: []string{text},
			Trees: []deploy.Tree{}, Steps: []engine.Outcome{}, Critical: []string{},
		})
	})
}
