package job

import (
	"context"
	"fmt"

	"fate-installer/installer/flow"
)

// Busy returns the ids of the jobs whose files are in use: those that run or wait, and those with a task that is
// recorded as running, whatever became of the job.
func (x *Inspector) Busy(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	err := x.read(ctx, func(r flow.Records) error {
		ids, err := flow.UnfinishedIn(ctx, r)
		for _, id := range ids {
			out[id] = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	tasks, err := x.Tasks(ctx, map[string]any{"party_status": flow.StatusRunning})
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		out[string(t.Job)] = true
	}
	return out, nil
}

// Any reports whether there is a record of any job.
func (x *Inspector) Any(ctx context.Context) (any bool, err error) {
	err = x.read(ctx, func(r flow.Records) error {
		jobs, err := r.LatestJobs(ctx, 1)
		any = len(jobs) > 0
		return err
	})
	return any, err
}

// Over reports whether a job has ended in every role of this party, and whether there is a record of it. One without a
// record has ended.
func (x *Inspector) Over(ctx context.Context, id string) (over, known bool, err error) {
	jobs, err := x.Jobs(ctx, map[string]any{"job_id": id})
	if err != nil {
		return false, false, err
	}
	over = true
	for _, j := range jobs {
		if string(j.ID) != id {
			return false, false, fmt.Errorf("asked for job %s, FATE-Flow answers with %q", id, j.ID)
		}
		known, over = true, over && !Unfinished(j.Status)
	}
	return over, known, nil
}

// ModelPaths returns the models that FATE-Flow's tables refer to, as their paths below model_local_cache. Only the
// database lists them.
func (x *Inspector) ModelPaths(ctx context.Context) (map[string]bool, error) {
	db, err := x.database()
	if err != nil {
		return nil, err
	}
	return db.ModelPaths(ctx)
}
