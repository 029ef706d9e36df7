package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/adopt"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/redact"

	"github.com/spf13/cobra"
)

type adoptOptions struct {
	plan  bool
	all   bool
	out   string
	nodes []string
	flows []string
	base  string // blank: found
}

// newAdoptCommand shows how a host that AnsibleFATE installed would be taken over.
func newAdoptCommand(g *globals) *cobra.Command {
	o := &adoptOptions{}
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Show how a party that AnsibleFATE installed would be taken over (plan only)",
		Long: `Show how a party that AnsibleFATE installed on this host (FATE 1.5 to 1.11) would be taken over. This release makes the
plan, and does not take over yet: --plan is required, nothing is changed, and no file of the installation is opened for
writing. Run it as root, who can read all of it.

The plan says what was found and where, which programs would go on running and which would be restarted, which passwords
would be taken over (never their values), and what cannot be taken over. It has the cluster file that describes the party;
--out writes it. Keys of configuration files that this cluster file would render otherwise are kept as they are: each one is
listed, those that an operator edited with both values, those that AnsibleFATE's templates make with --all.

No file says where the nodemanagers of a party of several hosts are, nor its other FATE-Flows: name them with --nodemanagers
and --fate-flows. That a party without TLS is host or guest is in no file either: --role.

Parties in containers (KubeFATE), with the engine spark, or of FATE 2 are refused; so is an installation of fate-installer.

EXIT STATUS
  0    the plan was printed, and everything can be taken over
  2    wrong usage; also: --plan was left out
  3    the host is refused, or a part of the installation cannot be taken over`,
		Example: `  fate-installer adopt --plan
  fate-installer adopt --plan --out adopted.yaml
  fate-installer adopt --plan --role guest --nodemanagers 192.168.0.1,192.168.0.3 --all
  fate-installer adopt --plan --base /srv/fate -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("base") {
				o.base = g.Base
			}
			return runAdopt(g, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.plan, "plan", false, "show the plan and change nothing; this release requires it")
	f.BoolVar(&o.all, "all", false, "list also the differences that AnsibleFATE's own templates make")
	f.StringVar(&o.out, "out", "", "write the cluster file, without passwords, to a new `FILE`")
	f.StringSliceVar(&o.nodes, "nodemanagers", nil, "`addresses` of the party's nodemanagers")
	f.StringSliceVar(&o.flows, "fate-flows", nil, "`addresses` of the party's FATE-Flows, of which there are several")
	return cmd
}

// adoptOutput is the JSON document of adopt --plan.
type adoptOutput struct {
	adopt.Plan
	Out string `json:"out"` // the file with the cluster file; blank: none was written
}

func runAdopt(g *globals, o *adoptOptions) error {
	if !o.plan {
		return exit.With(exit.Hint(errors.New("cannot take this host over: this release only makes the plan"),
			"fate-installer adopt --plan shows what taking over would do"), exit.Usage)
	}
	if o.out != "" {
		if err := checkOuts([]string{o.out}, nil); err != nil {
			return err
		}
	}
	p, err := planAdoption(g, o)
	var refusal *adopt.Refusal
	if errors.As(err, &refusal) {
		return exit.With(exit.Hint(refusal, refusal.Hint()), exit.Preflight)
	}
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := writeClusterFile(o.out, p.ClusterFile); err != nil {
			return err
		}
	}
	if g.Output == outputJSON {
		p.Clean(printableInJSON)
		err = g.printJSON(adoptOutput{*p, o.out})
	} else {
		err = printAdoption(g, p, o)
	}
	if err == nil && len(p.Obstacles) > 0 {
		return exit.Silently(exit.Preflight)
	}
	return err
}

// printableInJSON replaces the characters on which a terminal acts and which JSON does not escape.
func printableInJSON(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x7f && redact.Printable(string(r)) == "?" {
			return '?'
		}
		return r
	}, s)
}

func planAdoption(g *globals, o *adoptOptions) (*adopt.Plan, error) {
	h, err := g.openHost()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	machine := host.Identify(h)
	options := adopt.Options{Base: o.base, Role: cluster.Role(g.Role), IP: g.IP, Nodes: o.nodes, Flows: o.flows,
		Memory: machine.Memory, CPUs: machine.CPUs, Now: time.Now()}
	for _, a := range machine.Addresses {
		if ip := a.IP.String(); !slices.Contains(options.Addresses, ip) {
			options.Addresses = append(options.Addresses, ip)
		}
	}
	return adopt.New(h, options)
}

// writeClusterFile writes a new file, mode 0600: it tells how the host is set up.
func writeClusterFile(name, text string) error {
	out, err := createOut(name)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	_, err = io.WriteString(out, text)
	if err := out.finish(err); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}
