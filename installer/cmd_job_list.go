package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/job"
	"fate-installer/installer/redact"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

func newJobListCommand(g *globals) *cobra.Command {
	limit := 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the latest jobs of this party",
		Long: `List the latest jobs that this party takes part in, the newest first, and count the jobs that have ended but whose
tasks are still recorded as running: FATE-Flow leaves such tasks when it is killed while it runs them. job clean ends them.

EXIT STATUS
  0    done
  1    unexpected error, or neither FATE-Flow nor its database answers
  2    wrong usage, or nothing is installed here
  130  interrupted`,
		Example: `  fate-installer job list
  fate-installer job list --limit 100 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runJobList(cmd.Context(), g, limit) },
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "show at most `N` jobs, 1 to 1000")
	return cmd
}

func runJobList(ctx context.Context, g *globals, limit int) error {
	if limit < 1 || limit > 1000 {
		return exit.With(fmt.Errorf("cannot list %d jobs: --limit takes 1 to 1000", limit), exit.Usage)
	}
	x, err := openJobs(g)
	if err != nil {
		return err
	}
	defer x.close()
	listing, err := x.List(ctx, limit)
	if err != nil {
		return err
	}
	if g.Output == outputJSON {
		return g.printJSON(listing)
	}
	return writeJobs(g, listing)
}

func writeJobs(g *globals, l *job.Listing) error {
	if len(l.Jobs) == 0 {
		g.printf("no jobs\n")
	} else {
		table := g.newTable("JOB", "STATUS", "ROLES HERE", "INITIATOR", "SUBMITTED", "TIME", "CORES")
		for _, j := range l.Jobs {
			took, cores, submitted := "", "", ""
			if j.Seconds > 0 {
				took = time.Duration(j.Seconds * float64(time.Second)).Round(time.Second).String()
			}
			if j.Cores > 0 {
				cores = fmt.Sprint(j.Cores)
			}
			if !j.Submitted.IsZero() {
				submitted = j.Submitted.Format(time.DateTime)
			}
			table.row(j.Job, j.Status, strings.Join(j.Roles, ", "), j.Initiator, submitted, took, cores)
		}
		if err := table.flush(); err != nil {
			return err
		}
	}
	for _, s := range l.Stale {
		g.printf("job %s has ended, and %s still recorded as running\n", redact.Printable(s.Job),
			count.Of(s.Tasks, "task is", "tasks are"))
	}
	if n := len(l.Stale); n > 0 {
		g.advisef("%s of FATE-Flows that were ended while they ran them: fate-installer job clean ends them\n",
			count.Of(n, "job has tasks", "jobs have tasks"))
	}
	for _, p := range l.Problems {
		g.printf("note: %s\n", p)
	}
	return nil
}
