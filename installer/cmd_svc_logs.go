package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"fate-installer/installer/exit"
	"fate-installer/supervisor/rpc"
)

type svcLogsOptions struct {
	Follow bool
	Lines  int
	Stderr bool
	Rotate bool
}

func newSvcLogsCommand(g *globals) *cobra.Command {
	o := &svcLogsOptions{}
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Show a program's log",
		Long: `Show the end of a program's log, and with -f what is added to it, through rotation and restarts, until interrupted.
With --rotate the log is put aside now (NAME.log.1.gz and so on), as happens by itself when it has grown too large.

EXIT STATUS
  0    done
  1    there is no log
  2    there is no such program
  4    the supervisor is not running`,
		Example: `  fate-installer svc logs mysql
  fate-installer svc logs -f -n 100 fateflow
  fate-installer svc logs --stderr clustermanager`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.With(errors.New("name one program"), exit.Usage)
			}
			return nil
		},
		ValidArgsFunction: completeNames(g),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSvcLogs(cmd.Context(), g, o,
				args[0])
		},
	}
	cmd.Flags().BoolVarP(&o.Follow, "follow", "f", false, "follow the log")
	cmd.Flags().IntVarP(&o.Lines, "lines", "n", 20, "show the last `N` lines")
	cmd.Flags().BoolVar(&o.Rotate, "rotate", false, "show nothing, rotate the log")
	cmd.Flags().BoolVar(&o.Stderr, "stderr", false, "the log of the error output, where it is a file of its own")
	return cmd
}

func runSvcLogs(ctx context.Context, g *globals, o *svcLogsOptions, name string) error {
	return withSupervisor(ctx, g, func(ctx context.Context, c *rpc.Client) error {
		names, err := c.Resolve(ctx, name)
		if err != nil {
			return err
		}
		if len(names) != 1 {
			return exit.With(fmt.Errorf("%s stands for %d programs; name one", name, len(names)), exit.Usage)
		}
		if o.Rotate {
			return c.Rotate(ctx, names)
		}
		stream := "stdout"
		if o.Stderr {
			stream = "stderr"
		}
		err = c.Log(ctx, g.Stdout, names[0], stream, max(0, o.Lines), o.Follow)
		if ctx.Err() != nil && o.Follow {
			return nil
		}
		return err
	})
}
