package cluster

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fate-installer/installer/problem"
)

// The two route names FATE sends: FATE-Flow's own calls, and everything else.
const (
	RouteDefault = "default"
	routeFlow    = "fateflow"
	// partyDefault is the party of a route table that stands for every party without an entry.
	partyDefault = "default"
)

// Secure reports whether a side's rollsite speaks TLS to its peers. Upstream always switches both directions at once.
func (s *Side) Secure() bool { return s.Rollsite.ServerSecure && s.Rollsite.ClientSecure }

// ID is the side's party id as route tables write it.
func (s *Side) ID() string { return strconv.Itoa(s.PartyID) }

// generateRoutes builds the route table of a side by upstream's rules: special routes first, then the default
// route, then the own party. special may be empty; a special default replaces the generated one.
func (c *Cluster) generateRoutes(s *Side, special []PartyRoutes, problems *problem.Problems) []PartyRoutes {
	table := slices.Clone(special)
	if s.Role == RoleExchange {
		for _, party := range []*Side{c.Host, c.Guest} {
			if party != nil && !slices.ContainsFunc(table, hasID(party.ID())) {
				table = append(table, PartyRoutes{
					At: "exchange.rollsite", ID: party.ID(),
					Routes: []Route{c.routeTo(party, party.Secure())},
				})
			}
		}
		return table
	}
	if !slices.ContainsFunc(table, hasID(partyDefault)) {
		if next, secure := c.nextHop(s); next != nil {
			if len(next.Rollsite.IPs) > 1 {
				problems.Add(c.At("%s.rollsite.ips", next.Role),
					"give the "+string(s.Role)+" a default route to the balancer in front of them",
					"the %s has %d rollsite addresses and the %s no default route of its own", next.Role,
					len(next.Rollsite.IPs), s.Role)
			} else if len(next.Rollsite.IPs) == 1 {
				table = append(table, PartyRoutes{
					At: string(s.Role) + ".rollsite", ID: partyDefault, Routes: []Route{c.routeTo(next, secure)},
				})
			}
		}
	}
	if !slices.ContainsFunc(table, hasID(s.ID())) {
		table = append(table, c.ownParty(s))
	}
	return table
}

// nextHop is where a party sends what it has no route for: the exchange if there is one, else the only other party.
func (c *Cluster) nextHop(s *Side) (next *Side, secure bool) {
	other := c.Guest
	if s.Role == RoleGuest {
		other = c.Host
	}
	switch {
	case c.Exchange != nil && other != nil:
		return c.Exchange, c.Exchange.Secure() && s.Secure()
	case c.Exchange != nil:
		return c.Exchange, c.Exchange.Secure()
	case other != nil:
		return other, other.Secure()
	}
	return nil, false
}

func (c *Cluster) routeTo(s *Side, secure bool) Route {
	r := Route{At: string(s.Role) + ".rollsite", Name: RouteDefault, IP: FirstAddress(s.Rollsite.IPs),
		Port: s.Rollsite.Port}
	if secure {
		r.Port, r.IsSecure = s.Rollsite.SecurePort, true
	}
	return r
}

// ownParty is the entry of the side itself. The default route has to name the own rollsite in plain, even with TLS:
// the receiving rollsite reads the same entry to decide how it calls its own FATE-Flow.
func (c *Cluster) ownParty(s *Side) PartyRoutes {
	at := string(s.Role) + ".rollsite"
	p := PartyRoutes{At: at, ID: s.ID(), Routes: []Route{{At: at, Name: RouteDefault, IP: FirstAddress(s.Rollsite.IPs),
		Port: s.Rollsite.Port}}}
	if host, port := s.flowEntry(); host != "" {
		p.Routes = append(p.Routes, Route{At: at, Name: routeFlow, IP: host, Port: port})
	}
	return p
}

// flowEntry is where rollsite hands messages for FATE-Flow to: the balancer when there is one, otherwise the only flow.
func (s *Side) flowEntry() (host string, port int) {
	if s.Balanced() {
		return s.Nginx.Entry(), s.Nginx.GRPCPort
	}
	return FirstAddress(s.FateFlow.IPs), s.FateFlow.GRPCPort
}

// Balanced reports whether nginx stands in front of FATE-Flow.
func (s *Side) Balanced() bool { return s.Nginx.Enable && s.FateFlow.DefaultEngines != "spark" }

// Entry is the address clients use: an explicit host such as a virtual address, or the first nginx.
func (n NginxConf) Entry() string {
	if n.Host != "" {
		return n.Host
	}
	return FirstAddress(n.IPs)
}

func hasID(id string) func(PartyRoutes) bool {
	return func(p PartyRoutes) bool { return p.ID == id }
}

// FirstAddress is the first address of a list, or blank.
func FirstAddress(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

var (
	partyID = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[1-9][0-9]{0,9}$`)
	})
)

// parseSpecialRoute reads party:target:port[:secure], upstream's notation. Unlike upstream it refuses any other fourth
// word instead of replacing the port.
func parseSpecialRoute(s string) (party string, r Route, reason string) {
	parts := strings.Split(s, ":")
	if len(parts) < 3 || len(parts) > 4 {
		return "", r, "it must be party:address:port or party:address:port:secure"
	}
	if parts[0] != partyDefault && !partyID().MatchString(parts[0]) {
		return "", r, "the party must be a number of at most 10 digits, or default"
	}
	if reason, _ := addressFault(parts[1]); reason != "" {
		return "", r, reason
	}
	port, err := strconv.Atoi(parts[2])
	if err != nil || port < 1 || port > 65535 {
		return "", r, "the port must be a number from 1 to 65535"
	}
	r = Route{Name: RouteDefault, IP: parts[1], Port: port}
	if port == defaultFlowGRPCPort || port == defaultFlowHTTPPort {
		r.Name = routeFlow
	}
	if len(parts) == 4 {
		if parts[3] != "secure" {
			return "", r, "the only word after the port is secure"
		}
		if r.Name == routeFlow {
			return "", r, "FATE-Flow's own port has no TLS"
		}
		r.IsSecure = true
	}
	return parts[0], r, ""
}

// Endpoint is address:port.
func (r Route) Endpoint() string { return r.IP + ":" + strconv.Itoa(r.Port) }

// NodeAddresses lists host:port of each nodemanager of the side.
func (s *Side) NodeAddresses() []string {
	if !s.NodeManager.Enable {
		return nil
	}
	var out []string
	for _, ip := range s.NodeManager.IPs {
		out = append(out, net.JoinHostPort(ip, strconv.Itoa(s.NodeManager.Port)))
	}
	return out
}

// Registers reports whether FATE-Flow writes itself into ZooKeeper so that others of its party find it, which began
// with 1.9.
func (s *Spec) Registers() bool { return s.Side.ZK.Enable && s.Profile.FATE.AtLeast(1, 9) }

// Polls reports whether an exchange keeps a party's messages until the party fetches them.
func (s *Side) Polls(party string) bool {
	if s.Role != RoleExchange || !s.Rollsite.Polling.Enable {
		return false
	}
	for _, id := range s.Rollsite.Polling.IDs {
		if fmt.Sprint(id) == party {
			return true
		}
	}
	return false
}
