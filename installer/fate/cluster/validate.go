package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fate-installer/installer/problem"
)

// checker collects what is wrong with a cluster. Its rules look at the completed cluster and point at what was written.
type checker struct {
	c        *Cluster
	problems *problem.Problems
	reported map[string]bool // addresses that were found wrong where they are written
}

// bad reports a problem with the value at a path, unless it, or something in it, could not even be read: what is wrong
// then was said, and the rest would be a guess.
func (k *checker) bad(path, fix, format string, args ...any) {
	if !k.c.unread(path) {
		k.problems.Add(k.c.At("%s", path), fix, format, args...)
	}
}

// validate applies every rule that needs no particular host.
func (c *Cluster) validate(problems *problem.Problems) {
	k := &checker{c: c, problems: problems}
	k.install()
	k.sidesApart()
	for _, s := range c.Sides() {
		k.identity(s)
	}
	for _, s := range c.Sides() {
		k.values(s)
		k.modules(s)
		k.availability(s)
		k.ports(s)
		k.routes(s)
		k.texts(s)
		if len(k.reported) == 0 { // a mistyped address looks like a further host
			k.sharedSecrets(s)
		}
	}
	k.tls()
	k.polling()
}

func (k *checker) install() {
	c := k.c
	for i, role := range c.Install.SSLRoles {
		if _, err := ParseRole(role); err != nil {
			k.bad(fmt.Sprintf("ssl_roles[%d]", i), "name host, guest or exchange", "ssl_roles has the unknown role %q",
				role)
		}
	}
	k.osPolicies()
	if b := c.Install.Base; b != "" {
		if char, why := unfitPath(b); char != "" {
			k.bad("base", "choose another directory", "the base directory %q cannot be used: %s", b, why)
		}
	}
}

var sizeText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[1-9][0-9]*[KMGTkmgt]?$`)
})

// choice checks a word against the ones that are understood; the first may be blank for a default.
func (k *checker) choice(path, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	words := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	fix := "write one of " + strings.Join(words, ", ")
	if near := nearest(value, words); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
	}
	k.bad(path, fix, "%s must be one of %s, not %q", path, strings.Join(words, ", "), value)
}

// sidesApart refuses sides that share what only one can have.
func (k *checker) sidesApart() {
	owner := make(map[string]Role)
	ids := make(map[int]Role)
	for _, s := range k.c.Sides() {
		for _, ip := range s.Addresses() {
			if other, taken := owner[ip]; taken && other != s.Role {
				k.bad(string(s.Role), "give each side its own host: ports and directories are the same",
					"%s is an address of both the %s and the %s", ip, other, s.Role)
			}
			owner[ip] = s.Role
		}
		if other, taken := ids[s.PartyID]; taken && s.Role != RoleExchange {
			k.bad(string(s.Role)+".partyid", "give each party its own id",
				"the %s and the %s have the same party id %d", other, s.Role, s.PartyID)
		}
		ids[s.PartyID] = s.Role
	}
}

func (k *checker) identity(s *Side) {
	path := string(s.Role) + ".partyid"
	switch {
	case s.Role == RoleExchange && s.PartyID != 0:
		k.bad(path, "remove it, or write 0", "an exchange has no party id")
	case s.Role == RoleExchange:
	case !k.c.written("%s", path) && s.PartyID == 0:
		k.bad(path, "write partyid: and a number of at most 10 digits", "the %s has no party id", s.Role)
	case !partyID().MatchString(s.ID()):
		k.bad(path, "choose a number from 1 to 9999999999",
			"the party id %d of the %s has to have 1 to 10 digits: FATE's tables hold no more", s.PartyID, s.Role)
	}
	if s.IP != "" {
		k.address(string(s.Role)+".ip", s.IP)
	}
}

// address checks an address on which something is installed, or which others connect to.
func (k *checker) address(path, ip string) {
	reason, fix := addressFault(ip)
	if reason == "" && isLoopback(ip) {
		reason, fix = ip+" means something else on every host", "write the address that other hosts reach"
	}
	if reason == "" || k.reported[ip] && !k.c.written("%s", path) {
		return // what follows from an address that was written is not said again
	}
	if k.reported == nil {
		k.reported = map[string]bool{}
	}
	k.reported[ip] = true
	k.bad(path, fix, "%s", reason)
}

var identifier = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
})

// values checks single values against what can be honoured.
func (k *checker) values(s *Side) {
	r := string(s.Role)
	if s.Rollsite.MaxMemory != "" && !sizeText().MatchString(s.Rollsite.MaxMemory) {
		k.bad(r+".rollsite.max_memory", "write a size such as 12G",
			"rollsite.max_memory must be a java heap size, not %q", s.Rollsite.MaxMemory)
	}
	if s.Rollsite.PoolSize != 0 && s.Rollsite.PoolSize != 600 {
		k.c.notes.Add(k.c.At("%s.rollsite.pool_size", r), "",
			"rollsite.pool_size is not applied: the rollsites of eggroll 2.2 and later size their pools themselves")
	}
	for i, name := range s.Rollsite.PublicNames {
		k.address(fmt.Sprintf("%s.rollsite.public_names[%d]", r, i), name)
	}
	if s.Role == RoleExchange {
		return
	}
	flow := s.FateFlow
	k.choice(r+".fate_flow.default_engines", flow.DefaultEngines, "eggroll", "standalone", "spark")
	k.choice(r+".fate_flow.proxy", flow.Proxy, "rollsite", "nginx", "fateflow")
	k.choice(r+".mysql.type", s.MySQL.Type, "inside", "outside")
	k.choice(r+".zk.type", s.ZK.Type, "inside", "outside")
	k.choice(r+".nginx.type", s.Nginx.Type, "inside", "outside")
	if s.ModelStore.Enable {
		k.modelStore(s)
	}
	names := []databaseUse{}
	for _, e := range moduleTable {
		if e.database != nil {
			names = append(names, e.database(s))
		}
	}
	for _, n := range append(names, databaseUse{"mysql.dbuser", s.MySQL.User}) {
		if !identifier().MatchString(n.name) {
			k.bad(r+"."+n.key, "use letters, digits and underscores, up to 64", "%s cannot be %q", n.key, n.name)
		}
	}
	if len(s.MySQL.User) > 32 {
		k.bad(r+".mysql.dbuser", "use at most 32 characters", "MySQL has no user names of %d characters",
			len(s.MySQL.User))
	}
	if (flow.AppKey == "") != flow.SecretKey.IsZero() {
		k.bad(r+".fate_flow.http_app_key", "give both http_app_key and http_secret_key, or neither",
			"authentication of clients needs a key and a secret")
	}
	if flow.DefaultEngines == "eggroll" && (flow.Proxy == "nginx" || flow.Proxy == "fateflow") {
		k.bad(r+".fate_flow.proxy", "write rollsite",
			"fate_flow.proxy cannot be %s: with the engine eggroll the parties talk through rollsite", flow.Proxy)
	}
	k.jobDefaults(s)
	if s.FateFlow.DefaultEngines == "eggroll" && (s.Eggroll.Egg < 1 || s.Eggroll.Egg > 1024) {
		k.bad(r+".eggroll.egg", "write the number of worker processes per node, 1 to 1024",
			"eggroll.egg cannot be %d", s.Eggroll.Egg)
	}
	if flow.DefaultEngines == "spark" {
		k.spark(s)
	}
}

func (k *checker) modelStore(s *Side) {
	path := string(s.Role) + ".model_store.storage"
	switch s.ModelStore.Storage {
	case "mysql":
	case "tencent_cos":
		k.bad(path, "use mysql",
			"model_store.storage tencent_cos is a service on the internet, which an air-gapped host does not reach")
	default:
		k.choice(path, s.ModelStore.Storage, "mysql")
	}
}

func (k *checker) spark(s *Side) {
	r, flow := string(s.Role), s.FateFlow
	if k.c.Exchange != nil {
		k.bad("exchange", "remove the exchange, or use the engine eggroll", "the engine spark knows no exchange")
	}
	if s.Rollsite.Enable || s.ClusterManager.Enable || s.NodeManager.Enable {
		k.bad(r+".fate_flow.default_engines", "switch rollsite, clustermanager and nodemanager off",
			"the engine spark runs without eggroll")
	}
	k.choice(r+".fate_flow.federation", flow.Federation, "rabbitmq", "pulsar")
	k.choice(r+".fate_flow.storage", flow.Storage, "hdfs", "hive", "localfs")
	for _, need := range []struct {
		name    string
		wanted  bool
		enabled bool
	}{
		{"rabbitmq", flow.Federation == "rabbitmq", s.RabbitMQ.Enable},
		{"pulsar", flow.Federation == "pulsar", s.Pulsar.Enable},
		{"hive", flow.Storage == "hive", s.Hive.Enable}, {"hdfs", flow.Storage == "hdfs", s.HDFS.Enable},
	} {
		if need.wanted && !need.enabled {
			k.bad(r+"."+need.name, "write enable: true in it", "fate_flow uses %s, but the block %s is not enabled",
				need.name, need.name)
		}
	}
	if flow.Proxy == "rollsite" {
		k.bad(r+".fate_flow.proxy", "write nginx, or fateflow",
			"fate_flow.proxy cannot be rollsite: the engine spark has none")
	}
	if flow.Proxy == "nginx" && !s.Nginx.Enable {
		k.bad(r+".fate_flow.proxy", "enable the block nginx", "fate_flow.proxy is nginx, but no nginx is given")
	}
	if flow.Proxy == "fateflow" && (k.c.Host == nil || k.c.Guest == nil) {
		k.bad(r+".fate_flow.proxy", "describe both parties, or use proxy: nginx",
			"with proxy fateflow each party calls the other's FATE-Flow, whose address is not in the cluster file")
	}
	if s.Hive.Configuration != "" || s.Hive.Kerberos != "" {
		k.bad(r+".hive", "leave configuration and kerberos_service_name blank", "FATE reads no such settings of hive")
	}
}
