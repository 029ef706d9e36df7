package deploy

import (
	"context"
	"fmt"
	"slices"

	"fate-installer/installer/exit"
	"fate-installer/installer/state"
)

// conclude stores that the replacement is done, proves it, and says so.
func (r *Replacement) conclude(ctx context.Context, result *Result, tell Tell) error {
	if err := r.complete(); err != nil {
		return err
	}
	result.Warnings = slices.Concat(result.Warnings, r.sweep(), r.formerFiles())
	err := r.prove(ctx)
	if err != nil {
		r.warn(result.Warnings)
		err = r.unproven(ctx, err)
	} else {
		err = tell(ctx, result)
	}
	if ctx.Err() == nil && (err == nil || exit.Given(err) == exit.Unproven) {
		r.reported()
	}
	return err
}

// complete stores that the replacement is done. From then on the ways back that the one of this run has replaced are
// not needed. A run that had nothing to replace has none of its own.
func (r *Replacement) complete() error {
	way := r.state.Slot
	if r.kept != nil {
		way = r.kept.ID
	}
	done := r.state.Done(r.d.wanted(), way)
	if r.verb == verbRollBack {
		done.Unreported = state.Rollback // again it would go forward
	}
	return r.save(done)
}

// unproven ends a run after which the programs are ready, but the tables are wrong or the toy test fails.
func (r *Replacement) unproven(ctx context.Context, failure error) error {
	if ctx.Err() != nil {
		return failure
	}
	if r.verb == verbRollBack {
		return exit.Hint(exit.With(fmt.Errorf("the former versions are running and failed their test: %w", failure),
			exit.Unproven),
			"fate-installer svc status and svc logs say more; a second rollback returns to the newer versions")
	}
	return exit.Hint(exit.With(fmt.Errorf("the new versions are running and failed their test: %w", failure),
		exit.Unproven),
		"run fate-installer rollback to bring the former versions and their database back")
}

// unreported reports whether the last rollback was completed, and its command ended before it said so. The same command
// again then completes that rollback, and does not return to the newer versions.
func (t *transition) unreported() bool { return t.state.Unreported == state.Rollback }

// reportAgain ends a completed rollback whose command ended before.
func (r *Replacement) reportAgain(ctx context.Context, tell Tell) error {
	unlock, err := r.begin(r.verb)
	if err != nil {
		return err
	}
	defer unlock()
	r.report.Printf("the rollback to %s was completed, and its command ended before it said so; another rollback returns "+
		"to the newer versions\n",
		r.d.wanted())
	return r.conclude(ctx, &Result{services: r.d.env(r.report.StepsBegin(0), nil).Services}, tell)
}

// reported stores that the end of the rollback was reported.
func (t *transition) reported() {
	if !t.unreported() {
		return
	}
	s := t.state
	s.Unreported = ""
	if err := t.save(s); err != nil {
		t.report.Printf("warning: the next rollback only says again that this one is complete: %v\n", err)
	}
}
