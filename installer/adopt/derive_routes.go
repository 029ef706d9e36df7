package adopt

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fate-installer/installer/fate/cluster"
)

// heap finds -Xmx among the options of a JVM.
var heap = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:^| )-Xmx([0-9]+[kKmMgG]?)(?: |$)`)
})

// rollsite writes the gateway to the other parties and its routes.
func (d *deriver) rollsite(side *item) {
	place := d.rollsitePlace()
	if !place.ok {
		return
	}
	b := side.block("rollsite")
	addresses(b, place)
	d.first(eggroll(keyRollsite+"coordinator")).putText(b, "coordinator")
	d.number(eggroll(keyRollsite+"port")).put(b, "port")
	d.number(eggroll(keyRollsite+"secure.port")).put(b, "secure_port")
	// TLS works in both directions or not at all: where one has no certificate, its keys are kept edits.
	server, client := d.first(eggroll(keySecurity+"crt.path")), d.first(eggroll(keySecurity+"client.crt.path"))
	if server.ok || client.ok {
		b.set("server_secure", "true", server.or(client).from)
		b.set("client_secure", "true", client.or(server).from)
	}
	if f := d.boolean(eggroll(keySecurity + "secure.client.auth.enabled")); f.value == "true" {
		f.put(b, "client_auth")
	}
	jvm := d.first(eggroll(keyRollsite + "jvm.options"))
	if m := heap().FindStringSubmatch(jvm.value); m != nil {
		b.set("max_memory", m[1], jvm.from)
	}
	d.polling(b)
	d.routes(b)
}

// rollsitePlace is where the party's rollsite is.
func (d *deriver) rollsitePlace() found {
	return d.place(cluster.Rollsite, d.address(eggroll(keyRollsite+"host"), flow("fate_on_eggroll.rollsite.host")))
}

func (d *deriver) polling(b *item) {
	for _, end := range []string{"client", "server"} {
		f := d.boolean(eggroll(keyRollsite + "polling." + end + ".enabled"))
		if f.value != "true" {
			continue
		}
		p := b.block("polling")
		f.put(p, "enable")
		if ids := d.polled(); len(ids) > 0 {
			p.set("ids", "["+strings.Join(ids, ", ")+"]", d.ds.of(kindRoutes).file)
		}
		return
	}
}

// polled lists the parties that fetch their messages.
func (d *deriver) polled() []string {
	var out []string
	doc := d.ds.of(kindRoutes)
	for _, key := range doc.keys() {
		if party, rest, ok := routeKey(key); ok && rest == "default[0].is_polling" && doc.value(key) == "true" {
			out = append(out, party)
		}
	}
	return out
}

const routePrefix = "route_table."

// routeKey takes the party out of a key of the route table.
func routeKey(key string) (party, rest string, ok bool) {
	key, ok = strings.CutPrefix(key, routePrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(key, ".")
}

// routes writes the route table in its order. A route is one line, and a party one block.
func (d *deriver) routes(b *item) {
	doc := d.ds.of(kindRoutes)
	if doc == nil {
		return
	}
	tables := b.block("route_tables")
	parties, routes := map[string]*item{}, map[string]*item{}
	for _, key := range doc.keys() {
		party, rest, ok := routeKey(key)
		name, field, first := strings.Cut(rest, "[0].")
		if !ok || !first || field != "ip" || routes[party+"."+name] != nil {
			continue
		}
		value := func(field string) string { return doc.value(routePrefix + party + "." + name + "[0]." + field) }
		e, _ := doc.get(key)
		from := at(doc.file, e.line)
		p := parties[party]
		if p == nil {
			id := party
			if !isWhole(id) {
				id = text(id)
			}
			p = tables.element("id", id, from).withRoutes()
			parties[party] = p
		}
		line := "{name: " + text(name) + ", ip: " + text(value("ip")) + ", port: " + numberOr(value("port"), "0")
		if value("is_secure") == "true" {
			line += ", is_secure: true"
		}
		routes[party+"."+name] = p.element("", line+"}", from)
	}
	if len(tables.below) == 0 {
		tables.value = "[]"
	}
}

// withRoutes adds the list of routes to a party, and gives that list.
func (i *item) withRoutes() *item {
	r := i.block("routes")
	r.whole = true
	return r
}

func numberOr(s, other string) string {
	if isWhole(s) {
		return s
	}
	return other
}

// portOr is a port that a route can have, or else another one.
func portOr(s, other string) string {
	if n, err := strconv.Atoi(s); err != nil || n < 1 || n > 65535 {
		return other
	}
	return s
}

// isRoutes reports whether an item is the list of parties in a route table.
func (i *item) isRoutes() bool { return i.key == "route_tables" }

// ownID is the id of the party by its own keys.
func (d *deriver) ownID() found {
	for _, k := range []located{eggroll(keyRollsite + "party.id"), flow("party_id")} {
		if f := d.first(k); isPartyID(f.value) {
			return f
		}
	}
	return found{}
}

// isPartyID reports whether a cluster file can have the id of a party.
func isPartyID(s string) bool { return isWhole(s) && s != "0" && len(s) <= 10 }

// partyID is the id of the party, by its own keys, or else by the route table, which has it with the address of the own
// rollsite. FATE goes by the keys: they stay as kept edits.
func (d *deriver) partyID() found {
	if f := d.ownID(); f.ok || d.role == cluster.RoleExchange { // which is no party
		return f
	}
	rollsite, port := d.address(eggroll(keyRollsite+"host")), d.number(eggroll(keyRollsite+"port"))
	doc := d.ds.of(kindRoutes)
	var out found
	for _, key := range doc.keys() {
		party, rest, _ := routeKey(key)
		if rest != "default[0].ip" || !isPartyID(party) || doc.value(key) != rollsite.value ||
			doc.value(routePrefix+party+".default[0].port") != port.value {
			continue
		}
		if out.ok {
			return found{} // two parties have it
		}
		e, _ := doc.get(key)
		out = found{party, at(doc.file, e.line), true}
	}
	return out
}

// ownRoutes writes the routes of the own party as they follow from where its modules are, in the place of routes that
// no cluster file can have. It reports false when it has done so before. i is the list of parties, or one of them.
func (d *deriver) ownRoutes(i *item) bool {
	if d.routesMade {
		return false
	}
	d.routesMade = true
	tables := i
	if !i.isRoutes() {
		tables = i.parent
	}
	own := d.partyID().value
	tables.below = slices.DeleteFunc(tables.below, func(p *item) bool { return p.value == own })
	const from = "follows from rollsite and fate_flow"
	routes := tables.element("id", own, from).withRoutes()
	add := func(name string, host, port found, standard string) {
		if host.ok {
			value := "{name: " + name + ", ip: " + text(host.value) + ", port: " + portOr(port.value, standard) + "}"
			routes.element("", value, from)
		}
	}
	add(cluster.RouteDefault, d.rollsitePlace(), d.number(eggroll(keyRollsite+"port")), "9370")
	if nginx := d.address(flow("fateflow.nginx.host")); nginx.ok {
		add("fateflow", nginx, d.number(flow("fateflow.nginx.grpc_port")), "9999")
	} else {
		add("fateflow", d.place(cluster.FateFlow, d.address(flow("fateflow.host"))), d.number(flow("fateflow.grpc_port")),
			"9360")
	}
	return true
}
