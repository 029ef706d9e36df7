package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/problem"
)

// PartyChange is a change of a side's route table after its cluster file was written: messages for a party go somewhere
// else from now on, or nowhere.
type PartyChange struct {
	Party   string `json:"party"`             // id or default
	Removed bool   `json:"removed,omitempty"` // the route was removed
	IP      string `json:"ip,omitempty"`      // address that its messages go to
	Port    int    `json:"port,omitempty"`    // port that its messages go to
	Secure  bool   `json:"secure,omitempty"`  // with TLS
	Polling bool   `json:"polling,omitempty"` // an exchange keeps the messages until the party fetches them
}

// ParsePartyChange reads party:address[:port][:secure], upstream's notation of a special route.
func ParsePartyChange(text string) (PartyChange, error) {
	full := text
	if strings.Count(text, ":") == 1 {
		full += ":" + strconv.Itoa(defaultRollsitePort)
	}
	party, route, reason := parseSpecialRoute(full)
	if reason == "" && route.Name == routeFlow {
		reason = fmt.Sprintf("port %d is FATE-Flow's own, which other parties do not reach", route.Port)
	}
	if reason != "" {
		return PartyChange{}, fmt.Errorf("cannot use the route %q: %s, for example 9998:192.168.2.1:9370", text, reason)
	}
	return PartyChange{Party: party, IP: route.IP, Port: route.Port, Secure: route.IsSecure}, nil
}

// partyOrigin stands for the file of a route that party add made.
const partyOrigin = "party add"

// HasParty reports whether the route table of a side has an entry for a party.
func (c *Cluster) HasParty(role Role, party string) bool {
	s := c.Side(role)
	return s != nil && slices.ContainsFunc(s.Rollsite.RouteTables, hasID(party))
}

// ChangeParties applies changes to the route table of a side and checks the cluster again. The error is Problems.
func (c *Cluster) ChangeParties(role Role, changes []PartyChange) error {
	s := c.Side(role)
	if s == nil || len(changes) == 0 {
		return nil
	}
	var problems problem.Problems
	c.origins[partyOrigin] = problem.Pos{File: partyOrigin}
	for _, change := range changes {
		if change.Party == s.ID() && s.Role != RoleExchange {
			problems.Add(problem.Pos{File: partyOrigin}, "name another party",
				"the route of the own party %s follows from where its modules run", change.Party)
			continue
		}
		c.changeParty(s, change)
	}
	c.validate(&problems)
	c.notes = unique(c.notes) // what was noted before is noted again
	return problems.Err()
}

func unique(notes problem.Problems) problem.Problems {
	var out problem.Problems
	for _, n := range notes {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func (c *Cluster) changeParty(s *Side, change PartyChange) {
	r := &s.Rollsite
	i := slices.IndexFunc(r.RouteTables, hasID(change.Party))
	r.Polling.IDs = slices.DeleteFunc(slices.Clone(r.Polling.IDs),
		func(id int) bool { return strconv.Itoa(id) == change.Party })
	r.RouteTables = slices.DeleteFunc(slices.Clone(r.RouteTables), hasID(change.Party))
	if change.Removed {
		if i >= 0 {
			c.notes.Add(problem.Pos{}, "take it out of the cluster file, too",
				"party %s is in the cluster file, and was removed on this host", change.Party)
		}
		r.Polling.Enable = r.Polling.Enable && (s.Role != RoleExchange || len(r.Polling.IDs) > 0)
		return
	}
	if i < 0 {
		i = 0
		c.notes.Add(problem.Pos{}, "write it into the cluster file, too",
			"party %s is not in the cluster file, and was added on this host", change.Party)
	}
	entry := PartyRoutes{At: partyOrigin, ID: change.Party, Routes: []Route{
		{At: partyOrigin, Name: RouteDefault, IP: change.IP, Port: change.Port, IsSecure: change.Secure},
	}}
	r.RouteTables = slices.Insert(r.RouteTables, i, entry)
	if id, err := strconv.Atoi(change.Party); err == nil && change.Polling {
		r.Polling.Enable = true
		r.Polling.IDs = append(r.Polling.IDs, id)
	}
}

// PartyRoute is one row of a side's route table, for people.
type PartyRoute struct {
	Party   string `json:"party"`   // party ID, or default
	Route   string `json:"route"`   // default, or fateflow
	IP      string `json:"ip"`      // address that its messages go to
	Port    int    `json:"port"`    // port that its messages go to
	Secure  bool   `json:"secure"`  // with TLS
	Polling bool   `json:"polling"` // the party fetches its messages
	Own     bool   `json:"own"`     // it is this side's own party
	From    string `json:"from"`    // where it was written: file:line, "party add", or "generated"
}

// PartyRoutes lists the route table of this host's side in its order.
func (s *Spec) PartyRoutes() []PartyRoute {
	var out []PartyRoute
	for _, p := range s.Side.Rollsite.RouteTables {
		for _, r := range p.Routes {
			from := s.Cluster.At("%s", r.At).String()
			if from == "" || strings.HasSuffix(r.At, ".rollsite") {
				from = "generated"
			}
			out = append(out, PartyRoute{
				Party: p.ID, Route: r.Name, IP: r.IP, Port: r.Port, Secure: r.IsSecure, Polling: s.Side.Polls(p.ID),
				Own: p.ID == s.Side.ID() && s.Role != RoleExchange, From: from,
			})
		}
	}
	return out
}
