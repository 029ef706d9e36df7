package adopt

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fate-installer/installer/fate/cluster"
)

// deriver makes the cluster file from what the configuration files say.
type deriver struct {
	ds   *documents
	o    *outline
	opts Options

	role        cluster.Role
	roleFrom    string
	ip          string
	ipFrom      string
	here        []cluster.Module
	assumptions []Assumption
	secrets     secrets
	routesMade  bool // those of the own party were written by ownRoutes
}

// found is a value with its place.
type found struct {
	value string
	from  string
	ok    bool
}

// Keys of eggroll.properties.
const (
	keyManager  = "eggroll.resourcemanager.clustermanager."
	keyNode     = "eggroll.resourcemanager.nodemanager."
	keyRollsite = "eggroll.rollsite."
	keySecurity = "eggroll.core.security."
)

// placeholder is what AnsibleFATE leaves in the exchange's file for values that an exchange has not.
var placeholder = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\$\{[a-z_]+\}`)
})

// first finds the first of some keys that has a value.
func (d *deriver) first(keys ...located) found {
	for _, k := range keys {
		doc := d.ds.about(k)
		e, ok := doc.get(k.key)
		if ok && e.value != "" && !placeholder().MatchString(e.value) {
			return found{e.value, at(doc.file, e.line), true}
		}
	}
	return found{}
}

// located is a key of a kind of file.
type located struct {
	kind kind
	key  string
}

func eggroll(key string) located { return located{kindEggroll, key} }

func flow(key string) located { return located{kindFlow, key} }

// locate gives the places of settings of modules.
func locate(settings ...cluster.Setting) []located {
	var out []located
	for _, s := range settings {
		out = append(out, located{kind(s.Of), s.Key})
	}
	return out
}

// addressesOfModules are the settings that say where modules run.
func addressesOfModules() []located {
	out := []located{flow("fateflow.host"), eggroll(keyRollsite + "host"), eggroll(keyManager + "host"),
		flow("database.host")}
	for _, m := range cluster.Modules() {
		if at := m.Old().Address; at.Key != "" {
			out = append(out, locate(at)...)
		}
	}
	return out
}

// number finds the first of some keys whose value a cluster file can have in the place of a number.
func (d *deriver) number(keys ...located) found {
	for _, k := range keys {
		if f := d.first(k); isWhole(f.value) {
			return f
		}
	}
	return found{}
}

// address finds the first of some keys that is an address or a name of a host.
func (d *deriver) address(keys ...located) found {
	for _, k := range keys {
		if f := d.first(k); isAddress(f.value) || hostName().MatchString(f.value) {
			return f
		}
	}
	return found{}
}

var hostName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*$`)
})

func isWhole(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && strconv.Itoa(n) == s
}

// boolean finds the first of some keys that is true or false.
func (d *deriver) boolean(keys ...located) found {
	for _, k := range keys {
		if f := d.first(k); f.value == "true" || f.value == "false" {
			return f
		}
	}
	return found{}
}

// whole is f where it is a number.
func (f found) whole() found {
	if !isWhole(f.value) {
		return found{}
	}
	return f
}

// put writes a value that was found.
func (f found) put(i *item, key string) {
	if f.ok {
		i.set(key, f.value, f.from)
	}
}

// putText writes a text that was found.
func (f found) putText(i *item, key string) {
	if f.ok {
		i.set(key, text(f.value), f.from)
	}
}

// addresses writes the switch and the addresses of a module.
func addresses(i *item, f found) {
	i.set("enable", "true", f.from)
	i.set("ips", texts([]string{f.value}), f.from)
}

// jdbc takes the parts of a JDBC URL of MySQL: jdbc:mysql://HOST:PORT/DATABASE?OPTIONS.
var jdbc = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^jdbc:mysql://([^:/?]+)(?::([0-9]+))?/([^?]*)`)
})

// url finds the parts of the JDBC URL of a key: host, port and database.
func (d *deriver) url(k located) (host, port, database found) {
	f := d.first(k)
	m := jdbc().FindStringSubmatch(f.value)
	if m == nil || !isAddress(m[1]) && !hostName().MatchString(m[1]) {
		return
	}
	part := func(s string) found { return found{s, f.from, s != ""} }
	return part(m[1]), part(m[2]), part(m[3])
}

// or is the first of two that was found.
func (f found) or(other found) found {
	if f.ok {
		return f
	}
	return other
}

// runsHere reports whether a module has a program file on this host.
func (d *deriver) runsHere(m cluster.Module) bool { return slices.Contains(d.here, m) }

// place is where a module runs: on this host, or where the configuration looks for it.
func (d *deriver) place(m cluster.Module, elsewhere found) found {
	if d.runsHere(m) && (!elsewhere.ok || elsewhere.value != d.ip) {
		doc := d.ds.program(m.Program())
		file := ""
		if doc != nil {
			file = doc.file
		}
		return found{d.ip, file, true}
	}
	return elsewhere
}

// modules finds what runs here: what has a program file, and without any what the files of the tree are for.
func (d *deriver) modules() {
	for _, m := range cluster.Modules() {
		if d.ds.program(m.Program()) != nil {
			d.here = append(d.here, m)
		}
	}
}

// decideRole finds out which side the host is. The exchange has no party; that a party is host or guest is in the
// names of its TLS keys alone.
func (d *deriver) decideRole() {
	party := d.ownID()
	key := d.first(eggroll(keySecurity+"crt.path"), eggroll(keySecurity+"client.crt.path"))
	name := key.value[strings.LastIndex(key.value, "/")+1:]
	for _, r := range cluster.Roles {
		if strings.HasPrefix(name, string(r)+"-") {
			d.role, d.roleFrom = r, key.from
		}
	}
	switch {
	case d.opts.Role != "":
		d.role, d.roleFrom = d.opts.Role, "--role"
	case !party.ok && d.ds.of(kindEggroll) != nil && d.ds.of(kindFlow) == nil:
		e, _ := d.ds.of(kindEggroll).get(keyRollsite + "party.id")
		d.role, d.roleFrom = cluster.RoleExchange, at(d.ds.of(kindEggroll).file, e.line)
	case d.role == "":
		d.role, d.roleFrom = cluster.RoleHost, "assumed"
		d.assume(string(cluster.RoleHost), "the files of a party without TLS do not say whether it is host or guest",
			"if it is the guest: --role guest")
	}
}

func (d *deriver) assume(what, why, next string) {
	d.assumptions = append(d.assumptions, Assumption{what, why, next})
}

// decideAddress finds out which address this host has in the configuration.
func (d *deriver) decideAddress() *Refusal {
	var named []string
	for _, k := range addressesOfModules() {
		if f := d.address(k); f.ok && !slices.Contains(named, f.value) {
			named = append(named, f.value)
			if d.ip == "" && (d.opts.IP == f.value || d.opts.IP == "" && slices.Contains(d.opts.Addresses, f.value)) {
				d.ip, d.ipFrom = f.value, f.from
			}
		}
	}
	if d.opts.IP != "" {
		d.ip = d.opts.IP
		if d.ipFrom == "" {
			d.ipFrom = "--ip"
		}
	}
	// A host that has a nodemanager alone is named in none of its files.
	own := slices.DeleteFunc(slices.Clone(d.opts.Addresses), func(a string) bool {
		return !isAddress(a) || strings.HasPrefix(a, "127.")
	})
	if d.ip == "" && len(own) == 1 {
		d.ip, d.ipFrom = own[0], "the only address of this host"
	}
	if d.ip == "" {
		return &Refusal{Reason: NoAddress, Next: "say with --ip which address this host has in the party",
			What: "the configuration names " + list(named) + ", and this host has " + list(own)}
	}
	return nil
}

func list(values []string) string {
	if len(values) == 0 {
		return "no address"
	}
	return strings.Join(values, ", ")
}

// derive writes the outline.
func (d *deriver) derive(base string) {
	d.o = newOutline()
	if base != "/data" {
		d.o.root.set("base", text(base), "where it was found")
	}
	d.service()
	if d.role == cluster.RoleExchange {
		d.rollsite(d.o.root.block(string(d.role)))
		return
	}
	d.party()
}

// service writes the account that the programs run as, where it is not the standard one.
func (d *deriver) service() {
	for _, p := range d.ds.programs() {
		e, ok := p.get("program:" + p.program + ".user")
		if !ok || !strings.HasPrefix(p.program, "fate-") {
			continue
		}
		if e.value != "app" && e.value != "root" && cluster.IsAccountName(e.value) {
			d.o.root.block("supervisord").block("service").set("owner", text(e.value), at(p.file, e.line))
		}
		return
	}
}
