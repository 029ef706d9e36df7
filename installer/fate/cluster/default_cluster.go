package cluster

import (
	"strings"

	"fate-installer/installer/problem"
)

// DefaultCluster is a cluster of one side with every module of its role on one address: what --role and --party alone
// mean. peer, if not blank, is the default route as address:port or address:port:secure. Mistakes in the
// arguments come out of Spec, together with all others.
func DefaultCluster(role Role, party int, ip, peer string) *Cluster {
	c := &Cluster{origins: map[string]problem.Pos{}}
	side := &Side{}
	side.setDefaults()
	side.Role, side.PartyID, side.IP = role, party, ip
	doc := &document{}
	if c.put(side); c.Side(role) == nil {
		c.problems.Add(problem.Pos{}, "it must be host, guest or exchange", "%q is no role", role)
		return c
	}
	if role == RoleExchange {
		side.PartyID = 0
	}
	if party != 0 {
		c.origins[string(role)+".partyid"] = problem.Pos{File: "--party"}
	}
	c.origins[string(role)+".ip"] = problem.Pos{File: "--ip"}
	c.complete(doc, &c.problems)
	if peer != "" {
		c.setPeer(side, peer)
	}
	c.validate(&c.problems)
	return c
}

// setPeer makes address:port[:secure] the default route of a side.
func (c *Cluster) setPeer(side *Side, peer string) {
	if !strings.Contains(peer, ":") {
		peer += ":9370"
	}
	party, route, reason := parseSpecialRoute(partyDefault + ":" + peer)
	if reason != "" {
		c.problems.Add(problem.Pos{File: "--peer"}, "write it as 192.168.0.2:9370, with :secure behind it for TLS",
			"cannot use the peer %q: %s", peer, reason)
		return
	}
	if route.IsSecure {
		side.Rollsite.ServerSecure, side.Rollsite.ClientSecure = true, true
	}
	route.Name, route.At = RouteDefault, "peer"
	c.origins["peer"] = problem.Pos{File: "--peer"}
	entry := PartyRoutes{At: "peer", ID: party, Routes: []Route{route}}
	side.Rollsite.RouteTables = append([]PartyRoutes{entry}, side.Rollsite.RouteTables...)
}
