package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fate-installer/installer/exit"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

type svcControlOptions struct {
	NoWait         bool
	Stops          bool // the programs are stopped in the end, and not ready
	Dependants     bool // of restart
	WithDependants bool // of stop
	Timeout        time.Duration
}

func (o *svcControlOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.NoWait, "no-wait", false, "do not wait for the outcome")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 0, "wait at most this `DURATION` (default: no limit)")
}

const controlExitStatus = `

EXIT STATUS
  0    done
  1    unexpected error, or --timeout has passed
  2    there is no such program
  4    the supervisor is not running
  6    a program did not become ready, or did not stop`

func newSvcStartCommand(g *globals) *cobra.Command {
	o := &svcControlOptions{}
	cmd := &cobra.Command{
		Use:   "start NAME...|GROUP|all",
		Short: "Start programs and wait until they are ready",
		Long: `Start programs, before them what they depend on, and wait until each is ready or has failed. A failure is shown with
the last lines of the program's log. What cannot be started as it is defined, because its executable or user does not
exist for example, is given up after three attempts. A program that ends five times before it was ready counts as failed
here; the supervisor itself goes on, as startretries says.` + controlExitStatus,
		Example: `  fate-installer svc start all
  fate-installer svc start fateflow`,
		Args: needNames, ValidArgsFunction: completeNames(g),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSvcControl(cmd.Context(), g, o, args, func(ctx context.Context,
				c *rpc.Client, names []string) (rpc.Outcome, error) {
				return c.Start(ctx, names, !o.NoWait)
			})
		},
	}
	o.addFlags(cmd)
	return cmd
}

func newSvcStopCommand(g *globals) *cobra.Command {
	o := &svcControlOptions{Stops: true}
	cmd := &cobra.Command{
		Use:   "stop NAME...|GROUP|all",
		Short: "Stop programs with everything they started",
		Long: `Stop programs: of those that are named, the dependants first. Each gets its stop signal, after stopwaitsecs KILL, and
counts as stopped when everything it started is gone too. They stay stopped until they are started, or until the host
boots.

Programs that need them go on and are shown as degraded: they are named, and --with-dependants stops
them first.` + controlExitStatus,
		Example: `  fate-installer svc stop fateboard
  fate-installer svc stop --with-dependants mysql
  fate-installer svc stop all`,
		Args: needNames, ValidArgsFunction: completeNames(g),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSvcControl(cmd.Context(), g, o, args, func(ctx context.Context,
				c *rpc.Client, names []string) (rpc.Outcome, error) {
				if o.WithDependants {
					return c.StopWithDependants(ctx, names, !o.NoWait)
				}
				outcome, err := c.Stop(ctx, names, !o.NoWait)
				if err == nil {
					err = tellDependants(ctx, g, c, names)
				}
				return outcome, err
			})
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.WithDependants, "with-dependants", false, "stop the programs that need them, too")
	return cmd
}

func newSvcRestartCommand(g *globals) *cobra.Command {
	o := &svcControlOptions{}
	rolling := false
	cmd := &cobra.Command{
		Use:   "restart NAME...|GROUP|all",
		Short: "Stop programs and start them again",
		Long: `Stop programs and start them again. Programs that depend on them are left alone, unless --dependants says that those
which are up are to be restarted along.

With --rolling, FATE-Flow is restarted only when another one of the party is registered and answers, and the command
returns when this one is registered again. Run it on every host with a FATE-Flow, also at the same time: they take turns,
through ZooKeeper, so that there is always one. Jobs that this host's FATE-Flow schedules end
with it.` + controlExitStatus,
		Example: `  fate-installer svc restart fateflow
  fate-installer svc restart --rolling fateflow
  fate-installer svc restart --dependants mysql`,
		Args: needNames, ValidArgsFunction: completeNames(g),
		RunE: func(cmd *cobra.Command, args []string) error {
			restart := func(ctx context.Context) error {
				return runSvcControl(ctx, g, o, args, func(ctx context.Context,
					c *rpc.Client, names []string) (rpc.Outcome, error) {
					return c.Restart(ctx, names, o.Dependants, !o.NoWait)
				})
			}
			if rolling {
				return runSvcRolling(cmd.Context(), g, args, restart)
			}
			return restart(cmd.Context())
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&rolling, "rolling", false,
		"restart FATE-Flow when another one can take its place, in turns with other hosts")
	cmd.Flags().BoolVar(&o.Dependants, "dependants", false, "restart what depends on them too")
	return cmd
}

// tellDependants names the programs that cannot work without those that were stopped.
func tellDependants(ctx context.Context, g *globals, c *rpc.Client, stopped []string) error {
	if g.Output == outputJSON {
		return nil // degraded_by of each status says it
	}
	statuses, err := c.Status(ctx)
	if err != nil {
		return err
	}
	for _, name := range stopped {
		var needed []string
		for _, st := range statuses {
			if st.Degraded && slices.Contains(st.DegradedBy, name) {
				needed = append(needed, st.Name)
			}
		}
		if len(needed) > 0 {
			g.advisef("%s: needed by %s, degraded until it is started again; to stop them, too: fate-installer svc "+
				"stop --with-dependants %s\n",
				name, strings.Join(needed, ", "), strings.TrimPrefix(name, "fate-"))
		}
	}
	return nil
}

type controlFunc func(ctx context.Context, c *rpc.Client, names []string) (rpc.Outcome, error)

// runSvcControl carries out a start, stop or restart and shows what happens until it is done.
func runSvcControl(ctx context.Context, g *globals, o *svcControlOptions, words []string, do controlFunc) error {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("not done after %s", o.Timeout))
		defer cancel()
	}
	return withSupervisor(ctx, g, func(ctx context.Context, c *rpc.Client) error {
		names, err := c.Resolve(ctx, words...)
		if err != nil {
			return err
		}
		stop := func() {}
		if !o.NoWait {
			stop = followPrograms(ctx, g, c)
		}
		outcome, err := do(ctx, c, names)
		stop()
		if err != nil {
			if cause := context.Cause(ctx); cause != nil && cause != ctx.Err() {
				return exit.Hint(cause, "it goes on by itself: fate-installer svc status")
			}
			return err
		}
		if err := reportOutcome(ctx, g, c, outcome, names); err != nil || o.NoWait {
			return err
		}
		o.printEnd(g, names)
		return nil
	})
}

// printEnd says what the programs are in the end, in whole sentences for the catalogue of Chinese.
func (o *svcControlOptions) printEnd(g *globals, names []string) {
	one, many := "%s is ready\n", "%s programs are ready\n"
	if o.Stops {
		one, many = "%s is stopped\n", "%s programs are stopped\n"
	}
	if len(names) == 1 {
		g.printf(one, names[0])
	} else {
		g.printf(many, strconv.Itoa(len(names)))
	}
}

// svcControlOutput is the JSON document of svc start, stop and restart.
type svcControlOutput struct {
	Programs []supervisor.Status `json:"programs"` // the programs that the command was about, as they are afterwards
	Failed   []rpc.Failure       `json:"failed"`   // those that are not in the requested state; null for none
}

// reportOutcome prints the end of a control command, and ends it with 6 when some program is not where it should be.
func reportOutcome(ctx context.Context, g *globals, c *rpc.Client, o rpc.Outcome, names []string) error {
	if g.Output == outputJSON {
		statuses, err := c.Status(ctx, names...)
		if err != nil {
			return err
		}
		if err := g.printJSON(svcControlOutput{statuses, o.Failed}); err != nil {
			return err
		}
		if len(o.Failed) > 0 {
			return exit.Silently(exit.NotReady)
		}
		return nil
	}
	if len(o.Failed) == 0 {
		return nil
	}
	var lines, failed []string
	for _, f := range o.Failed {
		failed = append(failed, f.Name)
		lines = append(lines, f.Name+": "+f.Text)
		for _, line := range f.Status.LastLog {
			lines = append(lines, "  | "+line)
		}
	}
	slices.Sort(failed)
	return exit.With(exit.Hint(fmt.Errorf("not ready: %s\n%s", strings.Join(failed, ", "), strings.Join(lines, "\n")),
		"fate-installer svc why "+failed[0]), exit.NotReady)
}
