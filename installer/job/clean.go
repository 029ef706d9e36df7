package job

import (
	"context"
	"fmt"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/flow"
	"fate-installer/payload/count"
)

// RefuseUnfinished refuses jobs that have not ended, and such that there are not.
func (x *Inspector) RefuseUnfinished(ctx context.Context, names []string) error {
	for _, id := range names {
		jobs, err := x.Jobs(ctx, map[string]any{"job_id": id})
		if err != nil {
			return err
		}
		if len(jobs) == 0 {
			return exit.With(exit.Hint(fmt.Errorf("cannot clean job %s: party %d has no record of it", id,
				x.spec.PartyID), "fate-installer job list"), exit.Usage)
		}
		for _, j := range jobs {
			if Unfinished(j.Status) {
				return exit.With(exit.Hint(fmt.Errorf("cannot clean job %s: it is %s", id, j.Status),
					"stop it first: flow job stop -j "+id), exit.Usage)
			}
		}
	}
	return nil
}

// cleanTimeout is how long FATE-Flow may take to end the tasks of a job before its table is changed.
const cleanTimeout = 20 * time.Second

// Clean ends the tasks of a job that has ended, and says who did it.
func (x *Inspector) Clean(ctx context.Context, id string) (by string, err error) {
	if x.source == fromFlow {
		limited, cancel := context.WithTimeout(ctx, cleanTimeout)
		// That it fails is no matter: what is left is looked at.
		_ = x.client.Stop(limited, id, flow.StatusFailed)
		cancel()
		if left, err := x.Tasks(ctx, map[string]any{"job_id": id, "party_status": flow.StatusRunning}); err == nil &&
			len(left) == 0 {
			return fromFlow, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	db, err := x.database()
	if err != nil {
		return "", exit.Hint(fmt.Errorf("FATE-Flow has not ended its tasks, and its database cannot be changed "+
			"from here: %w", err),
			"run it on the host of FATE-Flow or of the database")
	}
	if _, err := db.EndTasks(ctx, id); err != nil {
		return "", err
	}
	left, err := db.Tasks(ctx, map[string]any{"job_id": id, "party_status": flow.StatusRunning})
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s still recorded as running", count.Of(len(left), "task is", "tasks are"))
	}
	return fromDatabase, err
}
