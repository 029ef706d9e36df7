package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
	"fate-installer/payload"

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
	trust          trustOptions
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
	opts.trust.addFlags(cmd.Flags(), keptForLater)
	cmd.Flags().BoolVar(&opts.databaseCopied, "database-copied", false,
		"the administrator of a database server that is not ours has a copy of the schemas")
	return cmd
}

func runUpgrade(ctx context.Context, g *globals, opts *replaceOptions) error {
	if err := g.decide(state.Upgrade); err != nil {
		return err
	}
	d, err := openDeployment(ctx, g, wantedOptions{}, true)
	if err != nil {
		return err
	}
	defer d.close()
	switch {
	case d.stored == nil:
		return exit.With(exit.Hint(fmt.Errorf("cannot upgrade: %w below %s", deploy.ErrNotInstalled, g.Base),
			"install first: fate-installer --role ROLE --party ID"), exit.Usage)
	case d.payload == nil:
		return exit.With(exit.Hint(fmt.Errorf("cannot upgrade: %w", payload.ErrNoPayload),
			"run the new appliance's own file: ./NEW-APPLIANCE upgrade"), exit.Payload)
	}
	if err := d.decide(state.Upgrade); err != nil {
		return err
	}
	if err := d.useKeys(""); err != nil {
		return err
	}
	if err := d.refuseOtherCluster(); err != nil {
		return err
	}
	r := &replacement{deployment: d, opts: opts, verb: verbUpgrade}
	if err := r.takeUp(); err != nil {
		return err
	}
	if err := r.upgradeRefusal(); err != nil {
		return exit.With(err, exit.Usage)
	}
	return r.run(ctx)
}

// change is a component whose tree is replaced.
type change struct {
	Name string `json:"name"` // the component
	From string `json:"from"` // the version that is installed; blank: it is new
	To   string `json:"to"`   // the version that replaces it; blank: it is removed
}

func (c change) String() string {
	switch c.From {
	case "":
		return c.Name + " " + c.To + " (new)"
	case c.To:
		return c.Name + " " + c.To + " by another build of the same version"
	}
	return c.Name + " " + c.From + " by " + c.To
}

// changes lists the components of this host that are not installed as they are wanted.
func (d *deployment) changes() []change {
	var out []change
	for _, name := range d.spec.Components() {
		was, is := d.stored.Components[name], d.site.Components[name]
		if was.Digest != is.Digest || was.Version != is.Version {
			out = append(out, change{name, was.Version, is.Version})
		}
	}
	return out
}

// refuseDowngrade refuses what would leave the database unreadable, and what rollback is for.
func (d *deployment) refuseDowngrade() error {
	engine := d.spec.DatabaseEngine()
	for _, other := range cluster.DatabaseEngines {
		if other != engine && d.stored.Components[other].Version != "" && d.site.Components[other].Version == "" &&
			d.spec.Runs(cluster.MySQL) {
			return exit.Hint(fmt.Errorf("cannot upgrade from %s to %s: their data files are incompatible",
				other, engine), "take an appliance with "+other+
				", or dump the database, uninstall, install, and load it")
		}
	}
	for _, c := range d.changes() {
		switch {
		case c.From == "":
		case c.Name == engine && !sameSeries(c.From, c.To):
			return exit.Hint(fmt.Errorf(
				"cannot upgrade %s from %s to %s: only a later version of the same series reads its files for sure",
				c.Name, c.From, c.To),
				"take an appliance with "+c.Name+" "+series(c.From)+
					", or dump the database, uninstall, install, and load it")
		case host.CompareVersions(c.To, c.From) < 0 && c.Name != "jdk":
			return exit.Hint(fmt.Errorf("cannot upgrade %s from %s to the older %s", c.Name, c.From, c.To),
				"fate-installer rollback brings back what an upgrade has replaced")
		}
	}
	return nil
}

// series is the part of a database server's version that says which files it reads: 8.0 of 8.0.28, 10.11 of 10.11.6.
func series(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

func sameSeries(a, b string) bool { return series(a) == series(b) }
