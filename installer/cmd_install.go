package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/state"
	"fate-installer/installer/step"
	"fate-installer/payload/count"
	"fate-installer/supervisor/rpc"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// installOptions are the flags of install, which the bare command has too.
type installOptions struct {
	wantedOptions
	only        []string
	mode        string
	dryRun      bool
	brief       bool   // plan: without the steps
	out         string // plan: the file to write
	plan        string // install: the file of plan --out
	noUndo      bool
	forceConfig bool
	waive       []string
	keys        string
	wait        time.Duration
	change      bool // what is installed, into what the cluster file says
	trust       trustOptions
}

func (o *installOptions) addFlags(f *pflag.FlagSet) {
	o.addWanted(f)
	o.trust.addFlags(f, keptForLater)
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would be done and stop, like plan")
	f.StringVar(&o.plan, "plan", "",
		"refuse when the installation would differ from the `FILE` that plan --out wrote")
	f.BoolVar(&o.noUndo, "no-undo", false, "leave a failed installation as it is, as evidence")
	f.BoolVar(&o.forceConfig, "force-config", false, "overwrite configuration files that were edited on this host")
	f.BoolVar(&o.change, "change-cluster", false,
		"go on although the cluster file contradicts what is installed here; changes passwords, too")
	f.DurationVar(&o.wait, "wait", defaultWait, "`time` to wait for modules on other hosts that programs here need")
	f.StringArrayVar(&o.waive, "waive", nil,
		"go on although check `ID=reason` refuses this host; repeatable, and recorded")
}

// defaultWait is enough for an administrator to walk from one host to the next.
const defaultWait = 10 * time.Minute

// addWanted adds the flags that say what is to be installed.
func (o *installOptions) addWanted(f *pflag.FlagSet) {
	o.wantedOptions.addFlags(f)
	f.StringSliceVar(&o.only, "only", nil,
		"install these `MODULES` of this host only: "+strings.Join(cluster.ModuleNames(), ", "))
	f.StringVar(&o.mode, "mode", string(fate.ModeDeploy),
		"`MODE`: install (unpack, nothing is configured or started), config (configure and start what was "+
			"unpacked), or deploy (both)")
	f.StringVar(&o.keys, "keys", "",
		"TLS keys of this side: the archive or directory at `path` that fate-installer keys made")
	takesWords(f, "only", cluster.ModuleWords()...)
	takesWords(f, "mode", modeNames()...)
}

// part is the part of the installation that --only and --mode name, before it is checked.
func (o *installOptions) part() part { return part{o.only, fate.Mode(o.mode)} }

// newInstallCommand installs this host's share of a party.
func newInstallCommand(g *globals) *cobra.Command {
	opts := &installOptions{}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Check this host, install its share of the party, start it, and wait until it is ready",
		Long: `Check this host, install its share of the party from the payload in this file, write every configuration file,
start the programs in dependency order and wait until each is ready. It is what the bare command does.

It is safe to run again at any time: what is as it should be is not touched, what is not is repaired. A run that failed
is undone unless --no-undo is given; data is never undone, nor are the passwords and the account it needs. Files that were
edited on this host are kept, and reported. Missing and changed files of a component are put back one by one: a changed
program goes to .fate-replaced in its tree, an edited configuration file stays, and what the component did not bring is
named and not touched.

An appliance that is damaged is refused before anything is changed. Who signed it is printed first. A program from a medium
can say of itself what it likes: check it before it runs, with an installed program (fate-installer bundle verify --pubkey
KEY FILE) or with minisign. --pubkey is kept for later runs.

The hosts of a party can be installed in any order. A program that needs a module on another host waits for it, and says
where to run what; after --wait the run ends with exit code 6, and the program starts by itself when the other host is
there. A cluster file that contradicts the one installed here, an old copy for example, is refused; --change-cluster says
that the change is meant. It also changes passwords, as secrets rotate does; a run that changes passwords is not undone
when it fails: the same command completes it.

A side that uses TLS needs --keys the first time, and again when they are renewed; in between, the installed keys stay.

The operating system is prepared, too: limits, kernel settings, swap space, SELinux, firewall, names, libraries. os: in the
cluster file says how, --skip-os leaves it alone, plan shows it, uninstall puts it back.

--only and --mode do a part: some modules, or only the unpacking, or only what comes after it. A later run without them
completes the host.

EXIT STATUS
` + exitHelp,
		Example: `  ./fate-installer --role host --party 10000
  ./fate-installer install --config cluster.yaml --ip 192.168.0.1
  ./fate-installer install --config cluster.yaml --keys host.tar.gz
  ./fate-installer install --config cluster.yaml --only mysql,eggroll
  ./fate-installer install --config cluster.yaml --mode install
  ./fate-installer install --config cluster.yaml --skip-os=firewall,selinux
  ./fate-installer install --role guest --party 9999 --peer 192.168.0.1:9370 --dry-run`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runInstall(cmd.Context(), g, opts) },
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

// survey checks every step of the plan and changes nothing.
func (d *deployment) survey(ctx context.Context, p part, forceConfig bool) (engine.Survey, error) {
	plan, err := d.plan(p)
	if err != nil {
		return nil, err
	}
	return d.look(ctx, plan, forceConfig)
}

func (d *deployment) look(ctx context.Context, plan engine.Plan, forceConfig bool) (engine.Survey, error) {
	journal, err := engine.ReadJournal(d.host, d.journalPath())
	if err != nil {
		return nil, err
	}
	env := d.env(newRunView(d.g, 0))
	env.Force = forceConfig
	return engine.Look(ctx, plan, env, journal)
}

// headline says who this host is going to be.
func (d *deployment) headline() string {
	text := fmt.Sprintf("%s of party %d at %s", d.spec.Role, d.spec.PartyID, d.spec.IP)
	if d.spec.Role == cluster.RoleExchange {
		text = "exchange at " + d.spec.IP
	}
	if release := d.site.Env["FATE"]; release != "" {
		text += ", FATE " + release
	}
	for _, c := range d.site.Components {
		if c.StandIn {
			return text + " (STAND-INS: this appliance carries test doubles of FATE, not FATE)"
		}
	}
	return text
}

func runInstall(ctx context.Context, g *globals, opts *installOptions) error {
	if opts.dryRun {
		return runPlan(ctx, g, opts)
	}
	started := time.Now()
	if err := g.decide(state.Install); err != nil {
		return err
	}
	d, err := openDeployment(ctx, g, opts.wantedOptions, true)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.useKeys(opts.keys); err != nil {
		return err
	}
	if err := d.decide(state.Install); err != nil {
		return err
	}
	if err := d.refuseReplacement(); err != nil {
		return err
	}
	if err := d.refuseContradictions(opts.change); err != nil {
		return err
	}
	if err := d.refuseUnknownPassword(ctx); err != nil {
		return err
	}
	if opts.plan != "" {
		if err := d.refuseOtherPlan(ctx, opts); err != nil {
			return err
		}
	}
	unlock, err := d.begin("install")
	if err != nil {
		return err
	}
	defer unlock()
	checks, err := d.checkAndWaive(ctx, opts.waive)
	if err != nil {
		return err
	}
	g.printf("%s\n", d.headline())
	printNotes(g, d.notes())
	if err := d.checkTrust(opts.trust); err != nil {
		return err
	}
	if err := d.preflight(checks); err != nil {
		return err
	}
	if err := d.verifyPayload(ctx); err != nil {
		return err
	}
	if err := d.recordWaivers(opts.waive); err != nil {
		return err
	}
	if err := d.enter(state.Install, state.Change{To: d.wanted()}); err != nil {
		return exit.With(err, exit.Step)
	}
	if err := d.beginSecrets(); err != nil {
		return exit.With(err, exit.Step)
	}
	replaced := d.secrets.Records.Unfinished()
	report, err := d.apply(ctx, opts)
	if err != nil {
		if d.undone {
			err = errors.Join(err, d.takenBack())
		}
		return err
	}
	if fate.Mode(opts.mode) != fate.ModeInstall && len(opts.only) == 0 {
		if err := d.endSecrets(); err != nil {
			return exit.With(err, exit.Step)
		}
	}
	if err := d.host.Remove(laterProgram(d.layout())); err != nil { // the installed program does the purge from now on
		return exit.With(err, exit.Step)
	}
	if err := d.done(); err != nil {
		return err
	}
	report.Warnings = append(append(report.Warnings, d.sweep()...), d.warnSecretsElsewhere(replaced)...)
	return d.printEnd(ctx, report, time.Since(started), fate.Mode(opts.mode))
}

// recordWaivers keeps in the site file who let which check pass, and why. Reasons of earlier runs stay.
func (d *deployment) recordWaivers(waive []string) error {
	waivers, err := parseWaivers(waive)
	if err != nil {
		return err
	}
	for _, w := range waivers {
		if !slices.Contains(d.site.Waivers, w) {
			d.site.Waivers = append(d.site.Waivers, w)
		}
	}
	return nil
}

// apply carries out the plan; a failed run is undone as far as it is ours and not data.
func (d *deployment) apply(ctx context.Context, opts *installOptions) (engine.Report, error) {
	plan, err := d.plan(opts.part())
	if err != nil {
		return engine.Report{}, err
	}
	if fate.Mode(opts.mode) == fate.ModeConfig {
		if err := d.needUnpacked(ctx, plan); err != nil {
			return engine.Report{}, err
		}
	}
	journal, err := engine.OpenJournal(d.host, d.journalPath())
	if err != nil {
		return engine.Report{}, err
	}
	defer journal.Close()
	view := newRunView(d.g, d.unpackBytes())
	if d.stored == nil {
		view.countSmall(plan)
	}
	d.wait = programs.NewWaiter(d.spec, opts.wait, view.service)
	env := d.env(view)
	env.Force = opts.forceConfig
	d.g.printf("applying %s, journal in %s\n", count.Of(len(plan.Nodes), "step"), d.journalPath())
	report, err := engine.Apply(ctx, plan, env, journal, view.event)
	if err == nil {
		err = d.awaitReady(ctx)
		view.close()
		return report, err
	}
	view.close()
	code := exit.Step
	var notReady *step.NotReadyError
	switch {
	case ctx.Err() != nil:
		return report, exit.Hint(err, "run the same command again: it goes on where it stopped")
	case errors.As(err, &notReady):
		// Everything is installed; taking it away again would take away the evidence.
		return report, exit.With(err, exit.NotReady)
	case d.passwordsChange():
		// The database may have new passwords already, which are not taken back: the files must go on to them.
		return report, exit.With(exit.DefaultHint(err,
			"passwords are being changed, so the host is left as it is: put the cause right and run the same "+
				"command again"), code)
	case opts.noUndo:
		return report, exit.With(exit.DefaultHint(err,
			"the host is left as it is; run the same command again to go on"), code)
	}
	d.undoFailed(context.WithoutCancel(ctx), env, journal)
	return report, exit.With(exit.DefaultHint(err, "put the cause right and run the same command again"), code)
}

// undoFailed puts back what a failed run changed.
func (d *deployment) undoFailed(ctx context.Context, env *engine.Env, journal *engine.Journal) {
	d.g.printf("undoing what this run changed\n")
	report, err := engine.Undo(ctx, env, journal, engine.LastAttempt,
		undoAttempt(d.host, d.layout(), journal.Ledger()), nil)
	for _, o := range report.Steps {
		if o.Status == engine.UndoFailed || o.Status == engine.Left && !d.holdsData(o) {
			d.printUndo(o)
		}
	}
	undone, kept, left := d.tally(report)
	d.g.printf("  %d undone, %d kept with data, %d left for the reasons given\n", undone, kept, left)
	d.undone = err == nil
	if err != nil {
		d.g.printf("  not everything could be undone; uninstall tries again: %v\n", err)
	}
}

// AwaitReady waits, when every step is done, for programs that become ready by what other hosts do.
func (d *deployment) awaitReady(ctx context.Context) error {
	if !d.host.Live() {
		return nil
	}
	return d.wait.AwaitReady(ctx, rpc.NewClient(d.host.Path(d.layout().SupervisorSocket())), d.spec)
}
