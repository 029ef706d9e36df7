package main

import (
	"context"
	"errors"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/state"

	"github.com/spf13/cobra"
)

// rotateOptions are the flags of secrets rotate.
type rotateOptions struct {
	from  string
	force bool
}

func newSecretsRotateCommand(g *globals) *cobra.Command {
	o := &rotateOptions{}
	cmd := &cobra.Command{
		Use:   "rotate SECRET...",
		Short: "Replace passwords by new ones, everywhere on this host",
		Long: `Replace passwords by new ones: mysql_root, mysql_fate, fateboard, route_table_key, zookeeper, or all. They change in the
database or ZooKeeper, in every configuration file that has them, and
in the programs that read them. Only those programs are restarted; jobs that run in them are lost, so wait until none
runs.

New passwords are generated, and stored before anything else is changed. A run that is killed at any moment is completed
by the same command, which then generates no further one. The cluster file is not touched: where it has a replaced
password, the new one stays in force here. To choose a password yourself, write it into the cluster file and install
with --change-cluster, which changes it in the same way.

Some passwords are shared by several hosts of the side. Then the new ones are also written to a file for those hosts,
mode 0600, and the output names the hosts that have the former ones. Carry the file there and run secrets rotate
--from FILE as root. The password of the database user is changed first on the host of the database; until the others
follow, their programs cannot open new connections to it.

EXIT STATUS
  0    done; also: an interrupted change was completed
  2    wrong usage, nothing is installed here, or it must be done on another host first
  5    a step failed; it is safe to run the same command again
  6    changed, but a program is not ready
  7    another run holds the lock
  9    another command was interrupted, and has to be completed first
  130  interrupted; the same command completes it`,
		Example: `  fate-installer secrets rotate mysql_fate
  fate-installer secrets rotate all -o json
  fate-installer secrets rotate --from secrets-handover.json   # on the other hosts of the side`,
		ValidArgs: append(cluster.SecretCommands(), deploy.AllSecrets),
		Args: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("secret", args, cmd.ValidArgs); err != nil {
				return err
			}
			if len(args) == 0 && o.from == "" {
				return exit.With(exit.Hint(errors.New("no secret is named"),
					"fate-installer secrets list shows them; all means every one"), exit.Usage)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runSecretsRotate(cmd.Context(), g, o, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "",
		"take the new values from `FILE` that secrets rotate wrote on another host; - is standard input")
	f.BoolVar(&o.force, "force-config", false, "overwrite configuration files that were edited on this host")
	return cmd
}

func runSecretsRotate(ctx context.Context, g *globals, o *rotateOptions, args []string) error {
	given, err := readHandedSecrets(g, o.from)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	if err := g.decide(state.Secrets); err != nil {
		return err
	}
	d, err := g.openInstalled(ctx, "change passwords")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Rotate(ctx, deploy.RotateOptions{Secrets: args, Given: given, Force: o.force},
		func(r *deploy.Rotated) error { return printRotated(g, r) })
}

// secretsRotateOutput is the JSON document of secrets rotate.
type secretsRotateOutput struct {
	Secrets   []string `json:"secrets"`   // names of the secrets that were changed
	Completed []string `json:"completed"` // names of those whose interrupted change was completed
	Files     []string `json:"files"`     // files that were written
	Restarted []string `json:"restarted"` // programs that were restarted
	// the file for the other hosts of the side; blank: none is needed
	Handover  string               `json:"handover"`
	HostsLeft []deploy.SecretsLeft `json:"hosts_left"` // hosts that have former values
}

// printRotated says what was changed, and which hosts have former values.
func printRotated(g *globals, r *deploy.Rotated) error {
	left, commands := append([]deploy.SecretsLeft{}, r.Left...), append([]string{}, r.Secrets...)
	if g.Output == outputJSON {
		return g.printJSON(secretsRotateOutput{
			commands, append([]string{}, r.Completed...), append([]string{}, r.Files...),
			append([]string{}, r.Restarted...),
			r.Handover, left,
		})
	}
	if len(r.Secrets) == 0 {
		g.printf("nothing to do: this host has these values already\n")
		return nil
	}
	g.printf("changed    %s\n", strings.Join(commands, ", "))
	if len(r.Completed) > 0 {
		g.printf("completed  the interrupted change of %s\n", strings.Join(r.Completed, ", "))
	}
	g.printf("files      %s\n", orNone(r.Files))
	g.printf("restarted  %s\n", orNone(r.Restarted))
	if r.InTree {
		g.printf("next       boot the tree, and run the same command there: servers are not changed in a directory " +
			"tree\n")
	}
	if len(left) == 0 {
		return nil
	}
	g.printf("\nThese hosts have the former ones:\n")
	for _, l := range left {
		g.printf("  %-15s  %s\n", l.Host, strings.Join(l.Secrets, ", "))
	}
	g.advisef("On each of them, as root: fate-installer secrets rotate --from FILE\n")
	g.printf("FILE is a copy of %s, readable by root alone.\n", r.Handover)
	return nil
}

func orNone(items []string) string {
	if len(items) == 0 {
		return "none"
	}
	return strings.Join(items, ", ")
}
