package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/job"
	"fate-installer/installer/output"
	"fate-installer/installer/peer"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"

	"github.com/spf13/cobra"
)

func newSvcWhyCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "why NAME",
		Short: "Say why a program is not ready, and what to do",
		Long: `Walk from a program over what it depends on or needs to the root of the trouble, and show there how the last process ended, the
last lines of its log, who holds the ports it needs, and what to do. Modules on other hosts that it needs are asked, too.

EXIT STATUS
  0    the program is ready
  1    unexpected error
  2    there is no such program
  3    it is not, or a module that it needs on another host does not answer
  4    the supervisor is not running`,
		Example: `  fate-installer svc why fateflow
  fate-installer svc why fateflow -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.With(errors.New("name one program"), exit.Usage)
			}
			return nil
		},
		ValidArgsFunction: completeNames(g),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSvcWhy(cmd.Context(), g,
				args[0])
		},
	}
}

// svcWhyReport is the JSON document of svc why.
type svcWhyReport struct {
	Chain []supervisor.Finding `json:"chain"` // from the program to the root cause, which is last
}

func runSvcWhy(ctx context.Context, g *globals, name string) error {
	return withSupervisor(ctx, g, func(ctx context.Context, c *rpc.Client) error {
		chain, err := c.Why(ctx, name)
		if err != nil {
			return err
		}
		chain = append(chain, missingElsewhere(ctx, g, chain)...)
		if g.Output == outputJSON {
			if err := g.printJSON(svcWhyReport{chain}); err != nil {
				return err
			}
		} else {
			writeFindings(g, chain)
		}
		if len(chain) > 0 && (!chain[0].Ready || chain[len(chain)-1].Root) {
			return exit.Silently(exit.Preflight)
		}
		return nil
	})
}

// missingElsewhere looks for the root of the trouble on other hosts, of which the supervisor knows nothing. Where
// nothing is installed from a cluster file, there are no other hosts.
func missingElsewhere(ctx context.Context, g *globals, chain []supervisor.Finding) []supervisor.Finding {
	if len(chain) == 0 {
		return nil
	}
	spec, err := installed(g)
	if err != nil {
		return nil
	}
	root := &chain[len(chain)-1]
	var out []supervisor.Finding
	for _, need := range spec.Needs(root.Name) {
		failed := programs.Unreachable(ctx, need)
		if len(failed) <= len(need.Addrs)-need.AtLeast {
			continue
		}
		root.Root = false
		out = append(out, supervisor.Finding{
			Name: need.String(), Root: true,
			Text: fmt.Sprintf("does not answer (%v), and %s needs it", failed[0], root.Name),
			Advice: "look there (fate-installer svc status, a firewall in between); if nothing is installed yet, " +
				need.Remedy() + "; nothing has to be done here when it is back",
		})
	}
	return append(out, missingNodes(ctx, spec, root)...)
}

// missingNodes explains a clustermanager whose nodemanagers on other hosts do not answer, and a FATE-Flow whose workers
// are held by jobs that hang, for which that is the usual reason.
func missingNodes(ctx context.Context, spec *cluster.Spec, root *supervisor.Finding) []supervisor.Finding {
	noWorker := root.Name == cluster.FateFlow.Program() && strings.Contains(root.Text, peer.ErrNoWorker.Error())
	if root.Ready || root.Name != cluster.ClusterManager.Program() && !noWorker {
		return nil
	}
	var out []supervisor.Finding
	for _, a := range job.ProgramsAway(ctx, spec, cluster.NodeManager) {
		root.Root, root.Advice = false, ""
		out = append(out, supervisor.Finding{
			Name: a.Module.Program() + " at " + a.Address, Root: true,
			Text: fmt.Sprintf(
				"does not answer (%v): jobs that were planned on it hang, and no new ones are planned on it", a.Err),
			Advice: "switch its host on, or look at the firewall in between; there: fate-installer svc status. It " +
				"gets jobs again " +
				"by itself; tables that it has partitions of can be read when it is back",
		})
	}
	if noWorker {
		root.Advice = workersRemedy
	}
	return out
}

// writeFindings prints a chain, each link indented below the one that depends on it.
func writeFindings(g *globals, chain []supervisor.Finding) {
	indent := ""
	for _, f := range chain {
		g.raw(output.Indented(indent, f.Name+" "+g.text(f.Text), deviceOf(g.Stdout).Columns) + "\n")
		indent += "  "
		if f.Exit != "" {
			g.printf("%slast process: %s\n", indent, f.Exit)
		}
		for _, o := range f.Ports {
			g.printf("%sport %d: %s\n", indent, o.Port, ownerText(o))
		}
		if len(f.LastLog) > 0 {
			g.printf("%slast lines (%s):\n", indent, f.LogFile)
			for _, line := range f.LastLog {
				g.raw(indent + "  | " + line + "\n")
			}
		}
		if f.Advice != "" {
			g.advisef("%swhat to do: %s\n", indent, f.Advice)
		}
	}
}

func ownerText(o supervisor.PortOwner) string {
	text := "held by a process that only root can see"
	switch {
	case o.Program != "":
		text = fmt.Sprintf("held by the program %s, pid %d", o.Program, o.PID)
	case o.PID != 0:
		text = fmt.Sprintf("held by pid %d: %s", o.PID, o.Command)
	}
	if o.Peer != "" {
		text += ", for a connection to " + o.Peer
	}
	return text
}
