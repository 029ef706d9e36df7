package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/state"
	"fate-installer/installer/step"
)

// Replacement is an upgrade or a rollback under way.
type Replacement struct {
	*transition
	d       *Deployment
	opts    ReplaceOptions
	verb    string
	changes []ComponentChange

	copyDatabase bool   // the tables or the server of the database will be changed
	database     string // of the versions that are brought back; blank: it stays
	kept         *slot  // the state before
}

// Deployment is what the replacement leads to.
func (r *Replacement) Deployment() *Deployment { return r.d }

// Close closes the deployment.
func (r *Replacement) Close() error { return r.d.Close() }

// names lists the components that are replaced.
func (r *Replacement) names() []string {
	var out []string
	for _, c := range r.changes {
		out = append(out, c.Name)
	}
	return out
}

// ReplaceOptions are what an upgrade or a rollback is asked for.
type ReplaceOptions struct {
	Waive          []string // checks to let pass, as ID=reason
	CancelJobs     bool     // instead of refusing while they run
	DatabaseCopied bool     // the administrator of a database server that is not ours has a copy
	Trust          TrustOptions

	// Test proves the party by a job; nil: it is not proved.
	Test func(context.Context, *cluster.Spec) error
}

// Run replaces, proves, and goes back when it fails. tell reports a run that was successful.
func (r *Replacement) Run(ctx context.Context, tell Tell) error {
	if r.verb == verbRollBack && r.unreported() {
		return r.reportAgain(ctx, tell)
	}
	unlock, err := r.begin(r.verb)
	if err != nil {
		return err
	}
	defer unlock()
	checks, err := r.d.checkAndWaive(ctx, r.opts.Waive)
	if err != nil {
		return err
	}
	if err := r.d.present(checks, r.opts.Trust); err != nil {
		return err
	}
	if err := r.noMountsInTheWay(); err != nil {
		return err
	}
	if err := r.refuse(ctx); err != nil {
		return err
	}
	if err := r.d.verifyPayload(ctx); err != nil {
		return err
	}
	if err := r.d.recordWaivers(r.opts.Waive); err != nil {
		return err
	}
	if r.resumes() {
		r.report.Printf("completing %s, which was interrupted\n", r.state.Doing())
	}
	for _, c := range r.changes {
		r.report.Printf("  %-14s %s -> %s\n", c.Name, orNew(c.From), c.To)
	}
	if err := r.begins(); err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return r.unprepared(ctx, err)
	}
	result, undone, err := r.d.apply(ctx, InstallOptions{Wait: DefaultWait,
		NoUndo: r.abandons()})
	if err != nil {
		return r.failed(ctx, err, undone)
	}
	return r.conclude(ctx, result, tell)
}

// noMountsInTheWay looks at what will be replaced before the first program is stopped.
func (r *Replacement) noMountsInTheWay() error {
	trees := make([]string, 0, len(r.changes)+2)
	for _, c := range r.changes {
		trees = append(trees, r.d.spec.UnpackTarget(c.Name))
	}
	if r.database != "" {
		trees = append(trees, r.Layout().DatabaseData(), r.database)
	}
	return noMounts(r.host, trees...)
}

func orNew(version string) string {
	if version == "" {
		return "(new)"
	}
	return version
}

// refuse looks, before anything is changed, for what speaks against the run.
func (r *Replacement) refuse(ctx context.Context) error {
	if len(r.changes) == 0 {
		return nil
	}
	var err error
	if r.verb == verbUpgrade && (r.host.Live() || r.replacesServer()) { // in a tree no table is changed
		if r.copyDatabase, err = r.needsDatabaseCopy(ctx); err != nil {
			return exit.With(fmt.Errorf("cannot upgrade: %w", err), exit.Preflight)
		}
		if err := r.refuseWithoutCopy(); err != nil {
			return exit.With(err, exit.Preflight)
		}
	}
	if r.verb == verbUpgrade && r.host.Live() {
		if err := r.refuseOldTables(ctx); err != nil {
			return err
		}
	}
	return r.refuseRunningJobs(ctx)
}

// replacesServer reports whether the database server of this host is replaced.
func (r *Replacement) replacesServer() bool {
	return slices.Contains(r.names(), r.d.spec.DatabaseEngine()) && r.d.spec.Runs(cluster.MySQL)
}

// The two kinds of a replacement, as what cannot be done when it fails.
const (
	verbUpgrade  = "upgrade"
	verbRollBack = "roll back"
)

// abandons reports whether the run takes back an upgrade that was not completed.
func (r *Replacement) abandons() bool {
	return r.move == state.Abandon || r.resumes() && r.state.Change.Abandons
}

// takeUp finds out what is replaced. Where a run was interrupted, that is what it had begun to replace: the trees, and
// what is remembered of them, may be of both versions.
func (r *Replacement) takeUp() error {
	change := r.state.Change
	switch {
	case r.abandons():
		from := change.To // of the upgrade
		if r.resumes() {
			from = change.From
		}
		r.d.stored = r.d.slot.Site.withRelease(from)
	case r.resumes():
		if !change.To.Equal(r.d.wanted()) {
			return exit.With(&state.RefusedError{State: r.state, Command: state.Upgrade}, exit.Contradicts)
		}
		if err := r.takeUpKept(); err != nil {
			return err
		}
	}
	r.changes = r.d.changes()
	return nil
}

// takeUpKept finds the slot that the interrupted run has made.
func (r *Replacement) takeUpKept() (err error) {
	if r.kept, err = r.findSlot(r.state.Change.Kept); err != nil || r.kept == nil {
		return err
	}
	r.d.stored = &r.kept.Site
	if r.verb == verbUpgrade && r.kept.Database != "" && !r.host.Exists(r.kept.Database) {
		r.kept.Database = "" // it was put back when the run failed, and has to be copied again
	}
	return nil
}

// begins stores what is about to be done.
func (r *Replacement) begins() error {
	change := state.Change{To: r.d.wanted()}
	if r.verb == verbRollBack {
		change.Slot, change.Consented, change.Abandons = r.d.slot.ID, r.database != "", r.abandons()
		if r.abandons() {
			change.From, change.Programs = r.d.stored.release(r.d.spec.Components()), r.state.Change.Programs
		}
	}
	return r.enter(change, r.d.spec)
}

// prepare keeps the present state and stops what is about to change.
func (r *Replacement) prepare(ctx context.Context) error {
	if len(r.changes) == 0 {
		return nil
	}
	if err := r.stop(ctx); err != nil {
		return err
	}
	if err := r.keep(ctx); err != nil {
		return err
	}
	switch {
	case r.abandons() && r.database != "":
		return r.discardDatabase(r.database)
	case r.database != "":
		return r.swapDatabase(r.database, r.kept.Database)
	case r.copyDatabase && r.d.spec.Runs(cluster.MySQL) && r.kept.Database == "":
		r.report.Printf("keeping a copy of the database\n")
		return r.guardDatabase(ctx, r.kept)
	}
	return nil
}

// keep makes the slot of this run, unless an interrupted one has made it.
func (r *Replacement) keep(ctx context.Context) (err error) {
	if r.kept != nil || r.abandons() {
		return nil
	}
	if r.kept, err = r.keepSlot(ctx, r.names()); err != nil {
		return err
	}
	if r.database != "" {
		r.kept.Database = r.copyOf(r.kept)
		if err := r.writeSlot(r.kept, r.kept.dir(r.Layout())); err != nil {
			return err
		}
	}
	return r.note(func(c *state.Change) { c.Kept = r.kept.ID })
}

// stop stops the programs whose components are replaced, and those that depend on them, dependents first. Which ran
// before is stored, so that a later run can start them again.
func (r *Replacement) stop(ctx context.Context) error {
	env := r.d.env(r.report.StepsBegin(0), nil)
	names := r.stopNames()
	if env.Services == nil || len(names) == 0 {
		return nil
	}
	statuses, err := env.Services.Status(ctx)
	if errors.Is(err, engine.ErrNoSupervisor) {
		return nil
	}
	if err != nil {
		return err
	}
	ran := slices.Clone(r.state.Change.Programs)
	for _, s := range statuses {
		if slices.Contains(names, s.Name) && s.Ready && !slices.Contains(ran, s.Name) {
			ran = append(ran, s.Name)
		}
	}
	if err := r.note(func(c *state.Change) { c.Programs = ran }); err != nil {
		return err
	}
	r.report.Progressf("stopping %s\n", strings.Join(names, ", "))
	return env.Services.Stop(ctx, names)
}

// unprepared ends a run that failed before its plan was begun. Where an earlier run had begun it, the host is left to
// the next one.
func (r *Replacement) unprepared(ctx context.Context, failure error) error {
	if r.resumes() || r.abandons() {
		return exit.With(exit.DefaultRepeat(failure, "put the cause right and", ""), exit.Step)
	}
	return exit.With(errors.Join(failure, r.takeBack(ctx)), exit.Step)
}

// failed ends a run whose plan could not be carried out. What is installed but not ready is left for a look; anything
// else has been undone by then, and the programs of before are started again.
func (r *Replacement) failed(ctx context.Context, failure error, undone bool) error {
	var notReady *step.NotReadyError
	if errors.As(failure, &notReady) || ctx.Err() != nil || !undone {
		after := ", or fate-installer rollback to bring the former versions back"
		if r.verb == verbRollBack {
			after = "; fate-installer svc status says which program is not ready"
		}
		return exit.DefaultRepeat(failure, "", after)
	}
	return errors.Join(failure, r.takeBack(ctx))
}

// takeBack goes back, also when the run was interrupted, and stores that nothing is in progress.
func (r *Replacement) takeBack(ctx context.Context) error {
	if err := r.goBack(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return r.takenBack()
}

// goBack puts the database back, and starts what was stopped.
func (r *Replacement) goBack(ctx context.Context) error {
	view := r.report.StepsBegin(0)
	defer view.StepsEnd()
	env := r.d.env(view, nil)
	if r.kept != nil {
		if r.kept.Database != "" && env.Services != nil {
			if err := env.Services.Stop(ctx, r.stopNames()); err != nil && !errors.Is(err, engine.ErrNoSupervisor) {
				return fmt.Errorf("cannot put the database back: %w", err) // a server may be running on it
			}
		}
		if err := r.returnDatabase(); err != nil {
			return fmt.Errorf("cannot put the database back: %w", err)
		}
	}
	ran := r.state.Change.Programs
	if env.Services == nil || len(ran) == 0 {
		return nil
	}
	r.report.Progressf("starting %s again\n", strings.Join(ran, ", "))
	return errors.Join(env.Services.Update(ctx, ran), env.Services.Start(ctx, ran, func(string) {}))
}

// returnDatabase puts the kept database in the place of one that another server may have changed.
func (r *Replacement) returnDatabase() error {
	switch {
	case r.kept.Database == "":
		return nil
	case r.database != "": // a rollback: the present one goes back to the slot that it came from
		if !r.host.Exists(r.kept.Database) {
			return nil // they were not exchanged yet
		}
		return r.swapDatabase(r.kept.Database, r.database)
	}
	return r.discardDatabase(r.kept.Database)
}

// prove compares the tables of the database, and runs a test where a FATE-Flow is at hand.
func (r *Replacement) prove(ctx context.Context) error {
	if err := r.compareTables(ctx); err != nil {
		return err
	}
	if r.opts.Test == nil || !r.host.IsSystem() || !r.d.spec.Runs(cluster.FateFlow) {
		return nil
	}
	return r.opts.Test(ctx, r.d.spec)
}
