package main

import (
	"context"
	"fmt"
	"slices"

	"fate-installer/installer/job"
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
				if err := job.CheckID(id); err != nil {
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
	stale, err := x.Stale(ctx)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		if err := x.RefuseUnfinished(ctx, names); err != nil {
			return err
		}
		stale = slices.DeleteFunc(stale, func(s job.Stale) bool { return !slices.Contains(names, s.Job) })
	}
	cleaned := []cleanedJob{}
	for _, s := range stale {
		by, err := x.Clean(ctx, s.Job)
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
