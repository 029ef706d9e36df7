package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/keys/keyfile"
	"fate-installer/installer/host"
	"fate-installer/installer/peer"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

type partyTestOptions struct {
	peer   string
	keys   string
	listen bool
	port   int
	idle   time.Duration
}

// newPartyTestCommand tests the ways to the other parties. The file is not called after the verb: a name that ends in
// _test.go is a test's.
func newPartyTestCommand(g *globals) *cobra.Command {
	o := &partyTestOptions{}
	cmd := &cobra.Command{
		Use:   "test [PARTY...]",
		Short: "Test the way to each party of the route table, and back",
		Long: `Test the way from this host to the next hop of each party in the route table: its name, the TCP connection and how large
a packet may be on it, the identity shown over TLS, that clear text is refused where it should be, that gRPC gets through,
that the right party answers, also to a large message, and that a message sent there for this side comes back. Run it on
the host of the rollsite.

It can be used before anything is installed, with --config: run it with --listen on the other side, where it then stands
in for the rollsite on the port of the route. Two sides that run it at the same time also compare their clocks, and each
tests the way back as its own route table has it. --idle holds a connection silent for a while and then uses it again: a
firewall on the way may forget it, and drop what comes over it later. While a rollsite runs,
--listen uses port ` + strconv.Itoa(peer.TestPort) + `, or --port.

EXIT STATUS
  0    every way is as it should be; warnings are no failures
  2    wrong usage or configuration
  3    some check failed
  130  interrupted (--listen ends so)`,
		Example: `  fate-installer party test
  fate-installer party test 9999 -o json
  fate-installer party test --idle 5m
  ./fate-installer party test --config cluster.yaml --keys host.tar.gz
  ./fate-installer party test --config cluster.yaml --listen`,
		RunE: func(cmd *cobra.Command, args []string) error { return runPartyTest(cmd.Context(), g, o, args) },
	}
	cmd.Flags().StringVar(&o.peer, "peer", "", "default route `IP:PORT[:secure]`, when there is no cluster file")
	cmd.Flags().StringVar(&o.keys, "keys", "",
		"TLS keys of this side, when they are not installed: the archive or directory at `path`")
	cmd.Flags().BoolVar(&o.listen, "listen", false, "answer the other side's test until interrupted")
	cmd.Flags().IntVar(&o.port, "port", 0,
		"listen on this `port` (default: the rollsite's, or "+strconv.Itoa(peer.TestPort)+" when it is in use)")
	cmd.Flags().DurationVar(&o.idle, "idle", 0,
		"also hold a connection to each target silent for this `DURATION`, such as 5m, and use it again")
	return cmd
}

// maxIdle is longer than any firewall's limit on idle connections that is worth waiting for.
const maxIdle = 24 * time.Hour

// partyTest is a test of the ways from one host.
type partyTest struct {
	g      *globals
	spec   *cluster.Spec
	prober *peer.Prober
	server *tls.Config // for a listener in the place of a rollsite with TLS; nil: none
}

func runPartyTest(ctx context.Context, g *globals, o *partyTestOptions, parties []string) error {
	if o.idle < 0 || o.idle > maxIdle {
		return exit.With(fmt.Errorf("--idle %s is not between 0 and %s", o.idle, maxIdle), exit.Usage)
	}
	t, err := openPartyTest(g, o)
	if err != nil {
		return err
	}
	if o.listen {
		return t.listen(ctx, o.port)
	}
	targets, err := deploy.Ways(t.spec, t.prober.Party, parties)
	if err != nil {
		return err
	}
	stop := t.standIn(ctx)
	defer stop()
	t.prober.Idle = o.idle
	if o.idle > 0 && g.Output != outputJSON {
		g.errorf("holding a connection to each of %s silent for %s\n", count.Of(len(targets), "target"),
			o.idle)
	}
	results := t.prober.TestAll(ctx, targets)
	results = append(results, deploy.PolledWays(t.spec, parties)...)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return t.print(results)
}

func openPartyTest(g *globals, o *partyTestOptions) (*partyTest, error) {
	w, err := readWanted(g, o.peer)
	if err != nil {
		return nil, err
	}
	spec, err := w.spec(deploy.Secrets{})
	if err != nil {
		return nil, err
	}
	if !spec.Runs(cluster.Rollsite) {
		return nil,
			exit.With(exit.Hint(fmt.Errorf("cannot test the ways from %s: the rollsite of this side is elsewhere",
				spec.IP),
				"run the same command on "+strings.Join(spec.Side.Rollsite.IPs, " and on ")), exit.Usage)
	}
	t := &partyTest{g: g, spec: spec, prober: &peer.Prober{Now: time.Now}}
	if spec.Role != cluster.RoleExchange {
		t.prober.Party = strconv.Itoa(spec.PartyID)
	}
	return t, t.useKeys(o.keys)
}

// useKeys takes the keys of an archive, or those that are installed, or none.
func (t *partyTest) useKeys(name string) error {
	if !t.spec.NeedsKeys() {
		return nil
	}
	var files []keys.File
	var err error
	if name != "" {
		files, err = keyfile.Read(name)
	} else {
		files, err = t.installedKeys()
	}
	if err != nil || len(files) == 0 {
		return exit.With(err, exit.Usage)
	}
	t.prober.Identity, t.server, err = deploy.RollsiteTLS(t.spec, files)
	return exit.With(err, exit.Usage)
}

func (t *partyTest) installedKeys() ([]keys.File, error) {
	h, err := host.New(t.g.Root, nil)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	files, missing, err := deploy.InstalledKeys(h, t.spec)
	if len(missing) > 0 {
		return nil, err // an incomplete key set counts as none
	}
	return files, err
}

// partyTestReport is the JSON document of party test.
type partyTestReport struct {
	Time    time.Time     `json:"time"`    // of the test, in UTC
	Role    cluster.Role  `json:"role"`    // of the side that tested
	Party   int           `json:"party"`   // of the side that tested; 0 for an exchange without one
	IP      string        `json:"ip"`      // of the host that tested
	Version string        `json:"version"` // of fate-installer
	OK      bool          `json:"ok"`      // no check failed
	Results []peer.Result `json:"results"` // of every check; null for none
}

// print shows the results as a table that can be signed: who tested what, when, and what was found.
func (t *partyTest) print(results []peer.Result) error {
	failed := slices.ContainsFunc(results, func(r peer.Result) bool { return r.Status == peer.Failed })
	now := t.prober.Now().UTC()
	if t.g.Output == outputJSON {
		report := partyTestReport{now, t.spec.Role, t.spec.PartyID, t.spec.IP, buildVersion(), !failed, results}
		if err := t.g.printJSON(report); err != nil {
			return err
		}
	} else if err := t.printTable(results, now); err != nil {
		return err
	}
	if failed {
		return exit.Silently(exit.Preflight) // 3: some check failed
	}
	return nil
}

func (t *partyTest) printTable(results []peer.Result, now time.Time) error {
	t.g.printf("from %s at %s, %s, fate-installer %s\n\n", t.who(), t.spec.IP, now.Format("2006-01-02 15:04:05 MST"),
		buildVersion())
	table := t.g.newTable("PARTY", "WAY", "ADDRESS", "CHECK", "RESULT", "MEASURED")
	number := map[peer.Status]int{}
	for _, r := range results {
		number[r.Status]++
		table.row(r.Party, string(r.Direction), r.Address, r.Check, string(r.Status), r.Measured)
	}
	if err := table.flush(); err != nil {
		return err
	}
	t.g.printf("\n%d ok, %s, %d failed, %d skipped\n", number[peer.OK], count.Of(number[peer.Warning], "warning"),
		number[peer.Failed], number[peer.Skipped])
	for _, r := range results {
		if r.Remedy != "" && r.Status != peer.OK {
			t.g.printf("%s %s %s, %s: %s\n    -> %s\n", r.Status, r.Party, r.Direction, r.Check, r.Measured, r.Remedy)
		}
	}
	return nil
}

func (t *partyTest) who() string {
	if t.spec.Role == cluster.RoleExchange {
		return "the exchange"
	}
	return fmt.Sprintf("%s %d", t.spec.Role, t.spec.PartyID)
}
