package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fate-installer/installer/flow"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

func newJobCleanCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "clean [JOBID...]",
		Short: "End tasks that are recorded as running although their job has ended",
		Long: `End the tasks that are recorded as running although their job has ended more than a minute ago. FATE-Flow leaves them
when it is killed while it runs them. Without names all such jobs are cleaned. FATE-Flow is asked to stop what is left of
the job, also at other parties; what it leaves is then marked as failed in its table t_task. Jobs that have not ended are
never touched, and models, tables and logs stay.

EXIT STATUS
  0    done, also when there was nothing to do
  1    unexpected error, or a task is still recorded as running
  2    wrong usage, nothing is installed here, or a named job has not ended
  130  interrupted`,
		Example: `  fate-installer job clean
  fate-installer job clean 202611290938001234560 -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, id := range args {
				if err := checkJobID(id); err != nil {
					return err
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runJobClean(cmd.Context(), g, args) },
	}
}

// jobCleanOutput is the JSON document of job clean.
type jobCleanOutput struct {
	Cleaned []cleanedJob `json:"cleaned"` // the jobs whose tasks were ended
}

// cleanedJob is a line of the result of job clean.
type cleanedJob struct {
	Job   string `json:"job"`   // its ID
	Tasks int    `json:"tasks"` // number of tasks that were recorded as running
	By    string `json:"by"`    // what ended them: fate_flow or database
}

func runJobClean(ctx context.Context, g *globals, names []string) error {
	x, err := openJobs(g)
	if err != nil {
		return err
	}
	defer x.close()
	stale, err := x.staleJobs(ctx)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		if err := x.refuseUnfinished(ctx, names); err != nil {
			return err
		}
		stale = slices.DeleteFunc(stale, func(s staleJob) bool { return !slices.Contains(names, s.Job) })
	}
	cleaned := []cleanedJob{}
	for _, s := range stale {
		by, err := x.clean(ctx, s.Job)
		if err != nil {
			return fmt.Errorf("cannot clean job %s: %w", s.Job, err)
		}
		cleaned = append(cleaned, cleanedJob{s.Job, s.Tasks, by})
		g.printf("job %s: %s ended\n", s.Job, count.Of(s.Tasks, "task", "tasks"))
	}
	if g.Output == outputJSON {
		return g.printJSON(jobCleanOutput{cleaned})
	}
	if len(cleaned) == 0 {
		g.printf("nothing to do: no job that has ended has a task that is recorded as running\n")
	}
	return nil
}

// refuseUnfinished refuses jobs that have not ended, and such that there are not.
func (x *jobInspector) refuseUnfinished(ctx context.Context, names []string) error {
	for _, id := range names {
		jobs, err := x.jobs(ctx, map[string]any{"job_id": id})
		if err != nil {
			return err
		}
		if len(jobs) == 0 {
			return exitCode(withHint(fmt.Errorf("cannot clean job %s: party %d has no record of it", id,
				x.spec.PartyID), "fate-installer job list"), exitUsage)
		}
		for _, j := range jobs {
			if unfinished(j.Status) {
				return exitCode(withHint(fmt.Errorf("cannot clean job %s: it is %s", id, j.Status),
					"stop it first: flow job stop -j "+id), exitUsage)
			}
		}
	}
	return nil
}

// cleanTimeout is how long FATE-Flow may take to end the tasks of a job before its table is changed.
const cleanTimeout = 20 * time.Second

// clean ends the tasks of a job that has ended, and says who did it.
func (x *jobInspector) clean(ctx context.Context, id string) (by string, err error) {
	if x.source == fromFlow {
		limited, cancel := context.WithTimeout(ctx, cleanTimeout)
		// That it fails is no matter: what is left is looked at.
		_ = x.client.Stop(limited, id, flow.StatusFailed)
		cancel()
		if left, err := x.tasks(ctx, map[string]any{"job_id": id, "party_status": flow.StatusRunning}); err == nil &&
			len(left) == 0 {
			return fromFlow, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	db, err := x.database()
	if err != nil {
		return "", withHint(fmt.Errorf("FATE-Flow has not ended its tasks, and its database cannot be changed "+
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
