package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/flow"
	"fate-installer/installer/job"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// jobTestOptions are the flags that the tests share.
type jobTestOptions struct {
	guest, host int
	taskCores   int
	timeout     time.Duration
}

func (o *jobTestOptions) addFlags(f *pflag.FlagSet, timeout time.Duration) {
	f.IntVar(&o.guest, "guest", 0, "guest's party `id` (default: this party)")
	f.IntVar(&o.host, "host", 0, "host's party `id` (default: this party)")
	f.IntVar(&o.taskCores, "task-cores", 2, "`cores` a job asks for")
	f.DurationVar(&o.timeout, "timeout", timeout, "`time` the test may take")
}

// parties fills in this party for the ids that were not given.
func (o *jobTestOptions) parties(spec *cluster.Spec) (guest, host int) {
	return cmp.Or(o.guest, spec.PartyID), cmp.Or(o.host, spec.PartyID)
}

// newTestCommand proves that the installed party computes.
func newTestCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Prove that jobs run, alone or with another party",
		Long: `Prove that jobs run. The tests are FATE's own; they are judged by the job's last state and its result, because
FATE's command-line client exits with 0 whatever happened.

EXIT STATUS
` + exitHelp,
		Example: `  fate-installer test toy
  fate-installer test toy --guest 9999 --host 10000
  fate-installer test min`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newToyCommand(g), newMinCommand(g))
	return cmd
}

func newToyCommand(g *globals) *cobra.Command {
	opts := &jobTestOptions{}
	cmd := &cobra.Command{
		Use:   "toy",
		Short: "Run the toy job: two sides add up numbers without showing them",
		Long: `Run FATE's toy job on the installed party and judge it. It passes through flow, eggroll and the rollsites of both
sides. Without --guest and --host both sides are this party, which tests it alone; with another party's id it tests the
way there and back. Run it on the guest's host.

Before the job is submitted, nodemanagers of this party on other hosts that do not answer are named, and the job is not
submitted when jobs that hang hold all workers of FATE-Flow.

Components are shown as they start and end, on a terminal with the time they have taken so far. When the job fails, what
is printed is what fate-installer job why says of it.

EXIT STATUS
  0    the job succeeded and its sum is right
  1    the job failed, did not end in time, gave a wrong sum, or could not be submitted
  2    wrong usage, or nothing is installed here
  130  interrupted; the job was stopped`,
		Example: `  fate-installer test toy
  fate-installer test toy --guest 9999 --host 10000 --timeout 5m`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runToy(cmd.Context(), g, opts) },
	}
	opts.addFlags(cmd.Flags(), 5*time.Minute)
	return cmd
}

func runToy(ctx context.Context, g *globals, opts *jobTestOptions) error {
	spec, err := installed(g)
	if err != nil {
		return err
	}
	result, err := toyTest(ctx, g, spec, opts)
	if err != nil {
		return err
	}
	if g.Output == outputJSON {
		return g.printJSON(result)
	}
	g.printf("passed in %s: %s\n", result.Elapsed.Round(time.Second), result.Line)
	return nil
}

// toyTest runs the toy job on an installation, with live output.
func toyTest(ctx context.Context, g *globals, spec *cluster.Spec, opts *jobTestOptions) (*flow.ToyResult, error) {
	view := newTaskView(g)
	defer view.clear()
	toy := flow.Toy{TaskCores: opts.taskCores, Timeout: opts.timeout, Watcher: view.watcher("toy test")}
	toy.Guest, toy.Host = opts.parties(spec)
	client, err := job.FlowClient(spec)
	if err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	g.printf("guest %d, host %d, through %s\n", toy.Guest, toy.Host, client.BaseURL)
	if err := checkJobsCanRun(ctx, g, spec); err != nil {
		return nil, err
	}
	var result *flow.ToyResult
	err = whileProgramsRun(ctx, g, func(ctx context.Context) (err error) {
		result, err = toy.Run(ctx, client)
		return err
	})
	view.clear()
	if err != nil {
		return nil, explained(ctx, g, view, diagnosed(ctx, g, spec, err))
	}
	return result, nil
}

// watcher prints each new state of a test's jobs, once, and the components as they start and end.
func (v *taskView) watcher(test string) flow.Watcher {
	last := ""
	return flow.Watcher{
		OnStatus: func(job, status string, since time.Duration) {
			if now := job + status; now != last {
				v.clear()
				v.g.printf("%6s  %s job %s is %s\n", since.Round(time.Second), test, job, status)
				last = now
			}
		},
		OnTasks:   v.show,
		OnTimeout: func(ctx context.Context, job string) { v.stuck, _ = inspectJob(ctx, v.g, job) },
	}
}

// inspectJob finds out about one job of the installed party.
func inspectJob(ctx context.Context, g *globals, job string) (*job.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	x, err := openJobs(g)
	if err != nil {
		return nil, err
	}
	defer x.close()
	return x.inspect(ctx, job)
}

// explained adds to the failure of a test's job why it failed: what job why says of it, and for a refused submission
// what the table of causes makes of the answer.
func explained(ctx context.Context, g *globals, view *taskView, failure error) error {
	var failed *flow.JobError
	var refused *flow.Error
	switch {
	case errors.As(failure, &refused):
		return job.ExplainRefusal(failure, refused)
	case !errors.As(failure, &failed) || failed.Job == "" || ctx.Err() != nil:
		return failure
	}
	report := view.stuck
	if report == nil || report.Job != failed.Job {
		var err error
		if report, err = inspectJob(ctx, g, failed.Job); err != nil {
			return fmt.Errorf("%w\nwhy it failed cannot be found out: %w", failure, err)
		}
	}
	if len(report.Causes) > 0 {
		failed.LogTail = nil // the lines that show the cause are in the report
	}
	return &explainedError{failure, report, strings.TrimRight(report.Text(deviceOf(g.Stderr)), "\n")}
}

// explainedError is the failure of a job with what was found out about it.
type explainedError struct {
	err    error
	report *job.Report
	text   string
}

func (e *explainedError) Error() string { return e.err.Error() + "\n" + e.text }
func (e *explainedError) Unwrap() error { return e.err }

// Hint says where to read it again; what to do is in the text.
func (e *explainedError) Hint() string {
	if len(e.report.Causes) > 0 {
		return "fate-installer job why " + e.report.Job + " shows this again"
	}
	return exit.HintOf(e.err)
}

// diagnosed adds to the failure of a test what is wrong with the programs that it went through, since that is nearly
// always the reason.
func diagnosed(ctx context.Context, g *globals, spec *cluster.Spec, failure error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	client, err := g.supervisorClient()
	if err != nil {
		return failure
	}
	defer client.Close()
	statuses, err := client.Status(ctx)
	if err != nil {
		return exit.DefaultHint(fmt.Errorf("%w\nthe supervisor of this host does not answer: %w", failure, err),
			"fate-installer svc status")
	}
	var sick []string
	first := ""
	for _, s := range statuses {
		if s.Ready {
			continue
		}
		first = cmp.Or(first, s.Name)
		sick = append(sick, fmt.Sprintf("%s is %s: %s", s.Name, s.State, cmp.Or(s.Why, "not ready")))
	}
	for _, a := range job.ProgramsAway(ctx, spec) {
		sick = append(sick, a.String())
	}
	if len(sick) == 0 {
		return failure
	}
	if first == "" {
		return exit.Hint(fmt.Errorf("%w\n%s", failure, strings.Join(sick, "\n")),
			"fate-installer svc status --all-hosts")
	}
	return exit.Hint(fmt.Errorf("%w\n%s", failure, strings.Join(sick, "\n")), "fate-installer svc why "+first)
}
