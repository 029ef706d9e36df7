package cluster

import (
	"maps"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/problem"
)

// Spec narrows a cluster to one host. The error is Problems.
func (c *Cluster) Spec(sel Selection) (*Spec, error) {
	problems := c.problems
	if len(problems) > 0 {
		return nil, problems.Err()
	}
	side, ip := c.locate(sel, &problems)
	if side == nil {
		return nil, problems.Err()
	}
	if sel.Party != 0 && sel.Party != side.PartyID {
		problems.Add(c.At("%s.partyid", side.Role), "correct one of them",
			"the cluster file gives the %s party id %d, the command line %d", side.Role, side.PartyID, sel.Party)
	}
	own := *side // tuning for this host must not reach the other hosts' Specs
	side = &own
	c.agree(sel, &problems)
	s := &Spec{
		Role: side.Role, PartyID: side.PartyID, IP: ip, Side: side, Cluster: c, OS: c.OS.Without(sel.SkipOS),
		User:     pickString(sel.User, c.Install.User, defaultUser),
		Group:    pickString(sel.Group, c.Install.Group, defaultGroup),
		Versions: maps.Clone(sel.Versions), LibraryPaths: maps.Clone(sel.LibraryPaths), Env: maps.Clone(sel.Env),
		Keys: sel.Keys, Memory: sel.Memory, CPUs: sel.CPUs,
	}
	s.Profile = newProfile(sel.Env, sel.Versions)
	s.Layout = Layout{Base: path.Clean(pickString(sel.Base, c.Install.Base, defaultBase)), Flat: s.Profile.FlatPython()}
	if !strings.HasPrefix(s.Layout.Base, "/") {
		problems.Add(c.At("base"), "give an absolute path", "the base directory %q is not absolute", s.Layout.Base)
	}
	s.SecretRecords = sel.SecretRecords
	s.Secrets = sel.SecretRecords.effective(Secrets(side.Secrets), sel.Secrets)
	s.modules = side.modulesOn(ip)
	if len(s.modules) == 0 {
		problems.Add(c.At("%s", side.Role), "list the address in the ips of a module, or correct --ip",
			"no module of the %s runs on %s", side.Role, ip)
	}
	s.tune()
	s.check(&problems)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// agree refuses a command line that contradicts base_init: neither can win silently, as the other was written on
// purpose.
func (c *Cluster) agree(sel Selection, problems *problem.Problems) {
	for _, v := range []struct{ flag, path, given, written string }{
		{"--base", "base", sel.Base, c.Install.Base},
		{"--user", "supervisord.service.owner", sel.User, c.Install.User},
		{"--group", "supervisord.service.group", sel.Group, c.Install.Group},
	} {
		if v.given != "" && v.written != "" && v.given != v.written {
			at := c.At("%s", v.path)
			if at.IsZero() {
				at = c.At("setup")
			}
			problems.Add(at, "give "+v.flag+" "+v.written+", or change the file",
				"the cluster file says %s, and %s is %s", v.written, v.flag, v.given)
		}
	}
}

func pickString(choices ...string) string {
	for _, s := range choices {
		if s != "" {
			return s
		}
	}
	return ""
}

// locate finds the side and the address of this host.
func (c *Cluster) locate(sel Selection, problems *problem.Problems) (*Side, string) {
	type match struct {
		side *Side
		ip   string
	}
	var matches []match
	var all []string
	for _, s := range c.Sides() {
		if sel.Role != "" && s.Role != sel.Role {
			continue
		}
		for _, ip := range s.Addresses() {
			all = append(all, ip+" ("+string(s.Role)+")")
			if sel.IP == ip || sel.IP == "" && slices.Contains(sel.LocalAddrs, ip) {
				matches = append(matches, match{s, ip})
			}
		}
	}
	if len(matches) == 1 {
		return matches[0].side, matches[0].ip
	}
	if sel.Role != "" && c.Side(sel.Role) == nil {
		problems.Add(problem.Pos{}, "choose one of "+c.roleList(), "the cluster file has no %s", sel.Role)
		return nil, ""
	}
	where := "this host has none of the addresses"
	fix := "correct the addresses, or say with --ip which of them is this host"
	if sel.IP != "" {
		where, fix = sel.IP+" is none of the addresses", "correct --ip or the cluster file"
	}
	if v6 := onlyIPv6(sel.LocalAddrs); v6 != "" && sel.IP == "" {
		where, fix = "this host has only IPv6 addresses ("+v6+
			"), FATE's programs reach each other over IPv4 only, and so it has none",
			"give the host an IPv4 address, and write it into the cluster file"
	}
	if len(matches) > 1 {
		var found []string
		for _, m := range matches {
			found = append(found, m.ip+" ("+string(m.side.Role)+")")
		}
		problems.Add(problem.Pos{}, "choose with --ip, and --role if the address stands in both",
			"this host has several addresses of the cluster: %s", strings.Join(found, ", "))
		return nil, ""
	}
	problems.Add(problem.Pos{}, fix, "%s of the cluster: %s", where, strings.Join(all, ", "))
	return nil, ""
}

// onlyIPv6 lists the addresses of a host that has no other ones.
func onlyIPv6(addrs []string) string {
	if slices.ContainsFunc(addrs, func(a string) bool { return !strings.Contains(a, ":") }) {
		return ""
	}
	return strings.Join(addrs, ", ")
}

func (c *Cluster) roleList() string {
	var roles []string
	for _, s := range c.Sides() {
		roles = append(roles, string(s.Role))
	}
	return strings.Join(roles, ", ")
}

// Addresses lists every address of the side on which a module is to run, without repetition.
func (s *Side) Addresses() []string {
	var out []string
	for _, m := range Modules() {
		for _, ip := range s.AddressesOf(m) {
			if !slices.Contains(out, ip) {
				out = append(out, ip)
			}
		}
	}
	return out
}

func (s *Side) modulesOn(ip string) []Module {
	var out []Module
	for _, m := range Modules() {
		if slices.Contains(s.AddressesOf(m), ip) {
			out = append(out, m)
		}
	}
	return out
}
