package adopt

import (
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/fate/cluster"
)

// party writes the blocks of a host or guest.
func (d *deriver) party() {
	side := d.o.root.block(string(d.role))
	d.partyID().put(side, "partyid")
	d.rollsite(side)
	manager := d.place(cluster.ClusterManager, d.address(eggroll(keyManager+"host")))
	if manager.ok {
		b := side.block("clustermanager")
		addresses(b, manager)
		d.number(eggroll(keyManager+"port")).put(b, "port")
		d.number(flow("fate_on_eggroll.clustermanager.cores_per_node")).put(b, "cores_per_node")
	}
	d.nodes(side)
	_, _, database := d.url(eggroll(keyManager + "jdbc.url"))
	egg := d.number(eggroll("eggroll.session.processors.per.node"))
	if database.ok || egg.ok {
		b := side.block("eggroll")
		database.putText(b, "dbname")
		egg.put(b, "egg")
	}
	d.flow(side)
	d.described(side)
	d.database(side)
	d.availability(side)
	d.services(side)
}

// nodes writes where the nodemanagers are. No file has their addresses: each host knows its own.
func (d *deriver) nodes(side *item) {
	var ips []string
	from := ""
	if d.runsHere(cluster.NodeManager) {
		ips, from = append(ips, d.ip), d.ds.program(cluster.NodeManager.Program()).file
	}
	for _, ip := range d.opts.Nodes {
		if !slices.Contains(ips, ip) {
			ips = append(ips, ip)
		}
		from = "--nodemanagers"
	}
	nodes := d.number(flow("fate_on_eggroll.clustermanager.nodes"))
	if n, err := strconv.Atoi(nodes.value); err == nil && n > len(ips) && d.role != cluster.RoleExchange {
		d.assume(strings.Join(ips, ", "), "the party has "+nodes.value+" nodemanagers ("+nodes.from+
			"), and no file has their addresses",
			"name all of them: --nodemanagers IP,IP")
	}
	if len(ips) == 0 {
		manager := d.first(eggroll(keyManager + "host"))
		if !manager.ok {
			return
		}
		ips, from = []string{manager.value}, manager.from
	}
	b := side.block("nodemanager")
	b.set("enable", "true", from)
	b.set("ips", texts(ips), from)
	d.number(eggroll(keyNode+"port")).put(b, "port")
}

func (d *deriver) flow(side *item) {
	place := d.place(cluster.FateFlow, d.address(flow("fateflow.host")))
	if !place.ok {
		return
	}
	b := side.block("fate_flow")
	b.set("enable", "true", place.from)
	ips := []string{place.value}
	for _, ip := range d.opts.Flows {
		if !slices.Contains(ips, ip) {
			ips = append(ips, ip)
		}
	}
	b.set("ips", texts(ips), place.from)
	d.number(flow("fateflow.grpc_port")).put(b, "grpcPort")
	d.number(flow("fateflow.http_port")).put(b, "httpPort")
	d.first(flow("database.name")).putText(b, "dbname")
	d.first(flow("fateflow.proxy")).putText(b, "proxy")
	d.boolean(flow("use_deserialize_safe_module")).put(b, "use_deserialize_safe_module")
	if engine := d.first(flow("default_engines.computing")); engine.ok && engine.value != "spark" {
		engine.value = strings.ToLower(engine.value)
		engine.putText(b, "default_engines")
	}
}

// described writes the blocks of modules whose entries say where AnsibleFATE has the values.
func (d *deriver) described(side *item) {
	for _, m := range cluster.Modules() {
		old := m.Old()
		if old.Address.Key == "" {
			continue
		}
		place := d.place(m, d.address(locate(old.Address)...))
		if !place.ok {
			continue
		}
		b := side.block(m.Block())
		addresses(b, place)
		for _, s := range old.Block {
			d.setting(b, s)
		}
	}
}

// setting writes a key of a block.
func (d *deriver) setting(b *item, s cluster.OldSetting) {
	from := locate(s.From...)
	switch s.Form {
	case cluster.OldNumber:
		d.number(from...).put(b, s.Key)
	case cluster.OldDatabase:
		_, _, database := d.url(from[0])
		database.putText(b, s.Key)
	case cluster.OldText:
		d.first(from...).putText(b, s.Key)
	}
}

// database writes where the database server is, and whether it is of the party.
func (d *deriver) database(side *item) {
	host, port, _ := d.url(eggroll(keyManager + "jdbc.url"))
	host = host.or(d.address(flow("database.host")))
	place := d.place(cluster.MySQL, host)
	if !place.ok {
		return
	}
	b := side.block("mysql")
	addresses(b, place)
	if d.runsHere(cluster.MySQL) {
		b.set("type", "inside", d.ds.program(cluster.MySQL.Program()).file)
	} else if place.value == d.ip || !d.ofParty(place.value) {
		b.set("type", "outside", place.from)
	} else {
		b.set("type", "inside", place.from)
	}
	own := d.number(located{kindDatabase, "mysqld.port"})
	own.or(port.whole()).or(d.number(flow("database.port"))).put(b, "port")
	d.first(eggroll(keyManager+"jdbc.username"), flow("database.user")).putText(b, "dbuser")
}

// ofParty reports whether an address is one of the party's own hosts.
func (d *deriver) ofParty(ip string) bool {
	for _, k := range addressesOfModules() {
		if k != flow("database.host") && d.first(k).value == ip {
			return true
		}
	}
	return false
}

// availability describes ZooKeeper and nginx, which AnsibleFATE does not install: sites have set them up by hand, and
// they stay outside.
func (d *deriver) availability(side *item) {
	if f := d.boolean(flow("use_registry")); f.value == "true" {
		b := side.block("zk")
		b.set("enable", "true", f.from)
		b.set("type", "outside", "set up by hand")
		lists := b.block("lists")
		doc := d.ds.about(flow("zookeeper.hosts"))
		for _, e := range doc.entries {
			host, port, ok := strings.Cut(e.value, ":")
			if strings.HasPrefix(e.key, "zookeeper.hosts[") && ok {
				lists.element("", "{ip: "+text(host)+", port: "+numberOr(port, "0")+"}", at(doc.file, e.line))
			}
		}
		// An ACL without a password lets FATE-Flow in nowhere, and is a kept edit.
		if !d.secrets.values["zookeeper"].IsZero() {
			d.boolean(flow("zookeeper.use_acl")).put(b, "use_acl")
		}
		d.first(flow("zookeeper.user")).putText(b, "user")
	}
	if host := d.address(flow("fateflow.nginx.host")); host.ok {
		b := side.block("nginx")
		b.set("enable", "true", host.from)
		b.set("type", "outside", "set up by hand")
		host.putText(b, "host")
		d.number(flow("fateflow.nginx.http_port")).put(b, "http_port")
		d.number(flow("fateflow.nginx.grpc_port")).put(b, "grpc_port")
	}
	if store := d.boolean(flow("enable_model_store")); store.ok {
		b := side.block("model_store")
		store.put(b, "enable")
		d.first(flow("model_store_address.storage")).putText(b, "storage")
	}
}

// services writes the addresses of FATE-Serving.
func (d *deriver) services(side *item) {
	doc := d.ds.about(flow("servings.hosts"))
	var ips []string
	var from, port string
	for _, key := range doc.keys() {
		e, _ := doc.get(key)
		host, p, ok := strings.Cut(e.value, ":")
		if !strings.HasPrefix(key, "servings.hosts[") || !ok || port != "" && p != port {
			continue
		}
		ips, port = append(ips, host), p
		if from == "" {
			from = at(doc.file, e.line)
		}
	}
	if len(ips) == 0 {
		return
	}
	b := side.block("servings")
	b.set("ips", texts(ips), from)
	found{port, from, true}.whole().put(b, "port")
}
