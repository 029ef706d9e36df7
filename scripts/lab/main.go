// Command lab runs throw-away Debian 12 hosts with a real systemd, addresses of
// their own and no route to anywhere else, on one machine. See package
// fate-installer/scripts/lab/lab for how.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"fate-installer/scripts/lab/lab"

	"github.com/spf13/cobra"
)

func main() {
	lab.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRoot().ExecuteContext(ctx)
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() > 0 {
		stop()
		os.Exit(exit.ExitCode()) // as the command in the host did, which has said why
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		stop()
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "lab",
		Short: "Throw-away hosts with systemd, addresses of their own and no route out",
		Long: `Throw-away Debian 12 hosts with systemd, addresses of their own and no route out.

Needs root and the packages that scripts/deps.sh installs. The first use makes a base
system from the machine's package sources, which takes about a minute; after that a
host boots in about a second.

EXIT STATUS
  0  done
  1  failed; for run and net: the exit status of the command`,
		SilenceErrors: true, SilenceUsage: true,
	}
	var name string
	root.PersistentFlags().StringVarP(&name, "name", "n", "lab", "which lab")
	root.AddCommand(newUp(&name), newDown(&name), newRun(&name), newNet(&name), newCopy(&name), newList(),
		newPower(&name, "reboot", "Shut a host down in order and boot it again",
			func(l *lab.Lab, ctx context.Context, h string) error { return l.Reboot(ctx, h) }),
		newPower(&name, "cut", "Take the power from a host and give it back",
			func(l *lab.Lab, _ context.Context, h string) error { return l.PowerCut(h) }),
		newPower(&name, "off", "Take the power from a host",
			func(l *lab.Lab, _ context.Context, h string) error { return l.Off(h) }),
		newPower(&name, "on", "Boot a host that is off", func(l *lab.Lab,
			_ context.Context, h string) error {
			return l.On(h)
		}),
		newBase())
	return root
}

func newUp(name *string) *cobra.Command {
	var hosts []string
	suite := ""
	cmd := &cobra.Command{
		Use:     "up --hosts NAME=ADDRESS,...",
		Short:   "Make a lab and boot its hosts",
		Example: "  lab up --hosts host=192.168.0.1\n  lab up --name pair --hosts host=192.168.0.1,guest=192.168.1.1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := lab.ParseHosts(hosts)
			if err != nil {
				return err
			}
			l, err := lab.Up(cmd.Context(), lab.Config{Name: *name, Hosts: list, Suite: suite, Log: cmd.ErrOrStderr()})
			if err != nil {
				return err
			}
			return l.Detach()
		},
	}
	cmd.Flags().StringSliceVar(&hosts, "hosts", nil, "hosts as NAME=ADDRESS[/BITS], separated by commas")
	cmd.Flags().StringVar(&suite, "suite", "", suiteUsage)
	_ = cmd.MarkFlagRequired("hosts") // fails only for an unknown flag
	return cmd
}

func newDown(name *string) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "End a lab and remove all of it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names := []string{*name}
			if all {
				labs, err := lab.List(cmd.Context())
				if err != nil {
					return err
				}
				names = nil
				for _, info := range labs {
					names = append(names, info.Name)
				}
			}
			for _, n := range names {
				if err := lab.Remove(cmd.Context(), n); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "end all labs")
	return cmd
}

func newRun(name *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "run HOST COMMAND [ARG...]",
		Short:   "Run a command as root in a host",
		Example: "  lab run host systemctl --failed\n  lab run host bash",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			return l.Run(cmd.Context(), args[0], lab.Cmd{Args: command(args[1:]), Stdin: os.Stdin, Stdout: os.Stdout,
				Stderr: os.Stderr})
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows HOST is the command's
	return cmd
}

func newNet(name *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "net COMMAND [ARG...]",
		Short: "Run a command outside the hosts, in the lab's network",
		Long: `Run a command of this machine in the lab's network: the hosts are connected to the
bridge br0 there, each with a cable called vb-HOST.

EXIT STATUS
  that of the command`,
		Example: "  lab net tc qdisc add dev vb-host root netem delay 50ms loss 1%\n  lab net ip link set vb-guest " +
			"down\n  lab net tcpdump -ni br0 port 9370",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			c, err := l.NetCommand(cmd.Context(), command(args)...)
			if err != nil {
				return err
			}
			c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
			return c.Run()
		},
	}
	cmd.Flags().SetInterspersed(false) // all flags are the command's
	return cmd
}

// command drops the "--" that people put before a command that is not ours.
func command(args []string) []string {
	if args[0] == "--" {
		return args[1:]
	}
	return args
}

func newCopy(name *string) *cobra.Command {
	return &cobra.Command{
		Use:     "cp FILE HOST:PATH | HOST:PATH FILE",
		Short:   "Copy a file into a host or out of it",
		Example: "  lab cp bin/fate-installer host:/root/\n  lab cp host:/data/logs/fate/mysql/mysqld.log .",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			if host, path, ok := strings.Cut(args[1], ":"); ok && !strings.Contains(host, "/") {
				return l.CopyTo(cmd.Context(), args[0], host, path)
			}
			host, path, ok := strings.Cut(args[0], ":")
			if !ok {
				return errors.New("cannot copy: one of the two must be HOST:PATH")
			}
			target := args[1]
			if info, err := os.Stat(target); err == nil && info.IsDir() {
				target = filepath.Join(target, filepath.Base(path))
			}
			return l.CopyFrom(cmd.Context(), host, path, target)
		},
	}
}

func newPower(name *string, verb, short string, do func(*lab.Lab, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " HOST",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*name)
			if err != nil {
				return err
			}
			return do(l, cmd.Context(), args[0])
		},
	}
}

func newList() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the labs that are up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			labs, err := lab.List(cmd.Context())
			if err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(labs)
			}
			return printLabs(cmd.OutOrStdout(), labs)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func printLabs(w io.Writer, labs []lab.Info) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LAB\tHOST\tADDRESS\tSTATE\tBOOTS\tUP SINCE")
	for _, l := range labs {
		for _, h := range l.Hosts {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", l.Name, h.Name, h.Addr.Addr(), h.State, h.Boots,
				l.Since.Format(time.DateTime))
		}
	}
	return t.Flush()
}

func newBase() *cobra.Command {
	suite := ""
	cmd := &cobra.Command{
		Use:   "base",
		Short: "Make the base system if the cache has none, and print where it is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, lock, err := lab.Base(cmd.Context(), suite, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer lock.Close()
			fmt.Fprintln(cmd.OutOrStdout(), dir)
			return nil
		},
	}
	cmd.Flags().StringVar(&suite, "suite", "", suiteUsage)
	return cmd
}

const suiteUsage = "`release` of Debian that the hosts have (default bookworm)"
