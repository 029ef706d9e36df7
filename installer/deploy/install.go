package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/state"
	"fate-installer/installer/step"
	"fate-installer/payload/count"
	"fate-installer/supervisor/rpc"
)

// DefaultWait is how long a run waits for modules on other hosts: enough for an administrator to walk from one host to
// the next.
const DefaultWait = 10 * time.Minute

// InstallOptions are what an installation is asked for beyond what the host is to be.
type InstallOptions struct {
	Part   Part
	Wait   time.Duration // for modules on other hosts
	NoUndo bool          // leave a failed run as it is
	Force  bool          // overwrite configuration files that were edited here
	Change bool          // what is installed, into what the cluster file says
	Waive  []string      // checks to let pass, as ID=reason
	Trust  TrustOptions
	Plan   string // file of the plan that the installation must not differ from; blank: none
}

// Tell reports the end of a run that was successful, while no other run can change the host.
type Tell func(context.Context, engine.Report) error

// Install makes the host what is wanted, or repairs it. What a failed run has done is undone, but for data.
func (d *Deployment) Install(ctx context.Context, opts InstallOptions, tell Tell) error {
	if err := d.refuseInstall(ctx, opts); err != nil {
		return err
	}
	unlock, err := d.begin("install")
	if err != nil {
		return err
	}
	defer unlock()
	checks, err := d.checkAndWaive(ctx, opts.Waive)
	if err != nil {
		return err
	}
	if err := d.present(checks, opts.Trust); err != nil {
		return err
	}
	if err := d.verifyPayload(ctx); err != nil {
		return err
	}
	if err := d.recordWaivers(opts.Waive); err != nil {
		return err
	}
	if err := d.enter(state.Install, state.Change{To: d.wanted()}, d.spec); err != nil {
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
	if err := d.installed(opts.Part); err != nil {
		return err
	}
	report.Warnings = append(append(report.Warnings, d.sweep()...), d.warnSecretsElsewhere(replaced)...)
	return tell(ctx, report)
}

// refuseInstall refuses an installation that contradicts what is installed, or the plan that was reviewed.
func (d *Deployment) refuseInstall(ctx context.Context, opts InstallOptions) error {
	if err := d.Decide(state.Install); err != nil {
		return err
	}
	if err := d.refuseReplacement(); err != nil {
		return err
	}
	if err := d.refuseContradictions(opts.Change); err != nil {
		return err
	}
	if err := d.refuseUnknownPassword(ctx); err != nil {
		return err
	}
	if opts.Plan == "" {
		return nil
	}
	return d.refuseOtherPlan(ctx, opts)
}

// present shows what the host is going to be, who made the appliance, and what the checks have found. It refuses an
// appliance that is not trusted, and a host that cannot be installed on.
func (d *Deployment) present(checks []preflight.CheckResult, trust TrustOptions) error {
	d.cmd.Printf("%s\n", d.Headline())
	d.cmd.Notes(d.Notes())
	if err := d.checkTrust(trust); err != nil {
		return err
	}
	return d.preflight(checks)
}

// installed ends an installation whose steps are done.
func (d *Deployment) installed(p Part) error {
	if p.Mode != fate.ModeInstall && len(p.Only) == 0 {
		if err := d.endSecrets(); err != nil {
			return exit.With(err, exit.Step)
		}
	}
	if err := d.host.Remove(laterProgram(d.Layout())); err != nil { // the installed program does the purge from now on
		return exit.With(err, exit.Step)
	}
	return d.done()
}

// Survey checks every step of the plan and changes nothing.
func (d *Deployment) Survey(ctx context.Context, p Part, forceConfig bool) (engine.Survey, error) {
	plan, err := d.plan(p)
	if err != nil {
		return nil, err
	}
	return d.look(ctx, plan, forceConfig)
}

func (d *Deployment) look(ctx context.Context, plan engine.Plan, forceConfig bool) (engine.Survey, error) {
	journal, err := engine.ReadJournal(d.host, d.JournalPath())
	if err != nil {
		return nil, err
	}
	env := d.env(d.cmd.Run(0))
	env.Force = forceConfig
	return engine.Look(ctx, plan, env, journal)
}

// Headline says who this host is going to be.
func (d *Deployment) Headline() string {
	text := fmt.Sprintf("%s of party %d at %s", d.spec.Role, d.spec.PartyID, d.spec.IP)
	if d.spec.Role == cluster.RoleExchange {
		text = "exchange at " + d.spec.IP
	}
	if release := d.site.Env["FATE"]; release != "" {
		text += ", FATE " + release
	}
	if d.site.HasStandIns() {
		text += " (STAND-INS: this appliance carries test doubles of FATE, not FATE)"
	}
	return text
}

// recordWaivers keeps in the site file who let which check pass, and why. Reasons of earlier runs stay.
func (d *Deployment) recordWaivers(waive []string) error {
	waivers, err := ParseWaivers(waive)
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
func (d *Deployment) apply(ctx context.Context, opts InstallOptions) (engine.Report, error) {
	plan, err := d.plan(opts.Part)
	if err != nil {
		return engine.Report{}, err
	}
	if opts.Part.Mode == fate.ModeConfig {
		if err := d.needUnpacked(ctx, plan); err != nil {
			return engine.Report{}, err
		}
	}
	journal, err := engine.OpenJournal(d.host, d.JournalPath())
	if err != nil {
		return engine.Report{}, err
	}
	defer journal.Close()
	view := d.cmd.Run(d.unpackBytes())
	defer view.Close()
	view.Plan(plan, d.stored == nil)
	d.wait = programs.NewWaiter(d.spec, opts.Wait, view.Service)
	env := d.env(view)
	env.Force = opts.Force
	d.cmd.Progressf("applying %s, journal in %s\n", count.Of(len(plan.Nodes), "step"), d.JournalPath())
	report, err := engine.Apply(ctx, plan, env, journal, view.Event)
	if err == nil {
		return report, d.awaitReady(ctx)
	}
	view.Close()
	code := exit.Step
	var notReady *step.NotReadyError
	switch {
	case ctx.Err() != nil:
		return report, exit.Repeat(err, "", ": it goes on where it stopped")
	case errors.As(err, &notReady):
		// Everything is installed; taking it away again would take away the evidence.
		return report, exit.With(err, exit.NotReady)
	case d.passwordsChange():
		// The database may have new passwords already, which are not taken back: the files must go on to them.
		return report, exit.With(exit.DefaultRepeat(err,
			"passwords are being changed, so the host is left as it is: put the cause right and", ""), code)
	case opts.NoUndo:
		return report, exit.With(exit.DefaultRepeat(err, "the host is left as it is;", " to go on"), code)
	}
	d.undoFailed(context.WithoutCancel(ctx), env, journal)
	return report, exit.With(exit.DefaultRepeat(err, "put the cause right and", ""), code)
}

// undoFailed puts back what a failed run changed.
func (d *Deployment) undoFailed(ctx context.Context, env *engine.Env, journal *engine.Journal) {
	d.cmd.Progressf("undoing what this run changed\n")
	report, err := engine.Undo(ctx, env, journal, engine.LastAttempt,
		undoAttempt(d.host, d.Layout(), journal.Ledger()), nil)
	for _, o := range report.Steps {
		if o.Status == engine.UndoFailed || o.Status == engine.Left && !d.holdsData(o) {
			d.cmd.Undo(o, d.holdsData(o))
		}
	}
	undone, kept, left := d.tally(report)
	d.cmd.Printf("  %d undone, %d kept with data, %d left for the reasons given\n", undone, kept, left)
	d.undone = err == nil
	if err != nil {
		d.cmd.Printf("  not everything could be undone; uninstall tries again: %v\n", err)
	}
}

// awaitReady waits, when every step is done, for programs that become ready by what other hosts do.
func (d *Deployment) awaitReady(ctx context.Context) error {
	client, err := rpc.ClientOf(d.host, d.Layout().SupervisorSocket())
	if err != nil {
		return nil // in a tree nothing is started
	}
	defer client.Close()
	return d.wait.AwaitReady(ctx, client, d.spec)
}
