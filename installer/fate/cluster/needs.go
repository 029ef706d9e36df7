package cluster

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Need is a program on another host without which a program of this host cannot start.
type Need struct {
	Module  Module
	Addrs   []string // host:port of each instance on another host
	AtLeast int      // how many of them have to answer: one, or as many as make a majority
	Inside  bool     // it is installed from the same cluster file; otherwise others start it
}

// String is "mysql at 192.168.0.1:3306", and of an ensemble "2 of zookeeper at ...".
func (n Need) String() string {
	if len(n.Addrs) > 1 {
		return fmt.Sprintf("%d of %s at %s", n.AtLeast, n.Module, strings.Join(n.Addrs, ", "))
	}
	return fmt.Sprintf("%s at %s", n.Module, strings.Join(n.Addrs, ", "))
}

// Remedy is the command, and its host, that meets the need.
func (n Need) Remedy() string {
	var hosts []string
	for _, addr := range n.Addrs {
		host, _, _ := net.SplitHostPort(addr) // made by JoinHostPort
		hosts = append(hosts, host)
	}
	where := strings.Join(hosts, " and ")
	if !n.Inside {
		return fmt.Sprintf("start the %s on %s: it is not installed by fate-installer", n.Module, where)
	}
	return fmt.Sprintf("on %s run the same file with the same cluster file: ./fate-installer --config cluster.yaml",
		where)
}

// Needs lists what a program of this host waits for on other hosts. What it needs on this host is in its DependsOn.
func (s *Spec) Needs(program string) []Need {
	needing, ok := ModuleOf(program)
	if !ok || !s.Runs(needing) {
		return nil
	}
	var out []Need
	for _, m := range s.Wants(needing) {
		if n := s.elsewhere(m); n.AtLeast > 0 {
			out = append(out, n)
		}
	}
	return out
}

// WantsForJobs are the modules that a module needs, wherever they run: to start, and for jobs.
func (s *Spec) WantsForJobs(m Module) []Module { return append(s.Wants(m), m.entry().jobsWant...) }

// Wants are the modules that a module cannot start without, wherever they run.
func (s *Spec) Wants(m Module) []Module {
	if wants := m.entry().wants; wants != nil {
		return wants(s)
	}
	return nil
}

// elsewhere is the need for a module as far as other hosts have to meet it; AtLeast is 0 when this host suffices.
func (s *Spec) elsewhere(m Module) Need {
	n := Need{Module: m, Inside: len(s.Side.AddressesOf(m)) > 0}
	ends := s.Side.EndsOf(m)
	for _, e := range ends {
		if e.IP != s.IP && e.IP != "" {
			n.Addrs = append(n.Addrs, net.JoinHostPort(e.IP, strconv.Itoa(e.Port)))
		}
	}
	n.AtLeast = min(len(ends)/2+1, len(ends)) // of one, one; of an ensemble, a majority
	if s.Runs(m) {
		n.AtLeast--
	}
	n.AtLeast = min(n.AtLeast, len(n.Addrs))
	return n
}

// InstancesOf lists every instance of a module in the order of the cluster file, installed by us or not.
func (s *Side) InstancesOf(m Module) []Endpoint {
	e := m.entry()
	switch {
	case e.instances != nil:
		return e.instances(s)
	case e.conf != nil && e.port != nil:
		return endpoints(*e.conf(s).ips, e.port(s))
	}
	return nil
}

func endpoints(ips []string, port int) []Endpoint {
	var out []Endpoint
	for _, ip := range ips {
		out = append(out, Endpoint{IP: ip, Port: port})
	}
	return out
}

// EndsOf lists where a module's clients find it, installed by us or not.
func (s *Side) EndsOf(m Module) []Endpoint {
	all := s.InstancesOf(m)
	if !m.entry().allEnds {
		return all[:min(1, len(all))]
	}
	return all
}

// ModuleEnd is where one instance of a module of the side is found.
type ModuleEnd struct {
	Module Module
	IP     string
	Port   int
	Inside bool // it is installed from the cluster file
}

// Ends lists every instance of every module of the side, on all hosts, in start order. Of modules with several ports it
// is the one that tells most.
func (s *Spec) Ends() []ModuleEnd {
	var out []ModuleEnd
	for _, e := range moduleTable {
		ips := s.Side.AddressesOf(e.module)
		inside := len(ips) > 0
		ends := s.Side.InstancesOf(e.module)
		if inside && e.port != nil {
			ends = endpoints(ips, e.port(s.Side))
		}
		if !inside && !e.outside {
			continue
		}
		for _, end := range ends {
			out = append(out, ModuleEnd{e.module, end.IP, end.Port, inside})
		}
	}
	return out
}

// Registry says where the registry of the side's FATE-Flows is, and how to log in; ok is false when there is none.
func (s *Spec) Registry() (servers []string, user, password string, ok bool) {
	if s.Role == RoleExchange || !s.Registers() {
		return nil, "", "", false
	}
	for _, e := range s.Side.EndsOf(ZooKeeper) {
		servers = append(servers, net.JoinHostPort(e.IP, strconv.Itoa(e.Port)))
	}
	if s.Side.ZK.UseACL {
		user, password = s.Side.ZK.User, s.Secrets.ZooKeeper.Reveal()
	}
	return servers, user, password, true
}
