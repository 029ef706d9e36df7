package preflight

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// firewall looks at the firewall of the distribution, at the rules of the kernel's packet filter, and at what became of
// connections of this host to itself. It is ok only when the rules were read and none is in the way.
func (p *preflight) firewall() {
	r := p.check("firewall", "the firewall lets the other hosts of the cluster in", "open ports, or no firewall")
	fw := p.f.Firewall
	if p.filtered(r) || !fw.Active && r.unknown("firewall") {
		return
	}
	switch {
	case fw.Active:
		command := "ufw allow proto tcp to any port " + portsText(openPorts(p.s), ",")
		if fw.Name == "firewalld" {
			command = "firewall-cmd --permanent --add-port=" + portsText(openPorts(p.s), "/tcp --add-port=") +
				"/tcp && firewall-cmd --reload"
		}
		r.measured("%s is active", fw.Name).prepare("firewall", "%s", command)
	case p.f.Rooted:
		r.measured("no active firewalld or ufw; the packet filter of a directory tree is not looked at").end(
			StatusSkipped)
	case p.f.Unknown["filter"] != "":
		r.measured("no active firewalld or ufw; rules of the packet filter not looked at: %s",
			p.f.Unknown["filter"]).end(StatusSkipped)
	case len(p.f.Filter.Looked) == 0:
		r.measured("no active firewalld or ufw; rules of the packet filter not looked at: no tool showed them").end(
			StatusSkipped)
	default:
		p.filterRules(r)
	}
}

// filtered refuses a host that does not reach its own ports. Nothing but a packet filter does that to a port on which
// this process listened itself, whatever tool made its rules.
func (p *preflight) filtered(r *draft) bool {
	var where, why []string
	for _, d := range p.f.Dials {
		if d.Error == "" {
			continue
		}
		where = append(where, d.Addr.String())
		if !slices.Contains(why, d.Error) {
			why = append(why, d.Error)
		}
	}
	if len(where) == 0 {
		return false
	}
	open := "iptables -I INPUT -i lo -j ACCEPT, or: nft insert rule TABLE CHAIN iif lo accept"
	if v, chain, _ := p.f.Filter.Verdict(host.Incoming{Loopback: true,
		Port: Ports(p.s)[0].Port}); v == host.VerdictDrop {
		open = chain.OpenCommand(nil)
	}
	r.measured("a packet filter keeps this host from its own ports: %s (%s)", strings.Join(where, ", "),
		strings.Join(why, "; ")).
		refuse("let everything over lo in, now and in the file that the filter is loaded from: %s", open)
	return true
}

// filterRules judges what the rules do with connections from other hosts. Ports that only people use may be closed.
func (p *preflight) filterRules(r *draft) {
	var needed, useful []int
	var closedIn *host.FilterChain
	closedBy, unclearBy := "", ""
	for _, port := range Ports(p.s) {
		if !slices.Contains(openPorts(p.s), port.Port) {
			continue
		}
		v, chain, rule := p.f.Filter.Verdict(host.Incoming{Port: port.Port})
		switch {
		case v == host.VerdictUnclear:
			unclearBy = rule
		case v != host.VerdictDrop:
		case port.Module.ForPeople() || port.Module == cluster.FateFlow && len(p.s.Side.Addresses()) == 1:
			useful, closedIn, closedBy = append(useful, port.Port), chain, rule
		default:
			needed, closedIn, closedBy = append(needed, port.Port), chain, rule
		}
	}
	looked := strings.Join(p.f.Filter.Looked, " and ")
	closed := slices.Concat(needed, useful)
	if len(closed) > 0 {
		r.measured("%s: chain %s of table %s drops connections from other hosts to ports %s (%s)", closedIn.Tool,
			closedIn.Name, closedIn.Table,
			portsText(closed, ", "), closedBy)
		remedy := fmt.Sprintf("let them in, now and in the file that the filter is loaded from: %s",
			closedIn.OpenCommand(closed))
		if len(needed) > 0 {
			r.refuse("%s", remedy)
			return
		}
		r.warn("only people connect to them; if they are to: %s", remedy)
		return
	}
	if unclearBy != "" {
		r.measured("no active firewalld or ufw; whether the rules of %s let the other hosts in depends on more than "+
			"was read: %s", looked, unclearBy).end(StatusSkipped)
		return
	}
	own := ""
	if len(p.f.Dials) > 0 {
		own = ", and this host reaches its own ports"
	}
	r.measured("no active firewalld or ufw; the rules of %s drop no port of ours%s", looked, own).ok()
}

func portsText(ports []int, separator string) string {
	text := make([]string, len(ports))
	for i, p := range ports {
		text[i] = strconv.Itoa(p)
	}
	return strings.Join(text, separator)
}
