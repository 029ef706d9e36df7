package main

import (
	"context"
	"errors"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/flow"
	"fate-installer/installer/state"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// replaceOptions are the flags of upgrade and rollback.
type replaceOptions struct {
	noTest         bool
	timeout        time.Duration
	waive          []string
	cancelJobs     bool
	databaseCopied bool // upgrade only
	trust          deploy.TrustOptions
}

func (o *replaceOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.noTest, "no-test", false, "do not run the toy test when everything is ready")
	f.DurationVar(&o.timeout, "test-timeout", 5*time.Minute, "`time` the toy test may take")
	f.BoolVar(&o.cancelJobs, "cancel-jobs", false, "cancel the jobs that run, instead of refusing")
	f.StringArrayVar(&o.waive, "waive", nil,
		"go on although check `ID=reason` refuses this host; repeatable, and recorded")
}

// newUpgradeCommand replaces the installed components by those of another appliance.
func newUpgradeCommand(g *globals) *cobra.Command {
	opts := &replaceOptions{}
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Replace what is installed by the components of this appliance, and keep the way back",
		Long: `Replace what is installed on this host by the components of this appliance. What changes is stopped, in order; the
present trees and settings are kept, and so is a copy of the database when its server is replaced or its tables change; the
new ones take their places, are configured and started. Then the tables are compared with what the new release expects, and
the toy test is run. Data, trained models, and files that were added to a component's tree or edited in it stay. What was
changed in a component's programs is kept in .fate-replaced of the new tree. rollback goes back.

The tables of FATE-Flow and eggroll are brought to those of the new release, by the SQL files of the release's own package
and by what they lack. Each statement is recorded in the database (table fate_installer_upgrade); a run that was killed is
completed by running the same command again. Of a database server that is not ours no copy can be made: --database-copied
says that its administrator has one.

Without --config it keeps the cluster file that is installed; one that is given may add to it, and is refused, with what
differs, when it contradicts it.

It is refused while jobs run (--cancel-jobs cancels them), when upstream cannot carry the data over, and when there is no
room for the copy. A database server is only replaced by a later one of the same series, since no other reads its files for
sure.

An upgrade that fails before its programs are ready is undone, and what ran before is started again. One that fails in
the comparison or in the toy test stays, with exit code 8: fate-installer rollback goes back. Run it on every host of the
party, on the database's host first.

EXIT STATUS
` + replaceExitHelp,
		Example: `  ./fate-installer-1.11.4 upgrade
  ./fate-installer-1.11.4 plan                # what it would do
  fate-installer rollback`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runUpgrade(cmd.Context(), g, opts) },
	}
	opts.addFlags(cmd.Flags())
	addTrustFlags(cmd.Flags(), &opts.trust, keptForLater)
	cmd.Flags().BoolVar(&opts.databaseCopied, "database-copied", false,
		"the administrator of a database server that is not ours has a copy of the schemas")
	return cmd
}

func runUpgrade(ctx context.Context, g *globals, opts *replaceOptions) error {
	started := time.Now()
	if err := g.decide(state.Upgrade); err != nil {
		return err
	}
	d, err := g.openDeployment(ctx, wantedOptions{}, deploy.Needs{Payload: true})
	if err != nil {
		return err
	}
	defer d.Close()
	r, err := d.Upgrade(opts.request(g))
	if err != nil {
		return err
	}
	return r.Run(ctx, tellEnd(g, d, started, fate.ModeDeploy))
}

// request is what the flags ask of an upgrade or a rollback.
func (o *replaceOptions) request(g *globals) deploy.ReplaceOptions {
	out := deploy.ReplaceOptions{Waive: o.waive, CancelJobs: o.cancelJobs, DatabaseCopied: o.databaseCopied,
		Trust: o.trust}
	if !o.noTest {
		out.Test = func(ctx context.Context, spec *cluster.Spec) error { return proveByToy(ctx, g, spec, o.timeout) }
	}
	return out
}

// proveByToy runs the toy test, once more when its job fails.
func proveByToy(ctx context.Context, g *globals, spec *cluster.Spec, timeout time.Duration) error {
	test := &jobTestOptions{taskCores: 2, timeout: timeout}
	result, err := toyTest(ctx, g, spec, test)
	var failed *flow.JobError
	if errors.As(err, &failed) && ctx.Err() == nil {
		// A node that has just been started may not have reported to the clustermanager yet that it takes work.
		g.printf("once more, since everything was just started: %s\n", failed.Reason)
		result, err = toyTest(ctx, g, spec, test)
	}
	if err == nil {
		g.printf("toy test passed in %s: %s\n", result.Elapsed.Round(time.Second), result.Line)
	}
	return err
}
