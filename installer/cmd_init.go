package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys/keyfile"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

type initOptions struct {
	sides map[cluster.Role]*initSide

	tls       []string
	polling   string
	engine    string
	published bool
	noBoard   bool
	from      string
	out       string
}

// initSide has the flags of one side.
type initSide struct {
	where string // party and address, as ParseInitSide reads them
	more  cluster.InitSide
}

// newInitCommand writes a cluster file.
func newInitCommand(g *globals) *cobra.Command {
	o := &initOptions{sides: map[cluster.Role]*initSide{}}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a commented cluster file for one, two or three sides",
		Long: `Write a commented cluster file for one, two or three sides. Routes follow upstream's rules, passwords are generated.
On a terminal and without flags it asks.

Sides are different organisations: --out DIR writes a file for each side (host.yaml, guest.yaml, exchange.yaml), which only
that side's hosts get, and public.yaml, which every side gets and which has no secret. Passwords are then generated on
the host that needs them, but for those that several hosts of a side share: they are in that side's file.

For sides that are one organisation, one file for all goes to standard output, or with --out FILE.yaml to a new file that
only its owner can read, for it has the passwords of all sides.

An address is the one that the host itself has. With address translation (NAT) between the sides, change the routes to a
side in the files of the others: they have the address that leads to its rollsite.

EXIT STATUS
  0    the file was written
  2    wrong usage, or a cluster that cannot work`,
		Example: `  fate-installer init --host 10000:192.168.0.1 --guest 9999:192.168.0.2 --out cluster
  fate-installer init --host 10000:192.168.0.1 --guest 9999:192.168.0.2 --out cluster.yaml
  fate-installer init --host 10000:192.168.0.1 --guest 9999:192.168.0.2 --exchange 192.168.0.88 --tls host,exchange > cluster.yaml
  fate-installer init --host 10000:192.168.0.1 --host-flows 192.168.0.1,192.168.0.2 --out cluster.yaml
  fate-installer init --host 10000:192.168.0.1 --host-nodes 192.168.0.2,192.168.0.3 --host-database 192.168.0.3 --out cluster.yaml
  fate-installer init --from deploy/conf/setup.conf --out cluster.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runInit(cmd.Context(), g, o) },
	}
	f := cmd.Flags()
	for _, r := range cluster.Roles {
		side := &initSide{}
		o.sides[r] = side
		form := "the " + string(r) + " as `ID:ADDRESS`"
		if r == cluster.RoleExchange {
			form = "the exchange's `ADDRESS`, or several separated by commas"
		}
		f.StringVar(&side.where, string(r), "", form)
		f.StringVar(&side.more.Default, string(r)+"-default", "",
			"default route of the "+string(r)+", `ADDRESS:PORT[:secure]`, instead of the generated one")
		f.StringSliceVar(&side.more.Public, string(r)+"-public", nil,
			"further `addresses` and names by which peers call the "+string(r)+", for its certificate")
		if r == cluster.RoleExchange {
			continue
		}
		f.StringVar(&side.more.Database, string(r)+"-database", "",
			"the `address` of the host that runs the "+string(r)+"'s database (default: its main address)")
		f.StringSliceVar(&side.more.Nodes, string(r)+"-nodes", nil, "the "+string(r)+"'s nodemanager `addresses`")
		f.StringSliceVar(&side.more.Flows, string(r)+"-flows", nil,
			"the "+string(r)+"'s FATE-Flow `addresses`; several give high availability")
		f.StringSliceVar(&side.more.ZooKeeper, string(r)+"-zookeeper", nil,
			"the "+string(r)+"'s ZooKeeper `addresses` (default: from its FATE-Flows)")
		f.StringSliceVar(&side.more.Nginx, string(r)+"-nginx", nil,
			"the "+string(r)+"'s nginx `addresses` (default: its main address)")
	}
	f.StringSliceVar(&o.tls, "tls", nil,
		"the `roles` that use TLS with each other: two, for example host,exchange, or all three")
	takesWords(f, "tls", roleNames()...)
	f.StringVar(&o.polling, "polling", "", "the party `role` that opens all connections to the exchange itself")
	takesWords(f, "polling", string(cluster.RoleHost), string(cluster.RoleGuest))
	f.StringVar(&o.engine, "engine", "eggroll", "computing `engine`: eggroll or standalone")
	takesWords(f, "engine", "eggroll", "standalone")
	f.BoolVar(&o.noBoard, "no-fateboard", false, "without FATE-Board")
	f.BoolVar(&o.published, "upstream-passwords", false,
		"use the passwords that AnsibleFATE publishes instead of generating new ones")
	f.StringVar(&o.from, "from", "", "start from AnsibleFATE's setup.conf or var files: a `file` or directory")
	f.StringVar(&o.out, "out", "",
		"write a file for each side into this `path`, a directory; a name that ends in .yaml is one file for all sides")
	for _, r := range cluster.Roles {
		cmd.MarkFlagsMutuallyExclusive("from", string(r))
	}
	return cmd
}

func runInit(_ context.Context, g *globals, o *initOptions) error {
	c, generated, err := o.cluster(g)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	if isDirectoryName(o.out) {
		return writeSides(g, o.out, c, generated)
	}
	data, err := c.ClusterFile()
	if err != nil {
		return err
	}
	if o.out == "" {
		_, err := g.Stdout.Write(data)
		return err
	}
	if err := writeNewFile(o.out, data); err != nil {
		return exit.With(err, exit.Usage)
	}
	g.printf("%s: %s, with passwords: keep it safe\n", o.out, count.Of(len(c.Sides()), "side"))
	return nil
}

// isDirectoryName tells --out DIR from --out FILE: a file has an extension.
func isDirectoryName(name string) bool {
	info, err := os.Stat(name)
	return name != "" && (strings.HasSuffix(name, "/") || filepath.Ext(name) == "" || err == nil && info.IsDir())
}

// initOutput is the JSON document of init --out DIR. Without it, init prints a cluster file, which is YAML.
type initOutput struct {
	Files []string `json:"files"` // the cluster files that were written
}

// writeSides writes a file for each side, with the passwords that its hosts share, and the public part.
func writeSides(g *globals, dir string, c *cluster.Cluster, generated map[cluster.Role]cluster.Secrets) error {
	files, err := c.SideFiles(generated)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.Name)); err == nil {
			return exit.With(exit.Hint(fmt.Errorf("cannot write %s: it exists", filepath.Join(dir, f.Name)),
				"choose another directory, or remove it; its passwords may be in use"), exit.Usage)
		}
	}
	if err := keyfile.Write(dir, files, false); err != nil {
		return exit.With(err, exit.Usage)
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = filepath.Join(dir, f.Name)
	}
	if g.Output == outputJSON {
		return g.printJSON(initOutput{names})
	}
	for _, s := range c.Sides() {
		g.printf("%s.yaml: the side %s, for its own hosts only, with the passwords that they share\n",
			filepath.Join(dir, string(s.Role)), s.Role)
	}
	g.printf("%s: for every side, without any secret\n", filepath.Join(dir, cluster.PublicFile))
	return nil
}

// cluster makes the cluster from another file, from flags, or from answers, and gives the passwords it generated.
func (o *initOptions) cluster(g *globals) (*cluster.Cluster, map[cluster.Role]cluster.Secrets, error) {
	generated, err := cluster.InitSecrets(rand.Reader, o.published)
	if err != nil {
		return nil, nil, err
	}
	c, err := o.clusterWith(g, generated)
	if o.published {
		generated = nil // they were asked for
	}
	return c, generated, err
}

func (o *initOptions) clusterWith(g *globals, generated map[cluster.Role]cluster.Secrets) (*cluster.Cluster, error) {
	if o.from != "" {
		return clusterFrom(o.from, generated)
	}
	in, err := o.fromFlags()
	if err != nil {
		return nil, err
	}
	if in.Host == nil && in.Guest == nil && in.Exchange == nil {
		if !canAsk(g) {
			return nil, exit.Hint(errors.New("no side given: use --host, --guest or --exchange"),
				"fate-installer init --host 10000:192.168.0.1 --guest 9999:192.168.0.2")
		}
		if err := ask(g, &in); err != nil {
			return nil, err
		}
	}
	in.Secrets = generated
	return cluster.NewCluster(in)
}

func (o *initOptions) fromFlags() (cluster.InitOptions, error) {
	in := cluster.InitOptions{Engine: o.engine, Polling: cluster.Role(o.polling),
		Without: map[cluster.Module]bool{cluster.FateBoard: o.noBoard}}
	for _, name := range o.tls {
		role, err := cluster.ParseRole(name)
		if err != nil {
			return in, fmt.Errorf("--tls: %w", err)
		}
		in.TLS = append(in.TLS, role)
	}
	for role, flags := range o.sides {
		if flags.where == "" {
			continue
		}
		given, err := cluster.ParseInitSide(role, flags.where)
		if err != nil {
			return in, fmt.Errorf("--%s: %w", role, err)
		}
		side := flags.more
		side.Party, side.IPs = given.Party, given.IPs
		*in.Side(role) = &side
	}
	return in, nil
}

// clusterFrom reads AnsibleFATE's files. Passwords they lack are generated.
func clusterFrom(name string, secrets map[cluster.Role]cluster.Secrets) (*cluster.Cluster, error) {
	files, err := readConfigFiles(name)
	if err != nil {
		return nil, err
	}
	var sources []cluster.Source
	for _, file := range files {
		sources = append(sources, cluster.Source{Name: file.Name, Data: []byte(file.Data)})
	}
	return cluster.ParseWith(sources, secrets)
}
