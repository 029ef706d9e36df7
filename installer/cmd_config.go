package main

import (
	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

// newConfigCommand looks at the configuration without installing anything.
func newConfigCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check and show the configuration",
		Long: `Check and show the configuration that cluster files and flags give, without touching anything.

EXIT STATUS
  0    done
  2    wrong usage or configuration`,
		Example: `  fate-installer config show --config cluster.yaml --origins
  fate-installer config check --config var_files/prod
  fate-installer config sql --for-dba --config cluster.yaml`,
	}
	cmd.AddCommand(newConfigShowCommand(g), newConfigCheckCommand(g), newConfigSQLCommand(g))
	return cmd
}

type configShowOptions struct {
	origins bool
	peer    string
}

func newConfigShowCommand(g *globals) *cobra.Command {
	opts := &configShowOptions{}
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show every value, what runs on this host, and which sizes would fit it",
		Long: `Show every value of the configuration, where it comes from, which modules run on this host, and the sizes that fit this
host: worker processes by the guide's formula, java heaps by its memory. A size is used only where none was written.
Passwords are never shown.

Without --config and --role, the installation on this host is shown.

EXIT STATUS
  0    done
  2    wrong usage or configuration`,
		Example: `  fate-installer config show --config cluster.yaml --origins
  fate-installer config show --config host/ --config secrets.yaml -o json
  fate-installer config show --role host --party 10000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runConfigShow(g, opts) },
	}
	cmd.Flags().BoolVar(&opts.origins, "origins", false, "add the place each value comes from")
	cmd.Flags().StringVar(&opts.peer, "peer", "", "default route `IP:PORT[:secure]`, when there is no cluster file")
	return cmd
}

// configCheckOutput is the JSON document of config check.
type configCheckOutput struct {
	OK    bool     `json:"ok"`    // always true: mistakes are an error, with problems
	Notes []string `json:"notes"` // about the configuration, as text
}

func newConfigCheckCommand(g *globals) *cobra.Command {
	var peer string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report every mistake in the cluster files at once",
		Long: `Report every mistake in the cluster files at once, each with its place and what to do. Nothing is looked up on this
host, so that files can be checked anywhere. An appliance also reports what its own components cannot do, such as high
availability with MariaDB.

EXIT STATUS
  0    the files can be used
  2    they cannot, for the reasons listed`,
		Example: `  fate-installer config check --config cluster.yaml
  ssh admin@bastion cat cluster.yaml | fate-installer config check --config -`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := readWanted(g, peer)
			if err != nil {
				return err
			}
			if err := w.versions(""); err != nil {
				return err
			}
			if problems := preflight.CheckDatabase(w.cluster, w.site.Versions()); len(problems) > 0 {
				return exit.With(problems, exit.Usage)
			}
			notes := w.cluster.Notes()
			if g.Output == outputJSON {
				return g.printJSON(configCheckOutput{true, notes.Texts()})
			}
			printNotes(g, notes)
			g.printf("ok: %s\n", count.Of(len(w.cluster.Sides()), "side"))
			return nil
		},
	}
	cmd.Flags().StringVar(&peer, "peer", "", "default route `IP:PORT[:secure]`, when there is no cluster file")
	return cmd
}

// configShowOutput is the JSON document of config show.
type configShowOutput struct {
	Values []cluster.Value `json:"values"`         // every setting of the cluster files
	Notes  []string        `json:"notes"`          // about the configuration, as text
	Host   *configuredHost `json:"host,omitempty"` // what this host is; absent when it is none of the cluster
}

// configuredHost has the cluster files' values for this host.
type configuredHost struct {
	Role    cluster.Role     `json:"role"`    // host, guest or exchange
	Party   int              `json:"party"`   // party ID; 0 for an exchange without one
	IP      string           `json:"ip"`      // the address of this host in the cluster
	Modules []cluster.Module `json:"modules"` // the modules that run here
	Advice  []cluster.Advice `json:"advice"`  // sizes that fit this host; null for none
}

func runConfigShow(g *globals, opts *configShowOptions) error {
	w, err := readWanted(g, opts.peer)
	if err != nil {
		return err
	}
	if err := w.versions(""); err != nil {
		return err
	}
	spec, specErr := w.spec(deploy.Secrets{})
	values, notes := w.cluster.Values(), w.cluster.Notes()
	if specErr == nil {
		notes = spec.Warnings()
	}
	if g.Output == outputJSON {
		out := configShowOutput{Values: values, Notes: notes.Texts()}
		if specErr == nil {
			out.Host = &configuredHost{spec.Role, spec.PartyID, spec.IP, spec.Modules(), spec.Advice()}
		}
		return g.printJSON(out)
	}
	header := []string{"KEY", "VALUE"}
	if opts.origins {
		header = append(header, "FROM")
	}
	t := g.newTable(header...)
	for _, v := range values {
		cells := []string{v.Path, v.Value}
		if opts.origins {
			cells = append(cells, v.Origin)
		}
		t.row(cells...)
	}
	if err := t.flush(); err != nil {
		return err
	}
	printNotes(g, notes)
	if specErr != nil {
		g.printf("\nnot this host: %v\n", specErr)
		return nil
	}
	g.printf("\nthis host: %s %d at %s runs %v\n", spec.Role, spec.PartyID, spec.IP, spec.Modules())
	return printAdvice(g, spec.Advice())
}

func printAdvice(g *globals, advice []cluster.Advice) error {
	if len(advice) == 0 {
		return nil
	}
	g.printf("\n")
	t := g.newTable("SIZE", "FITS", "USED", "BECAUSE")
	for _, a := range advice {
		t.row(a.Key, a.Value, a.Used, a.Why)
	}
	return t.flush()
}
