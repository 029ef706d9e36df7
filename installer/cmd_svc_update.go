package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fate-installer/installer/exit"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
	"fate-installer/supervisor/rpc"
)

func newSvcUpdateCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "update [GROUP...]",
		Short: "Apply a changed configuration",
		Long: `Read the configuration again and make it so: start programs that are new, stop those that are gone, restart those
whose process would be another. A program in which only something changed that the supervisor itself reads, such as a
probe, keeps its process. A configuration that cannot be used changes nothing.

EXIT STATUS
  0    applied; also: nothing has changed
  1    unexpected error
  2    the configuration cannot be used
  4    the supervisor is not running`,
		Example: `  fate-installer svc update
  fate-installer svc update fate-fateflow`,
		ValidArgsFunction: completeNames(g),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSvcUpdate(cmd.Context(),
				g, args)
		},
	}
}

func newSvcReloadCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Apply a changed configuration (as update does, to everything)",
		Long: `Read the configuration again and make it so, as fate-installer svc update does without names and as SIGHUP does.
Nothing that has not changed is touched.

EXIT STATUS
  0    applied; also: nothing has changed
  1    unexpected error
  2    the configuration cannot be used
  4    the supervisor is not running`,
		Example: `  fate-installer svc reload`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runSvcUpdate(cmd.Context(), g, nil) },
	}
}

func runSvcUpdate(ctx context.Context, g *globals, groups []string) error {
	return withSupervisor(ctx, g, func(ctx context.Context, c *rpc.Client) error {
		stop := followPrograms(ctx, g, c)
		changes, err := c.Update(ctx, groups...)
		stop()
		if err != nil {
			return err
		}
		if g.Output == outputJSON {
			return g.printJSON(changes)
		}
		g.printf("%s\n", changes)
		return nil
	})
}

func newSvcShutdownCommand(g *globals) *cobra.Command {
	keep := false
	cmd := &cobra.Command{
		Use:   "shutdown",
		Short: "End the supervisor",
		Long: `End the supervisor: stop all programs, dependants first, and then itself; with --keep only itself, and the next
supervisor takes the running programs over. The command returns when it has ended. Where systemd runs the supervisor it
starts it again at once; there, systemctl stop fate-supervisor ends it for good.

EXIT STATUS
  0    the supervisor has ended
  1    unexpected error
  4    the supervisor is not running`,
		Example: `  fate-installer svc shutdown
  fate-installer svc shutdown --keep`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSupervisor(cmd.Context(), g,
				func(ctx context.Context, c *rpc.Client) error { return shutdown(ctx, c, keep) })
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the programs running")
	return cmd
}

// shutdown ends the supervisor, and waits until its process is gone: it still writes its state after it has stopped to
// answer, and an uninstall that goes on by then would leave that.
func shutdown(ctx context.Context, c *rpc.Client, keep bool) error {
	pid, err := c.PID(ctx)
	if err != nil {
		return err
	}
	before, unseen := process.ReadStat(pid)
	if err := c.Shutdown(ctx, keep); err != nil || unseen != nil || pid == os.Getpid() {
		return err
	}
	return process.AwaitEnd(ctx, pid, before.Start)
}

func newSvcUpgradeSelfCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "upgrade-self [FILE]",
		Short: "Put a new version of the supervisor in place of the running one",
		Long: `Make the running supervisor execute FILE, or again the file it was started from, in its own place. Its pid, its socket
and all programs stay; nothing is restarted. FILE is tried first: it must be able to read the configuration.

EXIT STATUS
  0    the new version is running
  1    it cannot take over; the old one goes on
  4    the supervisor is not running`,
		Example: `  fate-installer svc upgrade-self
  fate-installer svc upgrade-self /usr/local/bin/fate-installer`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exit.With(errors.New("name one file at most"), exit.Usage)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSupervisor(cmd.Context(), g, func(ctx context.Context, c *rpc.Client) error {
				return runSvcUpgradeSelf(ctx, g, c, args)
			})
		},
	}
}

// runSvcUpgradeSelf has the new version take over and says which process it is.
func runSvcUpgradeSelf(ctx context.Context, g *globals, c *rpc.Client, args []string) error {
	path := ""
	if len(args) == 1 {
		path = args[0]
	}
	if err := c.Upgrade(ctx, path); err != nil {
		var fault *rpc.Fault
		if errors.As(err, &fault) {
			return exit.With(fault, exit.Unexpected)
		}
		return err
	}
	pid, err := c.PID(ctx)
	if err != nil {
		return err
	}
	g.printf("the supervisor, pid %d, runs the new version\n", pid)
	return nil
}

// metricsKeys shows the section of the supervisor's configuration that opens a port for metrics.
func metricsKeys() string {
	var b strings.Builder
	b.WriteString("  [metrics_http_server]\n")
	for _, k := range config.MetricsKeys() {
		fmt.Fprintf(&b, "  %-10s  %s\n", k.Name, k.About)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func newSvcMetricsCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "metrics",
		Short: "Print metrics in Prometheus's text format",
		Long: `Print metrics in Prometheus's text format: of each program its state, whether it is wanted and ready, restarts, how
it last ended, processor time, memory, threads and open files; of the supervisor the same; certificates; and backups. The
same is served under /metrics on the supervisor's socket, and on its TCP port where the configuration opens one.

For Prometheus on another host the supervisor serves nothing else than the metrics, when a file of root's in
projects/common/supervisord/supervisord.d, such as metrics.conf with mode 0600, has this section:
` + metricsKeys() + `
A port that other hosts reach needs TLS, unless plaintext=true. systemctl restart fate-supervisor takes the file up; the
programs go on.

EXIT STATUS
  0    done
  1    unexpected error
  4    the supervisor is not running`,
		Example: `  fate-installer svc metrics`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSupervisor(cmd.Context(), g,
				func(ctx context.Context, c *rpc.Client) error { return c.Metrics(ctx, g.Stdout) })
		},
	}
}
