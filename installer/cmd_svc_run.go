package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fate-installer/installer/exit"
	"fate-installer/payload/count"
	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/rpc"
)

type svcRunOptions struct {
	Keep  bool
	Check bool
}

func newSvcRunCommand(g *globals) *cobra.Command {
	o := &svcRunOptions{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the supervisor in the foreground",
		Long: `Run the supervisor in the foreground. It reads projects/common/supervisord/supervisord.conf and supervisord.d/*.conf
below --base, takes over the programs an earlier supervisor left running, starts the others as their dependencies
become ready, and restarts what fails. It needs no root when no program names another user.

SIGTERM stops all programs, dependants first, and ends it; a second one ends it at once and leaves the rest running.
With --keep, or when systemd restarts it, the programs go on and the next supervisor takes them over. SIGHUP applies a
changed configuration. SIGUSR2 opens the log file again. Killed by any means, it takes no program along.

Program files have the keys of supervisor 4. These are added to them:
` + addedKeys() + `
EXIT STATUS
  0    ended as asked
  1    unexpected error
  2    the configuration cannot be used; with --check, too
  7    another supervisor is running below the same --base`,
		Example: `  fate-installer svc run
  fate-installer --base /srv/fate svc run --keep
  fate-installer svc run --check`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSvcRun(cmd.Context(), g, o) },
	}
	cmd.Flags().BoolVar(&o.Keep, "keep", false, "leave the programs running on SIGTERM")
	cmd.Flags().BoolVar(&o.Check, "check", false,
		"only check the configuration and say what is wrong with it, and which logs could not be written")
	return cmd
}

func runSvcRun(ctx context.Context, g *globals, o *svcRunOptions) error {
	conf := g.layout().SupervisorConf()
	if o.Check {
		cfg, warnings, err := config.Load(conf, os.Environ())
		for _, w := range warnings {
			g.printf("warning: %s\n", w)
		}
		if err == nil && os.Getenv(supervisor.TakesOver) == "" {
			err = supervisor.CheckLogs(cfg)
		}
		if err != nil {
			return exit.With(err, exit.Usage)
		}
		g.printf("%s: %s, no problems\n", conf, count.Of(len(cfg.Programs), "program"))
		return nil
	}
	// The daemon listens to signals itself: SIGTERM means to stop the programs in order first.
	err := supervisor.Run(context.WithoutCancel(ctx), supervisor.DaemonOptions{
		Config: conf, Keep: o.Keep, Stderr: g.Stderr, Serve: rpc.ServeWith(g.hostGauges),
		CheckArgs: []string{"--base", g.Base, "svc", "run", "--check"},
		Record: recordRequest(g.layout(), func(err error) {
			fmt.Fprintf(g.Stderr, "cannot record a request in the history: %v\n", err)
		}),
	})
	var locked *supervisor.LockedError
	var problems config.Problems
	switch {
	case errors.As(err, &locked):
		return exit.With(exit.Hint(err, "fate-installer svc status shows what it supervises"), exit.Locked)
	case errors.As(err, &problems):
		return exit.With(err, exit.Usage)
	}
	return err
}

// addedKeys explains the keys of program files that supervisor 4 does not have.
func addedKeys() string {
	var b strings.Builder
	indent := "\n" + strings.Repeat(" ", 25)
	for _, k := range config.AddedKeys() {
		fmt.Fprintf(&b, "  %-21s  %s", k.Name, strings.ReplaceAll(k.About, "\n", indent))
		if k.Default != "" {
			fmt.Fprintf(&b, " (%s)", k.Default)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
