package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"fate-installer/installer/fate"
	"fate-installer/installer/flow"

	"github.com/spf13/cobra"
)

// toyOptions are the flags of test toy.
type toyOptions struct {
	guest, host int
	taskCores   int
	timeout     time.Duration
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
  fate-installer test toy --guest 9999 --host 10000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newToyCommand(g))
	return cmd
}

func newToyCommand(g *globals) *cobra.Command {
	opts := &toyOptions{}
	cmd := &cobra.Command{
		Use:   "toy",
		Short: "Run the toy job: two sides add up numbers without showing them",
		Long: `Run FATE's toy job on the installed party and judge it. It passes through flow, eggroll and the rollsites of both
sides. Without --guest and --host both sides are this party, which tests it alone; with another party's id it tests the
way there and back. Run it on the guest's host.

EXIT STATUS
  0    the job succeeded and its sum is right
  1    the job failed, did not end in time, or gave a wrong sum
  2    wrong usage, or nothing is installed here
  130  interrupted; the job was stopped`,
		Example: `  fate-installer test toy
  fate-installer test toy --guest 9999 --host 10000 --timeout 5m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runToy(cmd.Context(), g, opts) },
	}
	f := cmd.Flags()
	f.IntVar(&opts.guest, "guest", 0, "guest's party `id` (default: this party)")
	f.IntVar(&opts.host, "host", 0, "host's party `id` (default: this party)")
	f.IntVar(&opts.taskCores, "task-cores", 2, "`cores` the job asks for")
	f.DurationVar(&opts.timeout, "timeout", 5*time.Minute, "`time` the job may take")
	return cmd
}

func runToy(ctx context.Context, g *globals, opts *toyOptions) error {
	spec, err := installed(ctx, g)
	if err != nil {
		return err
	}
	toy := flow.Toy{Guest: opts.guest, Host: opts.host, TaskCores: opts.taskCores, Timeout: opts.timeout}
	if toy.Guest == 0 {
		toy.Guest = spec.PartyID
	}
	if toy.Host == 0 {
		toy.Host = spec.PartyID
	}
	client, err := flowClient(spec)
	if err != nil {
		return exitCode(err, exitUsage)
	}
	last := ""
	toy.OnStatus = func(job, status string, since time.Duration) {
		if status != last {
			g.printf("%6s  toy test job %s is %s\n", since.Round(time.Second), job, status)
			last = status
		}
	}
	g.printf("guest %d, host %d, through %s\n", toy.Guest, toy.Host, client.BaseURL)
	result, err := toy.Run(ctx, client)
	if err != nil {
		return err
	}
	if g.Output == "json" {
		return g.printJSON(result)
	}
	g.printf("passed in %s: %s\n", result.Elapsed.Round(time.Second), result.Line)
	return nil
}

// flowClient reaches the FATE-Flow that this host runs, or else the first one of its side.
func flowClient(spec *fate.Spec) (*flow.Client, error) {
	ips := spec.Side.FateFlow.IPs
	if spec.Role == fate.RoleExchange || len(ips) == 0 {
		return nil, withHint(fmt.Errorf("cannot run a job: this side has no fate_flow"), "run it on a host of the guest party")
	}
	address := ips[0]
	if spec.Runs(fate.FateFlow) {
		address = spec.IP
	}
	return &flow.Client{BaseURL: "http://" + net.JoinHostPort(address, strconv.Itoa(spec.Side.FateFlow.HTTPPort))}, nil
}
