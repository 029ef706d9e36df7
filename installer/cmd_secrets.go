package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"

	"github.com/spf13/cobra"
)

// newSecretsCommand is about the passwords and keys of the installation.
func newSecretsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "List and change the passwords of this side, and show the login of FATE-Board",
		Long: `List and change the passwords of this side: those of the database's administrator and user, of FATE-Board, of
the route table and of ZooKeeper. No value is printed but that of FATE-Board, by secrets show.

EXIT STATUS
` + exitHelp,
		Example: `  fate-installer secrets list
  fate-installer secrets show fateboard
  fate-installer secrets rotate mysql_fate`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSecretsListCommand(g), recorded(newSecretsShowCommand(g)), recorded(newSecretsRotateCommand(g)))
	return cmd
}

func newSecretsListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show the names of the passwords, since when they are in use, and what uses them",
		Long: `Show the names of the passwords that this host uses, where each came from, since when it is in use, which
programs of this host read it, and which hosts of the side have it. Values are not shown.

EXIT STATUS
  0    done
  2    nothing is installed here`,
		Example: `  fate-installer secrets list
  fate-installer secrets list -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSecretsList(cmd.Context(), g) },
	}
}

// secretsListOutput is the JSON document of secrets list.
type secretsListOutput struct {
	Role    cluster.Role   `json:"role"`    // of this side: host, guest or exchange
	Party   int            `json:"party"`   // of this side; 0 for an exchange without one
	Secrets []listedSecret `json:"secrets"` // those that this host uses; never their values
}

// listedSecret is one line of secrets list.
type listedSecret struct {
	Name string `json:"name"` // as secrets rotate takes it
	Key  string `json:"key"`  // in the cluster file's secrets block
	// "cluster file", or "generated" when it was generated during installation
	From string `json:"from"`
	// since when it is in use; unknown when an older release installed it
	Since      *time.Time `json:"since,omitempty"`
	Unfinished bool       `json:"unfinished"` // a change of it was interrupted
	Programs   []string   `json:"programs"`   // the programs of this host that read it
	Hosts      []string   `json:"hosts"`      // the addresses of the hosts of the side that have it; null for none
}

func runSecretsList(ctx context.Context, g *globals) error {
	d, err := g.openInstalled(ctx, "list the passwords")
	if err != nil {
		return err
	}
	defer d.Close()
	list := listSecrets(d)
	if g.Output == outputJSON {
		return g.printJSON(secretsListOutput{d.Spec().Role, d.Spec().PartyID, list})
	}
	t := g.newTable("SECRET", "FROM", "SINCE", "PROGRAMS HERE", "HOSTS")
	for _, s := range list {
		since := "unknown"
		if s.Since != nil {
			since = s.Since.Local().Format("2006-01-02 15:04")
		}
		if s.Unfinished {
			since += ", change unfinished"
		}
		t.row(s.Name, s.From, since, strings.Join(s.Programs, " "), strings.Join(s.Hosts, " "))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if unfinished := d.Spec().SecretRecords.Unfinished(); len(unfinished) > 0 {
		g.advisef("a change was cut off: fate-installer secrets rotate %s completes it\n",
			cluster.SecretCommand(unfinished[0]))
	}
	return nil
}

func listSecrets(d *deploy.Deployment) []listedSecret {
	unfinished := d.Spec().SecretRecords.Unfinished()
	list := []listedSecret{}
	for _, use := range render.SecretUses(d.Spec()) {
		if !use.Here {
			continue
		}
		s := listedSecret{
			Name: use.Command, Key: use.Name, From: "generated", Unfinished: slices.Contains(unfinished, use.Name),
			Programs: append([]string{}, use.Programs...), Hosts: use.Hosts,
		}
		if use.FromFile {
			s.From = "cluster file"
		}
		if since := d.Spec().SecretRecords[use.Name].Since; !since.IsZero() {
			s.Since = &since
		}
		list = append(list, s)
	}
	return list
}
