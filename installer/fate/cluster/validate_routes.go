package cluster

import (
	"fmt"
	"slices"
)

// routes checks a side's route table against how rollsite reads it.
func (k *checker) routes(s *Side) {
	if !s.Rollsite.Enable && len(s.Rollsite.RouteTables) == 0 {
		return
	}
	seen := make(map[string]bool, len(s.Rollsite.RouteTables))
	for _, p := range s.Rollsite.RouteTables {
		if p.ID != partyDefault && p.ID != s.ID() && !partyID().MatchString(p.ID) {
			k.bad(p.At+".id", "write a party id of at most 10 digits, or default", "a route is for the party %q", p.ID)
		}
		if seen[p.ID] {
			k.bad(p.At, "put all routes of a party into one entry",
				"the party %s has a second entry in the route table of the %s: rollsite refuses such a table", p.ID,
				s.Role)
		}
		seen[p.ID] = true
		k.partyRoutes(s, p)
	}
	if s.Role == RoleExchange || !s.Rollsite.Enable {
		return
	}
	if !seen[s.ID()] {
		k.bad(string(s.Role)+".rollsite.route_tables", "add the routes default and fateflow for "+s.ID(),
			"the route table of the %s has no entry for its own party %s", s.Role, s.ID())
		return
	}
	k.ownRoutes(s)
}

func (k *checker) partyRoutes(s *Side, p PartyRoutes) {
	var hasDefault, secure, hasFlow bool
	for i, r := range p.Routes {
		name := r.Name
		switch {
		case name == "":
			k.bad(r.At, "write name: default or name: fateflow", "a route for %s has no name", p.ID)
		case name != RouteDefault && name != routeFlow:
			k.bad(r.At+".name", fmt.Sprintf("write %s or %s", RouteDefault, routeFlow),
				"no message ever takes a route named %q", name)
		}
		if slices.ContainsFunc(p.Routes[:i], func(o Route) bool { return o.Name == name }) {
			k.bad(r.At, "keep one: rollsite uses one address for each name, and refuses a table with two",
				"the party %s has two routes named %s", p.ID, name)
		}
		k.address(pathOr(r.At, ".ip", r.IP != ""), r.IP)
		if r.Port < 1 || r.Port > 65535 {
			k.bad(pathOr(r.At, ".port", r.Port != 0), "write a port from 1 to 65535",
				"the route %s of party %s has the port %d", name, p.ID, r.Port)
		}
		if r.IsSecure {
			k.secureRoute(s, p, r)
		}
		hasDefault = hasDefault || name == RouteDefault
		hasFlow = hasFlow || name == routeFlow
		secure = secure || name == RouteDefault && r.IsSecure
		k.knownTarget(s, p, r)
	}
	if !hasDefault {
		k.bad(p.At, "add a route with name: default", "the party %s has no route named default, which data takes", p.ID)
	}
	if secure && hasFlow && p.ID != s.ID() {
		k.bad(p.At, "remove the route fateflow: commands then take the default route",
			"the party %s has a TLS default route, which makes rollsite speak TLS on its route fateflow as well", p.ID)
	}
}

func pathOr(base, suffix string, ok bool) string {
	if ok {
		return base + suffix
	}
	return base
}

func (k *checker) secureRoute(s *Side, p PartyRoutes, r Route) {
	at := r.At + ".is_secure"
	switch {
	case p.ID == s.ID() && s.Role != RoleExchange:
		k.bad(at, "write false: the own rollsite is always reached in plain", "the own party's route %s has is_secure",
			r.Name)
	case r.Name == routeFlow:
		k.bad(at, "remove it; the flag of the route default counts",
			"is_secure has no meaning on a route named fateflow")
	case !s.Secure():
		k.bad(at, "switch server_secure and client_secure on, or write is_secure: false",
			"the route to %s wants TLS, but the %s has no TLS", p.ID, s.Role)
	}
}

// knownTarget compares a route with the side it leads to, when that is in the cluster file.
func (k *checker) knownTarget(s *Side, p PartyRoutes, r Route) {
	if p.ID == s.ID() && s.Role != RoleExchange || r.Name != RouteDefault {
		return
	}
	if slices.Contains(s.Rollsite.IPs, r.IP) && (r.Port == s.Rollsite.Port || r.Port == s.Rollsite.SecurePort) {
		k.bad(r.At+".ip", "name the rollsite of the other side", "the route to %s leads back to the %s's own rollsite",
			p.ID, s.Role)
		return
	}
	for _, peer := range k.c.Sides() {
		if peer == s || !slices.Contains(peer.Rollsite.IPs, r.IP) {
			continue
		}
		both := s.Secure() && peer.Secure()
		switch {
		case r.IsSecure && !peer.Secure():
			k.bad(r.At+".is_secure", "write false, or switch TLS on for the "+string(peer.Role),
				"the route to %s wants TLS, but the %s at %s has none", p.ID, peer.Role, r.IP)
		case r.IsSecure && r.Port == peer.Rollsite.Port:
			k.bad(r.At+".port", fmt.Sprintf("write %d", peer.Rollsite.SecurePort),
				"the route to %s wants TLS on port %d, which is the plain port of the %s", p.ID, r.Port, peer.Role)
		case !r.IsSecure && r.Port == peer.Rollsite.SecurePort:
			k.bad(r.At+".port", fmt.Sprintf("write is_secure: true, or port %d", peer.Rollsite.Port),
				"the route to %s is plain, but port %d of the %s speaks only TLS", p.ID, r.Port, peer.Role)
		case both && !r.IsSecure:
			k.bad(r.At, fmt.Sprintf("write port: %d and is_secure: true", peer.Rollsite.SecurePort),
				"the %s and the %s have TLS, but the route to %s does not use it", s.Role, peer.Role, p.ID)
		}
	}
}

// ownRoutes checks the entry of the own party. rollsite recognises itself by comparing texts.
func (k *checker) ownRoutes(s *Side) {
	rollsite := FirstAddress(s.Rollsite.IPs)
	if own, ok := s.Route(s.ID(), RouteDefault); ok && (own.IP != rollsite || own.Port != s.Rollsite.Port) {
		k.bad(own.At, fmt.Sprintf("write ip: %s and port: %d", rollsite, s.Rollsite.Port),
			"the own party's route default is %s:%d, but the rollsite is %s:%d: it would not know itself", own.IP,
			own.Port, rollsite, s.Rollsite.Port)
	}
	host, port := s.flowEntry()
	flow, ok := s.Route(s.ID(), routeFlow)
	switch {
	case !ok && host != "":
		k.bad(k.ownEntry(s).At, fmt.Sprintf("add {name: fateflow, ip: %s, port: %d}", host, port),
			"the own party %s has no route named fateflow: commands for FATE-Flow would end in rollsite", s.ID())
	case !ok || flow.IP == host && flow.Port == port:
	case host == "": // the file has no fate_flow, so that the route alone says where it is
		k.c.notes.Add(k.c.At("%s", flow.At), "",
			"the file has no fate_flow for the %s: commands for it go to %s:%d, which is not checked", s.Role,
			flow.IP, flow.Port)
	case s.Balanced():
		k.bad(flow.At, fmt.Sprintf("write ip: %s and port: %d", host, port),
			"the own party's route fateflow is %s:%d and passes nginx by", flow.IP, flow.Port)
	case !s.ZK.Enable: // with a registry, a balancer that the file does not know may stand in front
		k.bad(flow.At, fmt.Sprintf("write ip: %s and port: %d", host, port),
			"the own party's route fateflow is %s:%d, but fate_flow is %s:%d", flow.IP, flow.Port, host, port)
	}
}

func (k *checker) ownEntry(s *Side) PartyRoutes {
	i := slices.IndexFunc(s.Rollsite.RouteTables, hasID(s.ID()))
	return s.Rollsite.RouteTables[i]
}
