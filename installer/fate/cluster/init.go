package cluster

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"fate-installer/installer/problem"
)

// InitOptions are the values of a new cluster file.
type InitOptions struct {
	Host, Guest, Exchange *InitSide
	TLS                   []Role // two sides, or one whose peer is described elsewhere
	Polling               Role   // the party that opens all connections; blank: none
	Engine                string // eggroll or standalone
	Base                  string
	Secrets               map[Role]Secrets // generated, or the published ones
	Without               map[Module]bool  // those that the parties are to lack
}

// InitSide is one side.
type InitSide struct {
	Party     int
	IPs       []string // the main address first; for an exchange, all of its rollsites
	Nodes     []string // nodemanagers; empty: the main address
	Flows     []string // FATE-Flows; several give high availability
	ZooKeeper []string // empty: the first flow, or the first three of three or more
	Nginx     []string // empty: the main address
	Database  string   // host of the database; blank: the main address
	Default   string   // where messages for unknown parties go, as address:port[:secure]; blank: by upstream's rules
	Public    []string // further names for the certificate
}

// PublishedSecrets are AnsibleFATE's passwords. Everybody knows them.
func PublishedSecrets() Secrets {
	s := Secrets{ZooKeeper: NewSecret("fate")}
	for _, e := range secretTable {
		if e.published != "" {
			*e.of(&s) = NewSecret(e.published)
		}
	}
	return s
}

// NewCluster makes the cluster that the options describe, with the default routes of upstream's rules. The error is
// Problems, as from Parse.
func NewCluster(o InitOptions) (*Cluster, error) {
	c := &Cluster{origins: map[string]problem.Pos{}, Install: Install{Base: o.Base}}
	k := &checker{c: c, problems: &c.problems}
	for _, role := range Roles {
		if in := *o.Side(role); in != nil {
			c.put(newSide(role, in, o))
		}
	}
	for _, r := range o.TLS {
		if s := c.Side(r); s != nil {
			s.Rollsite.ServerSecure, s.Rollsite.ClientSecure = true, true
		}
	}
	if party := c.Side(o.Polling); party != nil && c.Exchange != nil {
		party.Rollsite.Polling.Enable = true
		c.Exchange.Rollsite.Polling = PollingConf{Enable: true, IDs: []int{party.PartyID}}
	} else if o.Polling != "" {
		k.bad("", "describe the exchange and the party", "polling needs an exchange and the party %s", o.Polling)
	}
	c.complete(&document{projectInit: projectInit{DefaultEngines: o.Engine}}, &c.problems)
	for _, s := range c.Sides() {
		if in := *o.Side(s.Role); in.Default != "" {
			c.replaceDefault(s, in.Default)
		}
	}
	c.validate(&c.problems)
	if err := c.problems.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Side is where the options have the side of a role; nil there: there is none.
func (o *InitOptions) Side(r Role) **InitSide {
	return map[Role]**InitSide{RoleHost: &o.Host, RoleGuest: &o.Guest, RoleExchange: &o.Exchange}[r]
}

// InitSecrets gives every role secrets: new ones from r, normally crypto/rand.Reader, or the published ones.
func InitSecrets(r io.Reader, published bool) (map[Role]Secrets, error) {
	out := map[Role]Secrets{}
	for _, role := range Roles {
		s, err := PublishedSecrets(), error(nil)
		if !published {
			s, err = NewSecrets(r)
		}
		if err != nil {
			return nil, err
		}
		out[role] = s
	}
	return out, nil
}

func newSide(role Role, in *InitSide, o InitOptions) *Side {
	s := &Side{}
	s.setDefaults()
	s.Role, s.PartyID = role, in.Party
	sec := o.Secrets[role]
	s.Secrets.RouteTableKey = sec.RouteTableKey
	s.Rollsite.IPs, s.Rollsite.PublicNames = in.IPs, in.Public
	if role == RoleExchange {
		return s
	}
	s.Secrets = SecretsConf(sec)
	s.Secrets.ZooKeeper = Secret{}
	main := in.IPs[:min(1, len(in.IPs))]
	or := func(ips []string) []string {
		if len(ips) > 0 {
			return ips
		}
		return main
	}
	for _, m := range s.moduleConfs() {
		if m.module != Rollsite && !o.Without[m.module] {
			*m.ips = main
		}
	}
	s.NodeManager.IPs, s.FateFlow.IPs = or(in.Nodes), or(in.Flows)
	if in.Database != "" {
		s.MySQL.IPs = []string{in.Database}
	}
	if len(s.FateFlow.IPs) > 1 {
		s.Nginx.IPs = or(in.Nginx)
		registry := in.ZooKeeper
		if len(registry) == 0 { // two would survive the loss of none
			registry = s.FateFlow.IPs[:1]
			if len(s.FateFlow.IPs) >= 3 {
				registry = s.FateFlow.IPs[:3]
			}
		}
		for _, ip := range registry {
			s.ZK.Lists = append(s.ZK.Lists, Endpoint{IP: ip, Port: DefaultZooKeeperPort})
		}
		s.ZK.UseACL = true
		s.Secrets.ZooKeeper = sec.ZooKeeper
	}
	return s
}

// replaceDefault makes address:port[:secure] the default route of a side.
func (c *Cluster) replaceDefault(s *Side, route string) {
	s.Rollsite.RouteTables = slices.DeleteFunc(s.Rollsite.RouteTables, hasID(partyDefault))
	c.setPeer(s, route)
}

// ParseInitSide reads 10000:192.168.0.1, or for an exchange one or more addresses separated by commas.
func ParseInitSide(role Role, text string) (*InitSide, error) {
	in := &InitSide{}
	if role != RoleExchange {
		id, rest, found := strings.Cut(text, ":")
		if !found || !partyID().MatchString(id) {
			return nil, fmt.Errorf(
				"cannot use %q for the %s: write the party id and the address, for example 10000:192.168.0.1", text,
				role)
		}
		if _, err := fmt.Sscan(id, &in.Party); err != nil {
			return nil, fmt.Errorf("cannot read the party id of %q: %w", text, err)
		}
		text = rest
	}
	in.IPs = strings.Split(text, ",")
	for _, ip := range in.IPs {
		if reason, fix := addressFault(ip); reason != "" {
			return nil, fmt.Errorf("cannot use %q for the %s: %s; %s", text, role, reason, fix)
		}
	}
	return in, nil
}
