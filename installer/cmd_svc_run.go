package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

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
  depends_on          programs that must be ready first: a,b
  needs               programs without which it cannot work, and which it does not wait for at its start
  ready_tcp           host:port that accepts a connection
  ready_http          [METHOD] URL [status=N] [or_status=N] [header="K: V"] [body=...] [contains=...]
  ready_exec          a command that exits with 0
  ready_log           a regular expression that a line written since the start matches
  ready_interval, ready_timeout
                      time between two attempts (1s), and until it counts as failed (2m)
  liveness_tcp, _http, _exec, _interval, _timeout, _threshold, _action
                      the same while it is ready; action restart, stop or none after threshold failures
  stopwaitsecs_starting
                      stopwaitsecs for a process that has not been ready yet (stopwaitsecs)
  restart_delay, restart_delay_max, restart_reset
                      pause before the first restart (500ms), which doubles up to (30s), until it was up for (30s)
  limit_nofile, limit_nproc, limit_core
                      N, SOFT:HARD or unlimited
  oom_score_adj       -1000 to 1000
  log_compress, log_total_maxbytes
                      gzip rotated logs (true); limit for a log with all that was rotated
  log_files           logs that the program writes by itself, with wildcards, for status and why
  data_dirs           other directories that it writes to: it is degraded while a file system of these or of its logs has
                      less than 512 MiB free, or than 5 % of its size
  ports               what it listens on, for status and why

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
	cmd.Flags().BoolVar(&o.Check, "check", false, "only check the configuration and say what is wrong with it, and which logs could not be written")
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
			return exitCode(err, exitUsage)
		}
		g.printf("%s: %s, no problems\n", conf, count.Of(len(cfg.Programs), "program"))
		return nil
	}
	// The daemon listens to signals itself: SIGTERM means to stop the programs in order first.
	err := supervisor.Run(context.WithoutCancel(ctx), supervisor.DaemonOptions{
		Config: conf, Keep: o.Keep, Stderr: g.Stderr, Serve: rpc.Serve,
		CheckArgs: []string{"--base", g.Base, "svc", "run", "--check"},
		Record: recordRequest(g.layout(), func(err error) {
			fmt.Fprintf(g.Stderr, "cannot record a request in the history: %v\n", err)
		}),
	})
	var locked *supervisor.LockedError
	var problems config.Problems
	switch {
	case errors.As(err, &locked):
		return exitCode(withHint(err, "fate-installer svc status shows what it supervises"), exitLocked)
	case errors.As(err, &problems):
		return exitCode(err, exitUsage)
	}
	return err
}
