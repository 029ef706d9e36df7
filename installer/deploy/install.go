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
	"fate-installer/installer/problem"
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
	Keys   Keys
	Wait   time.Duration // for modules on other hosts
	NoUndo bool          // leave a failed run as it is
	Force  bool          // overwrite configuration files that were edited here
	Change bool          // what is installed, into what the cluster file says
	Waive  []string      // checks to let pass, as ID=reason
	Trust  TrustOptions
	Plan   string // file of the plan that the installation must not differ from; blank: none
}

// Tell reports the end of a run that was successful, while no other run can change the host.
type Tell func(context.Context, *Result) error

// Result is what a successful run has done.
type Result struct {
	engine.Report
	Waiting []programs.Absence // programs that were left to wait for other hosts

	services engine.Services // nil in a tree
}

// Programs lists the programs of the host with their states; in a tree nothing runs.
func (r *Result) Programs(ctx context.Context) ([]engine.ServiceStatus, error) {
	if r.services == nil {
		return nil, nil
	}
	return r.services.Status(ctx)
}

// Install makes the host what is wanted, or repairs it. What a failed run has done is undone, but for data.
func (d *Deployment) Install(ctx context.Context, opts InstallOptions, tell Tell) error {
	if err := d.useKeys(opts.Keys); err != nil {
		return err
	}
	t, err := d.decide(state.Install)
	if err != nil {
		return err
	}
	if err := d.refuseInstall(ctx, t, opts); err != nil {
		return err
	}
	unlock, err := d.begin("install")
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.refuseOtherPlan(ctx, opts); err != nil { // another run may have changed the host since the first look
		return err
	}
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
	if err := t.enter(state.Change{To: d.wanted()}, d.spec); err != nil {
		return exit.With(err, exit.Step)
	}
	changed, err := d.beginSecrets(t)
	if err != nil {
		return exit.With(err, exit.Step)
	}
	replaced := d.secrets.Records.Unfinished()
	result, undone, err := d.apply(ctx, opts)
	if undone {
		err = errors.Join(err, t.takenBack())
	}
	if err != nil {
		return err
	}
	if err := d.installed(t, opts.Part, changed); err != nil {
		return err
	}
	result.Warnings = slices.Concat(result.Warnings, t.sweep(), d.warnSecretsElsewhere(replaced))
	return tell(ctx, result)
}

// refuseInstall refuses an installation that contradicts what is installed, or the plan that was reviewed.
func (d *Deployment) refuseInstall(ctx context.Context, t *transition, opts InstallOptions) error {
	if err := d.refuseReplacement(t); err != nil {
		return err
	}
	if err := d.refuseContradictions(opts.Change); err != nil {
		return err
	}
	if err := d.refuseUnknownPassword(ctx); err != nil {
		return err
	}
	return d.refuseOtherPlan(ctx, opts)
}

// present shows what the host is going to be, who made the appliance, and what the checks have found. It refuses an
// appliance that is not trusted, and a host that cannot be installed on.
func (d *Deployment) present(checks []preflight.CheckResult, trust TrustOptions) error {
	d.report.Printf("%s\n", d.Headline())
	d.report.Notes(d.Notes())
	if err := d.checkTrust(trust); err != nil {
		return err
	}
	return d.preflight(checks)
}

// installed ends an installation whose steps are done. changed are the names of the secrets that it has changed.
func (d *Deployment) installed(t *transition, p Part, changed []string) error {
	if p.Mode != fate.ModeInstall && len(p.Modules) == 0 {
		if err := d.endSecrets(changed); err != nil {
			return exit.With(err, exit.Step)
		}
	}
	if err := d.host.Remove(laterProgram(d.Layout())); err != nil { // the installed program does the purge from now on
		return exit.With(err, exit.Step)
	}
	return t.save(t.state.Done(d.wanted(), t.state.Slot))
}

// Preview is what Install would do with the same options.
type Preview struct {
	Survey  engine.Survey    // every step of the plan, in its order
	Verdict Verdict          // which command would carry it out
	Notes   problem.Problems // about the configuration
}

// Preview says what Install would do, and changes nothing.
func (d *Deployment) Preview(ctx context.Context, opts InstallOptions) (*Preview, error) {
	if err := d.useKeys(opts.Keys); err != nil {
		return nil, err
	}
	survey, err := d.survey(ctx, opts.Part, opts.Force)
	if err != nil {
		return nil, err
	}
	verdict, err := d.verdict()
	if err != nil {
		return nil, err
	}
	return &Preview{survey, verdict, d.Notes()}, nil
}

// Survey checks every step of the whole plan, but for those of TLS keys, and changes nothing.
func (d *Deployment) Survey(ctx context.Context) (engine.Survey, error) {
	return d.survey(ctx, Part{}, false)
}

func (d *Deployment) survey(ctx context.Context, p Part, forceConfig bool) (engine.Survey, error) {
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
	env := d.env(d.report.StepsBegin(0), nil)
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
		text = fmt.Sprintf("%s (STAND-INS: this appliance carries test doubles of FATE, not FATE)", text)
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

// apply carries out the plan; a failed run is undone as far as it is ours and not data. undone reports that all of it
// was.
func (d *Deployment) apply(ctx context.Context, opts InstallOptions) (result *Result, undone bool, err error) {
	plan, err := d.plan(opts.Part)
	if err != nil {
		return nil, false, err
	}
	if opts.Part.Mode == fate.ModeConfig {
		if err := d.needUnpacked(ctx, plan); err != nil {
			return nil, false, err
		}
	}
	journal, err := engine.OpenJournal(d.host, d.JournalPath())
	if err != nil {
		return nil, false, err
	}
	defer journal.Close()
	view := d.report.StepsBegin(d.unpackBytes())
	defer view.StepsEnd()
	view.PlanKnown(plan, d.stored == nil)
	wait := programs.NewWaiter(d.spec, opts.Wait, view.ProgramEvent)
	env := d.env(view, wait)
	env.Force = opts.Force
	d.report.Progressf("applying %s, journal in %s\n", count.Of(len(plan.Nodes), "step"), d.JournalPath())
	report, err := engine.Apply(ctx, plan, env, journal, view.StepEvent)
	if err == nil {
		err = d.awaitReady(ctx, wait)
		return &Result{report, wait.Absences(), env.Services}, false, err
	}
	view.StepsEnd()
	if kept := d.leftAsItIs(ctx, err, opts.NoUndo); kept != nil {
		return nil, false, kept
	}
	undone = d.undoFailed(context.WithoutCancel(ctx), env, journal)
	return nil, undone, exit.With(exit.DefaultRepeat(err, "put the cause right and", ""), exit.Step)
}

// leftAsItIs is the error of a failed run that is not undone; nil: it is.
func (d *Deployment) leftAsItIs(ctx context.Context, failure error, noUndo bool) error {
	var notReady *step.NotReadyError
	switch {
	case ctx.Err() != nil:
		return exit.Repeat(failure, "", ": it goes on where it stopped")
	case errors.As(failure, &notReady):
		// Everything is installed; taking it away again would take away the evidence.
		return exit.With(failure, exit.NotReady)
	case d.passwordsChange():
		// The database may have new passwords already, which are not taken back: the files must go on to them.
		return exit.With(exit.DefaultRepeat(failure,
			"passwords are being changed, so the host is left as it is: put the cause right and", ""), exit.Step)
	case noUndo:
		return exit.With(exit.DefaultRepeat(failure, "the host is left as it is;", " to go on"), exit.Step)
	}
	return nil
}

// undoFailed puts back what a failed run changed, and reports whether all of it was.
func (d *Deployment) undoFailed(ctx context.Context, env *engine.Env, journal *engine.Journal) bool {
	d.report.Progressf("undoing what this run changed\n")
	view := d.report.StepsBegin(0)
	env.UndoBegins = view.UndoBegins
	report, err := engine.Undo(ctx, env, journal, engine.LastAttempt,
		undoAttempt(d.host, d.Layout(), journal.Ledger()), func(o engine.UndoOutcome) { view.UndoEnds(o.ID) })
	view.StepsEnd()
	for _, o := range report.Steps {
		if o.Status == engine.UndoFailed || o.Status == engine.Left && !d.holdsData(o) {
			d.report.UndoOutcome(o, d.holdsData(o))
		}
	}
	undone, kept, left := d.tally(report)
	d.report.Printf("  %d undone, %d kept with data, %d left for the reasons given\n", undone, kept, left)
	if err != nil {
		d.report.Printf("  not everything could be undone; uninstall tries again: %v\n", err)
	}
	return err == nil
}

// awaitReady waits, when every step is done, for programs that become ready by what other hosts do.
func (d *Deployment) awaitReady(ctx context.Context, wait *programs.Waiter) error {
	client, err := rpc.ClientOf(d.host, d.Layout().SupervisorSocket())
	if err != nil {
		return nil // in a tree nothing is started
	}
	defer client.Close()
	return wait.AwaitReady(ctx, client, d.spec)
}
