package deploy

import (
	"fmt"
	"net"
	"slices"
	"strconv"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/peer"
)

// Ways lists the next hops from a host to the parties that are asked for, or to all. own is the ID of its party; blank
// for an exchange.
func Ways(spec *cluster.Spec, own string, parties []string) ([]peer.Target, error) {
	var out []peer.Target
	for _, want := range parties {
		if want == own {
			return nil, exit.With(fmt.Errorf("cannot test the way to party %s: it is this one", want), exit.Usage)
		}
		r, ok := RouteTo(spec, want)
		if !ok {
			return nil, exit.With(exit.Hint(fmt.Errorf("cannot test the way to party %s: it has no route", want),
				"fate-installer party list shows the routes"), exit.Usage)
		}
		if !r.Polling {
			out = append(out, WayBy(spec, r, want))
		}
	}
	if len(parties) > 0 {
		return out, nil
	}
	for _, r := range spec.PartyRoutes() {
		if r.Own || r.Polling || r.Route != "default" {
			continue
		}
		ids := []string{r.Party}
		if r.Party == "default" {
			ids = unrouted(spec)
		}
		out = append(out, WayBy(spec, r, ids...))
	}
	return out, nil
}

// RouteTo is the route that a party's messages take: its own, or the one for all others.
func RouteTo(spec *cluster.Spec, party string) (cluster.PartyRoute, bool) {
	var other *cluster.PartyRoute
	for _, r := range spec.PartyRoutes() {
		if r.Route != "default" {
			continue
		}
		if r.Party == party {
			return r, true
		}
		if r.Party == "default" {
			other = &r
		}
	}
	if other == nil {
		return cluster.PartyRoute{}, false
	}
	return *other, true
}

// WayBy is the next hop of a route, for parties that it leads to.
func WayBy(spec *cluster.Spec, r cluster.PartyRoute, parties ...string) peer.Target {
	target := peer.Target{Label: r.Party, Parties: parties, Addr: net.JoinHostPort(r.IP, strconv.Itoa(r.Port)),
		Secure: r.Secure}
	if r.Secure {
		target.Plain = net.JoinHostPort(r.IP, strconv.Itoa(plainPort(spec, r.IP)))
	}
	return target
}

// plainPort is the clear-text port of the rollsite at an address, upstream's if it is not in the cluster file.
func plainPort(spec *cluster.Spec, ip string) int {
	for _, side := range spec.Cluster.Sides() {
		if slices.Contains(side.Rollsite.IPs, ip) {
			return side.Rollsite.Port
		}
	}
	return spec.Side.Rollsite.Port
}

// unrouted are the parties of the cluster file that have no route of their own.
func unrouted(spec *cluster.Spec) []string {
	var out []string
	for _, side := range spec.Cluster.Sides() {
		id := strconv.Itoa(side.PartyID)
		if side.Role == cluster.RoleExchange || side.Role == spec.Role {
			continue
		}
		if r, ok := RouteTo(spec, id); ok && r.Party == "default" {
			out = append(out, id)
		}
	}
	return out
}

// PolledWays has a result for each party that accepts no connections, of those that are asked for, or of all.
func PolledWays(spec *cluster.Spec, parties []string) []peer.Result {
	var out []peer.Result
	for _, r := range spec.PartyRoutes() {
		if r.Polling && r.Route == "default" && (len(parties) == 0 || slices.Contains(parties, r.Party)) {
			out = append(out, peer.Result{
				Party: r.Party, Direction: peer.Out, Address: "-", Check: "tcp", Status: peer.Skipped,
				Measured: "the party fetches its messages; no connection is made to it", Remedy: "run the test there",
			})
		}
	}
	return out
}
