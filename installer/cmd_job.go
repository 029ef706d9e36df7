package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/flow"
	"fate-installer/installer/host"
	"fate-installer/installer/job"
	"fate-installer/installer/redact"

	"github.com/spf13/cobra"
)

// newJobCommand looks at jobs of the installed party.
func newJobCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "job",
		Short: "List jobs, and say why one failed",
		Long: `Look at the jobs of the installed party, of every user. Records come from FATE-Flow, or from its database when
FATE-Flow does not answer.

EXIT STATUS
` + exitHelp,
		Example: `  fate-installer job list
  fate-installer job why 202611290938001234560
  fate-installer job clean`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newJobListCommand(g), newJobWhyCommand(g), recorded(newJobCleanCommand(g)))
	return cmd
}

func newJobWhyCommand(g *globals) *cobra.Command {
	follow := false
	cmd := &cobra.Command{
		Use:   "why JOBID",
		Short: "Say why a job failed or does not go on, and what to do",
		Long: `Say why a job failed, or why it does not go on: its components with their times, the side that failed first, the
cause with the lines that show it, and what to do. It reads FATE-Flow's records of the job, the error reports of its
tasks, the logs of the job on this host and at the FATE-Flow of this party that ran it, the output of eggroll's workers,
the state of this host's programs and disks, and what the kernel killed. Passwords are taken out of what is shown.

It works for every job that this party takes part in, in any role. The initiator has the error reports of all parties;
the logs of each party are on its own hosts.

EXIT STATUS
  0    the job succeeded, or it runs and nothing is wrong that is known
  1    unexpected error
  2    wrong usage, nothing is installed here, or there is no such job
  3    the job failed or does not go on, and at least one cause is known
  4    the job failed, and no cause is known: the last errors of its logs are shown
  130  interrupted; the job goes on`,
		Example: `  fate-installer job why 202611290938001234560
  fate-installer job why --follow 202611290938001234560     # until it has ended
  fate-installer job why 202611290938001234560 -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.With(exit.Hint(errors.New("name one job"), "fate-installer job list"), exit.Usage)
			}
			return job.CheckID(args[0])
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runJobWhy(cmd.Context(), g, args[0], follow) },
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "follow the job's components until it has ended")
	return cmd
}

// partyJobs is an inspection of the installed party.
type partyJobs struct {
	*job.Inspector
	g    *globals
	host *host.Host
}

// openJobs prepares an inspection of the installed party.
func openJobs(g *globals) (*partyJobs, error) {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	spec, err := installed(g)
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	x, err := job.New(spec, h, redact.New(hostSecrets(g)))
	if err != nil {
		return nil, exit.With(errors.Join(err, h.Close()), exit.Usage)
	}
	return &partyJobs{x, g, h}, nil
}

func (x *partyJobs) close() {
	x.Inspector.Close()
	_ = x.host.Close() // it was only read
}

// inspect finds out about a job. The commands in remedies are such that the operator can paste them.
func (x *partyJobs) inspect(ctx context.Context, id string) (*job.Report, error) {
	report, err := x.Inspector.Inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := range report.Causes {
		report.Causes[i].Remedy = x.g.runnable(report.Causes[i].Remedy)
	}
	return report, nil
}

func runJobWhy(ctx context.Context, g *globals, id string, follow bool) error {
	x, err := openJobs(g)
	if err != nil {
		return err
	}
	defer x.close()
	if follow {
		if err := x.follow(ctx, id); err != nil {
			return err
		}
	}
	report, err := x.inspect(ctx, id)
	if err != nil {
		return err
	}
	if g.Output == outputJSON {
		if err := g.printJSON(report); err != nil {
			return err
		}
	} else {
		g.raw(report.Text(g.device(g.Stdout)))
	}
	return exitSilentlyUnless0(report.ExitCode())
}

func exitSilentlyUnless0(code int) error {
	if code == exit.OK {
		return nil
	}
	return exit.Silently(code)
}

// followInterval is the time between two looks at a job.
const followInterval = time.Second

// follow shows a job's components until it has ended. FATE-Flow may be away for a while.
func (x *partyJobs) follow(ctx context.Context, id string) error {
	view := newTaskView(x.g)
	defer view.clear()
	const bearable = 5
	for failures := 0; ; {
		jobs, err := x.Jobs(ctx, map[string]any{"job_id": id})
		if err == nil {
			failures = 0
			if len(jobs) == 0 || flow.Finished(job.OwnRecord(jobs).Status) {
				return nil
			}
			if tasks, err := x.Tasks(ctx, map[string]any{"job_id": id}); err == nil {
				view.show(id, tasks)
			}
		} else if failures++; failures > bearable || ctx.Err() != nil {
			return fmt.Errorf("cannot follow job %s: %w", id, err)
		}
		select {
		case <-time.After(followInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
