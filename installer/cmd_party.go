package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/state"

	"github.com/spf13/cobra"
)

// newPartyCommand is about the other parties of the federation.
func newPartyCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "party",
		Short: "List, add, remove and test the other parties",
		Long: `List, add, remove and test the other parties that this side reaches. Run it on the host of the rollsite, or of the
exchange.

EXIT STATUS
` + exitHelp,
		Example: `  fate-installer party list
  fate-installer party add 9998:192.168.2.1
  fate-installer party test`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPartyListCommand(g), recorded(newPartyAddCommand(g)), recorded(newPartyRemoveCommand(g)),
		newPartyTestCommand(g))
	return cmd
}

func newPartyListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show where messages for each party go",
		Long: `Show where messages for each party go, whether in plain or with TLS, and where that was written. A party without a line
of its own takes the way of "default".

EXIT STATUS
  0    done
  2    nothing is installed here, or the cluster file cannot be used`,
		Example: `  fate-installer party list
  fate-installer party list --config cluster.yaml --ip 192.168.0.88 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runPartyList(g) },
	}
}

// partyListOutput is the JSON document of party list.
type partyListOutput struct {
	Role   cluster.Role         `json:"role"`   // of this side: host, guest or exchange
	Party  int                  `json:"party"`  // of this side; 0 for an exchange without one
	Routes []cluster.PartyRoute `json:"routes"` // the rows of its route table
}

func runPartyList(g *globals) error {
	w, err := readWanted(g, "")
	if err != nil {
		return err
	}
	spec, err := w.spec(deploy.Secrets{})
	if err != nil {
		return err
	}
	routes := spec.PartyRoutes()
	if g.Output == outputJSON {
		return g.printJSON(partyListOutput{spec.Role, spec.PartyID, routes})
	}
	t := g.newTable("PARTY", "MESSAGES", "GO TO", "HOW", "FROM")
	for _, r := range routes {
		name := r.Party
		if r.Own {
			name += " (own)"
		}
		t.row(name, r.Route, net.JoinHostPort(r.IP, strconv.Itoa(r.Port)), routeManner(r), r.From)
	}
	return t.flush()
}

func routeManner(r cluster.PartyRoute) string {
	switch {
	case r.Polling:
		return "fetched by the party"
	case r.Secure:
		return "TLS"
	}
	return "plain"
}

// partyChangeOptions are the flags of party add and party remove.
type partyChangeOptions struct {
	polling bool
	force   bool
}

const partyChangeHelp = `
The change is kept with the installation and survives a later install; the cluster file is not touched, and install tells
as long as the two differ. The route table is checked before it is written, and replaced in one piece. The rollsite reads
it without being restarted; only polling that was off before takes a restart of the rollsite, and of nothing else.

EXIT STATUS
  0    done; also: it was so already
  2    wrong usage, nothing is installed here, or a route that cannot work
  5    a step failed, or the route table was edited by hand
  7    another run holds the lock
  9    another command was interrupted, and has to be completed first`

func newPartyAddCommand(g *globals) *cobra.Command {
	o := &partyChangeOptions{}
	cmd := &cobra.Command{
		Use:   "add PARTY:ADDRESS[:PORT][:secure]...",
		Short: "Send messages for a party to an address from now on",
		Long: `Send messages for a party to an address from now on: to its rollsite, or to an exchange that knows it. The port is 9370
when it is left out; ":secure" uses TLS, for which the port is usually 9371. PARTY may be default, which means every party
without a route of its own.
` + partyChangeHelp,
		Example: `  fate-installer party add 9998:192.168.2.1
  fate-installer party add 9998:192.168.2.1:9371:secure
  fate-installer party add 9997:192.168.3.1 --polling      # on an exchange, for a party that accepts no connections`,
		Args: needParties, RunE: func(cmd *cobra.Command, args []string) error {
			var changes []cluster.PartyChange
			for _, arg := range args {
				change, err := cluster.ParsePartyChange(arg)
				if err != nil {
					return exit.With(err, exit.Usage)
				}
				change.Polling = o.polling
				changes = append(changes, change)
			}
			return runPartyChange(cmd.Context(), g, o, changes)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.polling, "polling", false, "keep the messages until the party fetches them (exchange only)")
	return cmd
}

func newPartyRemoveCommand(g *globals) *cobra.Command {
	o := &partyChangeOptions{}
	cmd := &cobra.Command{
		Use:   "remove PARTY...",
		Short: "Remove the route to a party",
		Long: `Remove the route to a party. Its messages then go where "default" leads, and nowhere when there is no
such route, as on an exchange.
` + partyChangeHelp,
		Example: `  fate-installer party remove 9998`,
		Args:    needParties,
		RunE: func(cmd *cobra.Command, args []string) error {
			var changes []cluster.PartyChange
			for _, arg := range args {
				changes = append(changes, cluster.PartyChange{Party: arg, Removed: true})
			}
			return runPartyChange(cmd.Context(), g, o, changes)
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *partyChangeOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.force, "force-config", false, "overwrite a route table that was edited on this host")
}

func needParties(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return exit.With(exit.Hint(errors.New("no party is named"), "fate-installer party list shows them"), exit.Usage)
	}
	return nil
}

// partyChangeOutput is the JSON document of party add and party remove.
type partyChangeOutput struct {
	Changes   []cluster.PartyChange `json:"changes"`   // what the command line asked for
	Files     []string              `json:"files"`     // files that were written; empty when nothing has changed
	Restarted []string              `json:"restarted"` // programs that were restarted
	Active    string                `json:"active"`    // since when the change is in force, as text
}

func runPartyChange(ctx context.Context, g *globals, o *partyChangeOptions, changes []cluster.PartyChange) error {
	if err := g.decide(state.Parties); err != nil {
		return err
	}
	d, err := g.openDeployment(ctx, wantedOptions{}, deploy.Needs{})
	if err != nil {
		return err
	}
	defer d.Close()
	return d.ChangeParties(ctx, deploy.PartyOptions{Changes: changes, Polling: o.polling, Force: o.force},
		func(done *deploy.PartiesChanged) error { return printPartyChange(g, changes, done) })
}

// printPartyChange says what was changed, and since when that holds.
func printPartyChange(g *globals, changes []cluster.PartyChange, done *deploy.PartiesChanged) error {
	if g.Output == outputJSON {
		return g.printJSON(partyChangeOutput{changes, append([]string{}, done.Files...),
			append([]string{}, done.Programs...), done.Active})
	}
	for _, change := range changes {
		g.printf("%s\n", changeText(change))
	}
	g.printf("active %s\n", done.Active)
	return nil
}

func changeText(c cluster.PartyChange) string {
	if c.Removed {
		return "party " + c.Party + " has no route of its own any more"
	}
	to := net.JoinHostPort(c.IP, strconv.Itoa(c.Port))
	switch {
	case c.Polling:
		return fmt.Sprintf("messages for party %s are kept until it fetches them", c.Party)
	case c.Secure:
		return fmt.Sprintf("messages for party %s go to %s with TLS", c.Party, to)
	}
	return fmt.Sprintf("messages for party %s go to %s", c.Party, to)
}
