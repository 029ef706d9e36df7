package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/rpc"

	"github.com/ochinchina/supervisord/faults"
	"github.com/spf13/cobra"
)

// newSvcCommand gathers everything about the programs of this host.
func newSvcCommand(g *globals) *cobra.Command {
	cmd := newServicesCommand()
	cmd.AddCommand(
		newSvcRunCommand(g),
		newSvcStatusCommand(g),
		newSvcStartCommand(g),
		newSvcStopCommand(g),
		newSvcRestartCommand(g),
		newSvcLogsCommand(g),
		newSvcReloadCommand(g),
		newSvcUpdateCommand(g),
		newSvcWhyCommand(g),
		newSvcMetricsCommand(g),
		recorded(newSvcInstallCommand(g)),
		recorded(newSvcUninstallCommand(g)),
		newSvcShutdownCommand(g),
		newSvcUpgradeSelfCommand(g),
	)
	cmd.AddCommand(newProbeCommands(g)...)
	return cmd
}

// newProbeCommands are those that the supervisor calls.
func newProbeCommands(g *globals) []*cobra.Command {
	return []*cobra.Command{newProbeMySQLCommand(), newProbeZooKeeperCommand(), newProbeFlowCommand(g),
		newProbeWorkerCommand(), newProbeNodesCommand()}
}

// newServicesCommand is svc without the commands below it.
func newServicesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "svc",
		Short: "Look at, start and stop the programs of this host",
		Long: `Look at, start and stop the programs of this host. They are kept running by a supervisor, which is
fate-installer svc run; every other command speaks to it over its socket below --base.

A program is called by its name, with or without "fate-"; by its group; by group:name; or all are meant with "all".

EXIT STATUS
  0    done
  1    unexpected error
  2    wrong usage or configuration
  3    some program is not ready (status)
  4    the supervisor is not running
  6    a program did not become ready (start, restart)
  7    another supervisor is running (run)`,
		Example: `  fate-installer svc status
  fate-installer svc restart fateflow
  fate-installer svc why fateboard
  fate-installer svc logs -f mysql`,
	}
}

// layout gives the paths below --base.
func (g *globals) layout() cluster.Layout { return cluster.Layout{Base: g.Base} }

// supervisorClient returns a client of the supervisor below --base. Nothing is connected yet.
func (g *globals) supervisorClient() (*rpc.Client, error) {
	h, err := g.openHost()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	d := config.LoadDaemon(h.Path(g.layout().SupervisorConf()))
	c, err := newClient(g, h, d.Socket)
	if err != nil {
		return nil, err
	}
	if d.Username != "" {
		c.Authenticate(d.Username, d.Password)
	}
	return c, nil
}

// svcError gives an error of the client its exit code.
func svcError(err error) error {
	var notRunning *rpc.NotRunningError
	var fault *rpc.Fault
	switch {
	case errors.As(err, &notRunning):
		return exit.With(err, exit.Payload) // 4: for svc commands, the daemon is not running
	case errors.As(err, &fault):
		return exit.With(fault, exit.Usage)
	}
	return err
}

// withSupervisor calls f with a client and gives its error the right exit code.
func withSupervisor(ctx context.Context, g *globals, f func(ctx context.Context, c *rpc.Client) error) error {
	c, err := g.supervisorClient()
	if err != nil {
		return err
	}
	defer c.Close()
	return svcError(nameNear(ctx, c, f(ctx, c)))
}

// nameNear explains the supervisor's fault for a name that it does not know.
func nameNear(ctx context.Context, c *rpc.Client, err error) error {
	var fault *rpc.Fault
	if !errors.As(err, &fault) || fault.Code != faults.BadName {
		return err
	}
	name := strings.TrimPrefix(fault.Text, "BAD_NAME: ")
	known := []string{"all"}
	if statuses, err := c.Status(ctx); err == nil {
		for _, st := range statuses {
			known = append(known, st.Name, st.Group, strings.TrimPrefix(st.Name, "fate-"))
		}
	}
	slices.Sort(known)
	unknown := withNear(fmt.Errorf("there is no program or group %q", name), "", name, slices.Compact(known))
	return exit.With(exit.DefaultHint(unknown, "fate-installer svc status lists them"), exit.Usage)
}

// completeNames offers the names of programs to the shell.
func completeNames(g *globals) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		_ = withSupervisor(ctx, g, func(ctx context.Context, c *rpc.Client) error {
			statuses, err := c.Status(ctx)
			for _, st := range statuses {
				names = append(names, st.Name)
			}
			return err
		})
		return append(names, "all"), cobra.ShellCompDirectiveNoFileComp
	}
}

// needNames refuses a command line without names: "all" has to be said.
func needNames(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return exit.With(exit.Hint(errors.New("no program is named"),
			`name programs, or "all": fate-installer svc status lists them`), exit.Usage)
	}
	return nil
}
