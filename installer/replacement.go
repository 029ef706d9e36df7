package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate"
	"fate-installer/installer/flow"
	"fate-installer/installer/step"
)

// replacement is an upgrade or a rollback under way.
type replacement struct {
	*deployment
	opts    *replaceOptions
	verb    string
	changes []change

	copyDatabase bool     // the tables or the server of the database will be changed
	database     string   // of the versions that are brought back; blank: it stays
	kept         *slot    // the state before
	ran          []string // programs that were stopped
}

func (r *replacement) names() []string {
	var out []string
	for _, c := range r.changes {
		out = append(out, c.Name)
	}
	return out
}

// run replaces, proves, and goes back when it fails.
func (r *replacement) run(ctx context.Context) error {
	started := time.Now()
	unlock, err := r.begin(r.verb)
	if err != nil {
		return err
	}
	defer unlock()
	r.g.printf("%s\n", r.headline())
	printNotes(r.g, r.notes())
	if err := r.checkTrust(r.opts.trust); err != nil {
		return err
	}
	if err := r.preflight(ctx, r.opts.waive); err != nil {
		return err
	}
	if err := r.noMountsInTheWay(); err != nil {
		return err
	}
	if err := r.refuse(ctx); err != nil {
		return err
	}
	if err := r.proveAppliance(ctx); err != nil {
		return err
	}
	if err := r.recordWaivers(r.opts.waive); err != nil {
		return err
	}
	for _, c := range r.changes {
		r.g.printf("  %-14s %s -> %s\n", c.Name, orNew(c.From), c.To)
	}
	earlier, err := loadSlots(r.host, r.layout())
	if err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return exitCode(errors.Join(err, r.goBack(context.WithoutCancel(ctx))), exitStep)
	}
	report, err := r.apply(ctx, &installOptions{mode: string(fate.ModeDeploy), wait: defaultWait})
	if err != nil {
		return r.failed(ctx, err)
	}
	if err := r.dropEarlier(earlier); err != nil {
		r.g.printf("warning: cannot remove what was kept before: %v\n", err)
	}
	if err := r.prove(ctx); err != nil {
		return r.unproven(ctx, err)
	}
	return r.printEnd(ctx, report, time.Since(started), fate.ModeDeploy)
}

// noMountsInTheWay looks at what will be replaced before the first program is stopped.
func (r *replacement) noMountsInTheWay() error {
	trees := make([]string, 0, len(r.changes)+2)
	for _, c := range r.changes {
		trees = append(trees, r.spec.UnpackTarget(c.Name))
	}
	if r.database != "" {
		trees = append(trees, r.layout().DatabaseData(), r.database)
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
func (r *replacement) refuse(ctx context.Context) error {
	if len(r.changes) == 0 {
		return nil
	}
	var err error
	if r.verb == verbUpgrade && r.host.Live() {
		if r.copyDatabase, err = r.needsDatabaseCopy(ctx); err != nil {
			return exitCode(fmt.Errorf("cannot upgrade: %w", err), exitPreflight)
		}
		if err := r.refuseWithoutCopy(); err != nil {
			return exitCode(err, exitPreflight)
		}
		if err := r.refuseOldTables(ctx); err != nil {
			return err
		}
	}
	return r.refuseRunningJobs(ctx)
}

// The two kinds of a replacement, as what cannot be done when it fails.
const (
	verbUpgrade  = "upgrade"
	verbRollBack = "roll back"
)

// unproven ends a run after which the programs are ready, but the tables are wrong or the toy test fails.
func (r *replacement) unproven(ctx context.Context, failure error) error {
	if ctx.Err() != nil {
		return failure
	}
	if r.verb == verbRollBack {
		return withHint(exitCode(fmt.Errorf("the former versions are running and failed their test: %w", failure), exitUnproven),
			"fate-installer svc status and svc logs say more; a second rollback returns to the newer versions")
	}
	return withHint(exitCode(fmt.Errorf("the new versions are running and failed their test: %w", failure), exitUnproven),
		"run fate-installer rollback to bring the former versions and their database back")
}

// prepare keeps the present state and stops what is about to change.
func (r *replacement) prepare(ctx context.Context) error {
	if len(r.changes) == 0 {
		return nil
	}
	var err error
	if err := r.stop(ctx); err != nil {
		return err
	}
	if r.kept, err = r.keepSlot(ctx, r.names()); err != nil {
		return err
	}
	if r.database != "" {
		return r.bringDatabase()
	}
	if r.copyDatabase && r.spec.Runs(fate.MySQL) {
		r.g.printf("keeping a copy of the database\n")
		return r.guardDatabase(ctx, r.kept)
	}
	return nil
}

// stop stops the programs whose components are replaced, and those that depend on them, dependents first.
func (r *replacement) stop(ctx context.Context) error {
	env := r.env(newRunView(r.g, 0))
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
	for _, s := range statuses {
		if slices.Contains(names, s.Name) && s.Ready {
			r.ran = append(r.ran, s.Name)
		}
	}
	r.g.printf("stopping %s\n", strings.Join(names, ", "))
	return env.Services.Stop(ctx, names)
}

// failed ends a run whose plan could not be carried out. What is installed but not ready is left for a look; anything
// else has been undone by then, and the programs of before are started again.
func (r *replacement) failed(ctx context.Context, failure error) error {
	var notReady *step.NotReadyError
	if errors.As(failure, &notReady) || ctx.Err() != nil {
		hint := "run the same command again, or fate-installer rollback to bring the former versions back"
		if r.verb == verbRollBack {
			hint = "run the same command again; fate-installer svc status says which program is not ready"
		}
		return withDefaultHint(failure, hint)
	}
	return errors.Join(failure, r.goBack(context.WithoutCancel(ctx)))
}

// goBack puts the database back, drops the slot, and starts what was stopped.
func (r *replacement) goBack(ctx context.Context) error {
	var errs []error
	env := r.env(newRunView(r.g, 0))
	if r.kept != nil {
		if r.kept.Database != "" && env.Services != nil {
			if err := env.Services.Stop(ctx, r.stopNames()); err != nil && !errors.Is(err, engine.ErrNoSupervisor) {
				return fmt.Errorf("cannot put the database back: %w", err) // a server may be running on it
			}
		}
		errs = append(errs, r.returnDatabase(), r.dropSlots(r.kept))
	}
	if env.Services != nil && len(r.ran) > 0 {
		r.g.printf("starting %s again\n", strings.Join(r.ran, ", "))
		errs = append(errs, env.Services.Update(ctx, r.ran), env.Services.Start(ctx, r.ran, func(string) {}))
	}
	return errors.Join(errs...)
}

// bringDatabase gives the versions that are brought back their database. The present one is kept in the place of that.
func (r *replacement) bringDatabase() error {
	if err := r.host.Exchange(r.layout().DatabaseData(), r.database); err != nil {
		return fmt.Errorf("cannot bring the database back: %w", err)
	}
	r.kept.Database = r.database
	return r.writeSlot(r.kept, r.kept.dir(r.layout()))
}

// returnDatabase puts the kept database in the place of one that another server may have changed.
func (r *replacement) returnDatabase() error {
	if r.kept.Database == "" {
		return nil
	}
	if err := r.host.Exchange(r.layout().DatabaseData(), r.kept.Database); err != nil {
		return fmt.Errorf("cannot put the database back: %w", err)
	}
	if r.kept.Database == r.database {
		r.kept.Database = "" // it is again that of the slot it came from
	}
	return nil
}

// dropEarlier removes the slots that the one of this run takes the place of. A run that goes on where another one was cut
// off has none of its own: the other's is the way back.
func (r *replacement) dropEarlier(earlier []*slot) error {
	if r.kept == nil {
		return nil
	}
	for _, s := range earlier {
		if s.Database == r.kept.Database {
			s.Database = ""
		}
	}
	return r.dropSlots(earlier...)
}

// prove compares the tables of the database, and runs the toy test where a FATE-Flow is at hand.
func (r *replacement) prove(ctx context.Context) error {
	if err := r.compareTables(ctx); err != nil {
		return err
	}
	if r.opts.noTest || !r.host.IsSystem() || !r.spec.Runs(fate.FateFlow) {
		return nil
	}
	test := &jobTestOptions{taskCores: 2, timeout: r.opts.timeout}
	result, err := toyTest(ctx, r.g, r.spec, test)
	var failed *flow.JobError
	if errors.As(err, &failed) && ctx.Err() == nil {
		// A node that has just been started may not have told the clustermanager yet that it takes work.
		r.g.printf("once more, since everything was just started: %s\n", failed.Reason)
		result, err = toyTest(ctx, r.g, r.spec, test)
	}
	if err == nil {
		r.g.printf("toy test passed in %s: %s\n", result.Elapsed.Round(time.Second), result.Line)
	}
	return err
}
