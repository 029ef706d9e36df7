package main

import (
	"errors"
	"fmt"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"

	"github.com/spf13/cobra"
)

type configSQLOptions struct {
	forDBA      bool
	drop        bool
	showSecrets bool
	specOptions
}

// newConfigSQLCommand prints what an administrator of an outside database runs there.
func newConfigSQLCommand(g *globals) *cobra.Command {
	opts := &configSQLOptions{}
	cmd := &cobra.Command{
		Use:   "sql",
		Short: "Print the statements that a side needs on an outside database server",
		Long: `Print the statements that the administrator of an outside database server runs when install is not to have an
administrator's account there. They make the schemas, and an account for each host of the side that logs in, with the
least rights. install then makes the tables with that account.

The password is left out and replaced by the words PASSWORD OF and the account's name; --show-secrets prints the one of
the cluster file. --drop prints the statements that remove the side from the server, with its jobs and models.

EXIT STATUS
  0    the statements were printed
  2    wrong usage or configuration, or the side has no outside database`,
		Example: `  fate-installer config sql --for-dba --config cluster.yaml > fate.sql
  fate-installer config sql --for-dba --show-secrets --config cluster.yaml | mysql -h 192.168.0.77 -u dba -p
  fate-installer config sql --drop`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runConfigSQL(g, opts) },
	}
	f := cmd.Flags()
	f.BoolVar(&opts.forDBA, "for-dba", false, "print what makes the schemas and accounts")
	f.BoolVar(&opts.drop, "drop", false, "print what removes them, with all data in them")
	f.BoolVar(&opts.showSecrets, "show-secrets", false, "print the password of the account")
	opts.specOptions.addFlags(f)
	cmd.MarkFlagsOneRequired("for-dba", "drop")
	cmd.MarkFlagsMutuallyExclusive("for-dba", "drop")
	return cmd
}

// configSQLOutput is the JSON document of config sql.
type configSQLOutput struct {
	Role       cluster.Role `json:"role"`       // the side whose database it is: host or guest
	Party      int          `json:"party"`      // its party ID
	Statements []string     `json:"statements"` // SQL statements, each with its semicolon, in their order
}

func runConfigSQL(g *globals, opts *configSQLOptions) error {
	if opts.forDBA == opts.drop { // one of them was given as false
		return exit.With(errors.New("cannot tell what to print: give --for-dba or --drop"), exit.Usage)
	}
	_, spec, err := opts.read(g)
	if err != nil {
		return err
	}
	statements, ok := databaseStatements(spec, opts)
	if !ok {
		return exit.With(exit.Hint(
			fmt.Errorf("cannot print statements for the %s: %w", spec.Role, errNoOutsideDatabase),
			"write mysql: {type: outside, ips: [ADDRESS]} there when it has one; --role chooses the side"), exit.Usage)
	}
	if g.Output == outputJSON {
		return g.printJSON(configSQLOutput{spec.Role, spec.PartyID, statements})
	}
	for _, s := range statements {
		g.raw(s + "\n")
	}
	return nil
}

var errNoOutsideDatabase = errors.New("it has no outside database")

func databaseStatements(spec *cluster.Spec, opts *configSQLOptions) ([]string, bool) {
	if opts.drop {
		return render.DatabaseRemovalSQL(spec)
	}
	password := ""
	if opts.showSecrets {
		password = spec.Secrets.MySQLUser.Reveal()
	}
	return render.DatabaseSQL(spec, password)
}
