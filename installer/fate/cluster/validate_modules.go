package cluster

import (
	"fmt"
	"slices"
)

// modules checks where modules run.
func (k *checker) modules(s *Side) {
	for _, m := range s.moduleConfs() {
		path := fmt.Sprintf("%s.%s.ips", s.Role, m.key)
		if *m.enable && len(*m.ips) == 0 {
			k.bad(path, "list the address it runs on", "%s is enabled but has no address", m.key)
		}
		for i, ip := range *m.ips {
			at := fmt.Sprintf("%s[%d]", path, i)
			k.address(at, ip)
			if slices.Contains((*m.ips)[:i], ip) {
				k.bad(at, "list it once", "%s lists %s twice", m.key, ip)
			}
		}
		several := m.several || s.Role == RoleExchange
		if len(*m.ips) > 1 && !several {
			k.bad(path, "keep one; only nodemanager, fate_flow and the exchange's rollsite can run on several hosts",
				"%s runs on one host, and %d are listed", m.key, len(*m.ips))
		}
	}
	if s.Role == RoleExchange {
		return
	}
	if s.FateFlow.Enable && len(s.MySQL.IPs) == 0 {
		k.bad(string(s.Role)+".mysql.ips", "name the host of the database; type: outside if it is not ours",
			"fate_flow needs a database, and mysql has no address")
	}
	if s.FateFlow.Enable && s.FateFlow.DefaultEngines == "eggroll" {
		for _, m := range s.moduleConfs() {
			if m.group == "eggroll" && len(*m.ips) == 0 {
				k.bad(fmt.Sprintf("%s.%s.ips", s.Role, m.key),
					"name its host, with enable: false if it is not installed here",
					"fate_flow needs eggroll, and %s has no address", m.key)
			}
		}
	}
	for _, e := range moduleTable {
		if e.validate != nil {
			e.validate(k, s)
		}
	}
}

// availability checks what several FATE-Flows need: a registry through which they know of each other, one address in
// front of them, and a store for models that all of them reach.
func (k *checker) availability(s *Side) {
	if s.Role == RoleExchange {
		return
	}
	r := string(s.Role)
	if s.ZK.Enable && len(s.ZK.Lists) == 0 {
		k.bad(r+".zk.lists", "list ip and port of each ZooKeeper", "zk is enabled but lists no address")
	}
	if s.ZK.Enable {
		for i, e := range s.ZK.Lists {
			if s.ZK.Type == "inside" || len(s.Addresses()) > 1 {
				k.address(fmt.Sprintf("%s.zk.lists[%d].ip", r, i), e.IP)
			}
			for _, before := range s.ZK.Lists[:i] {
				if before.IP == e.IP && (before.Port == e.Port || s.ZK.Type == "inside") {
					k.bad(fmt.Sprintf("%s.zk.lists[%d]", r, i), "list it once", "zk lists %s twice", e.IP)
				}
			}
		}
		if n := len(s.ZK.Lists); n == 2 && s.ZK.Type == "inside" {
			k.c.notes.Add(k.c.At("%s.zk.lists", r), "", "two ZooKeepers survive the loss of none: use one or three")
		}
	}
	if s.Nginx.Enable {
		for i, ip := range s.Nginx.IPs {
			k.address(fmt.Sprintf("%s.nginx.ips[%d]", r, i), ip)
		}
		if s.Nginx.Entry() == "" {
			k.bad(r+".nginx.ips", "list the address it runs on", "nginx is enabled but has no address")
		}
	}
	if len(s.FateFlow.IPs) < 2 {
		return
	}
	at := r + ".fate_flow.ips"
	if s.FateFlow.DefaultEngines != "eggroll" {
		k.bad(at, "keep one", "several fate_flow addresses need the engine eggroll")
	}
	if !s.ZK.Enable {
		k.bad(at, "add zk: {enable: true, lists: [{ip: ...}]}",
			"several fate_flow addresses need ZooKeeper, through which they know of each other")
	}
	if !s.Nginx.Enable {
		k.bad(at, "add nginx: {enable: true, ips: [...]}",
			"several fate_flow addresses need nginx in front of them, as a route has one address")
	}
	if !s.ModelStore.Enable {
		k.bad(r+".model_store.enable", "remove it, or write true",
			"several FATE-Flows need the model store: otherwise a model exists only on the host that trained it")
	}
}

// ports checks port numbers and that no two listeners of one host want the same.
func (k *checker) ports(s *Side) {
	var listeners []listener
	for _, e := range inFileOrder() {
		switch {
		case s.Role == RoleExchange && !e.exchange:
		case e.listeners != nil:
			listeners = append(listeners, e.listeners(s)...)
		case e.port != nil:
			listeners = append(listeners, listener{e.key + ".port", e.port(s), s.AddressesOf(e.module)})
		}
	}
	if s.Role != RoleExchange && len(s.Servings.IPs) > 0 {
		listeners = append(listeners, listener{"servings.port", s.Servings.Port, nil})
	}
	taken := make(map[string]string) // address:port -> who
	for _, l := range listeners {
		l.key = string(s.Role) + "." + l.key
		if l.port < 1 || l.port > 65535 {
			k.bad(l.key, "choose a port from 1 to 65535", "%s cannot be %d", l.key, l.port)
			continue
		}
		for _, ip := range l.ips {
			where := fmt.Sprintf("%s:%d", ip, l.port)
			if other, clash := taken[where]; clash && other != l.key {
				k.bad(l.key, "choose another port for one of them", "%s and %s both want port %d on %s", other,
					l.key, l.port, ip)
			}
			taken[where] = l.key
		}
	}
}
