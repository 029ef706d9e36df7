package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/problem"
)

// setupDoc is deploy/conf/setup.conf of AnsibleFATE 1.7 and later, with the keys of its spark form.
type setupDoc struct {
	Env         string   `yaml:"env"`
	PName       string   `yaml:"pname"`
	SSHPort     int      `yaml:"ssh_port"`
	DeployUser  string   `yaml:"deploy_user"`
	DeployGroup string   `yaml:"deploy_group"`
	DeployMode  string   `yaml:"deploy_mode"`
	Modules     []string `yaml:"modules"`
	Roles       []string `yaml:"roles"`
	SSLRoles    []string `yaml:"ssl_roles"`
	Polling     struct {
		ServerRole string `yaml:"server_role"`
		ClientRole string `yaml:"client_role"`
	} `yaml:"polling"`
	HostIPs        []string   `yaml:"host_ips"`
	HostRoutes     []string   `yaml:"host_special_routes"`
	GuestIPs       []string   `yaml:"guest_ips"`
	GuestRoutes    []string   `yaml:"guest_special_routes"`
	ExchangeIPs    []string   `yaml:"exchange_ips"`
	ExchangeRoutes []string   `yaml:"exchange_special_routes"`
	DefaultEngines string     `yaml:"default_engines"`
	HostSpark      sparkSetup `yamlprefix:"host_"`
	GuestSpark     sparkSetup `yamlprefix:"guest_"`
}

// sparkSetup are the keys of the spark form, which stand in the file with the role before them.
type sparkSetup struct {
	Compute  string `yaml:"compute_engine"`
	Spark    string `yaml:"spark_home"`
	Hadoop   string `yaml:"hadoop_home"`
	Storage  string `yaml:"storage_engine"`
	Hive     string `yaml:"hive_ips"`
	HDFS     string `yaml:"hdfs_addr"`
	MQ       string `yaml:"mq_engine"`
	RabbitMQ string `yaml:"rabbitmq_ips"`
	Pulsar   string `yaml:"pulsar_ips"`
	Nginx    string `yaml:"nginx_ips"`
}

func (s *setupDoc) ips(r Role) []string {
	return map[Role][]string{RoleHost: s.HostIPs, RoleGuest: s.GuestIPs, RoleExchange: s.ExchangeIPs}[r]
}

func (s *setupDoc) specialRoutes(r Role) []string {
	return map[Role][]string{RoleHost: s.HostRoutes, RoleGuest: s.GuestRoutes, RoleExchange: s.ExchangeRoutes}[r]
}

func (s *setupDoc) spark(r Role) sparkSetup {
	if r == RoleHost {
		return s.HostSpark
	}
	return s.GuestSpark
}

// fromSetup builds the sides that setup.conf describes, as upstream's "deploy.sh render" would, but refuses what that
// accepts and gets wrong.
func (c *Cluster) fromSetup(setup *setupDoc, doc *document, problems *problem.Problems) {
	k := &checker{c: c, problems: problems}
	doc.PName, doc.DeployMode = pickString(doc.PName, setup.PName), pickString(doc.DeployMode, setup.DeployMode)
	doc.DefaultEngines = pickString(setup.DefaultEngines, doc.DefaultEngines)
	doc.Supervisord.Service.Owner = pickString(setup.DeployUser, doc.Supervisord.Service.Owner)
	doc.Supervisord.Service.Group = pickString(setup.DeployGroup, doc.Supervisord.Service.Group)
	k.choice("setup.default_engines", setup.DefaultEngines, "", "eggroll", "standalone", "spark")
	for i, m := range setup.Modules {
		k.choice(fmt.Sprintf("setup.modules[%d]", i), m, setupModules()...)
	}
	for i, entry := range setup.Roles {
		c.setupRole(k, setup, fmt.Sprintf("setup.roles[%d]", i), entry)
	}
	for _, r := range Roles {
		if c.Side(r) == nil && (len(setup.ips(r)) > 0 || len(setup.specialRoutes(r)) > 0) {
			k.bad(fmt.Sprintf("setup.%s_ips", r), fmt.Sprintf("add %s to roles, or empty its lists", r),
				"%s has addresses or routes but is not in roles", r)
		}
	}
	c.setupTLS(k, setup)
	c.setupPolling(k, setup)
	for _, s := range c.Sides() {
		c.setupRoutes(k, setup, s)
	}
}

// setupRole makes the side of one entry of roles, for example host:10000.
func (c *Cluster) setupRole(k *checker, setup *setupDoc, path, entry string) {
	name, id, found := strings.Cut(entry, ":")
	role, err := ParseRole(name)
	party, idErr := strconv.Atoi(id)
	switch {
	case err != nil || !found || idErr != nil:
		k.bad(path, "write for example host:10000, guest:9999 or exchange:0", "%q is no role with a party id", entry)
		return
	case c.Side(role) != nil:
		k.bad(path, "keep one", "the %s is described twice", role)
		return
	}
	s := &Side{}
	s.setDefaults()
	s.Role, s.PartyID = role, party
	c.put(s)
	c.originOf(string(role), path)
	c.originOf(string(role)+".partyid", path)
	c.setupModules(k, setup, s)
	if setup.DefaultEngines == "spark" && role != RoleExchange {
		c.setupSpark(k, setup, s)
	}
}

func (c *Cluster) originOf(path, source string) { c.origins[path] = c.At("%s", source) }

// setupModules gives each module its address and switch.
func (c *Cluster) setupModules(k *checker, setup *setupDoc, s *Side) {
	addresses := c.setupAddresses(k, setup, s)
	fallback := addresses["default"]
	if len(fallback) == 0 {
		fallback = addresses["rollsite"]
	}
	if len(fallback) == 0 {
		k.bad(fmt.Sprintf("setup.%s_ips", s.Role), "write default: and an address", "%s_ips names no default address",
			s.Role)
		return
	}
	for _, m := range s.moduleConfs() {
		path := fmt.Sprintf("%s.%s.ips", s.Role, m.key)
		*m.enable = s.Role == RoleExchange || slices.Contains(setup.Modules, m.group)
		if m.group == "eggroll" && setup.DefaultEngines == "spark" {
			*m.enable = false
			continue
		}
		*m.ips = fallback[:1]
		c.originOf(path, fmt.Sprintf("setup.%s_ips", s.Role))
		if ips := addresses[m.key]; len(ips) > 0 {
			*m.ips = ips
		}
		if i := slices.IndexFunc(setup.ips(s.Role),
			func(e string) bool { return strings.HasPrefix(e, m.key+":") }); i >= 0 {
			c.originOf(path, fmt.Sprintf("setup.%s_ips[%d]", s.Role, i))
		}
	}
}

// setupAddresses reads entries such as nodemanager:192.168.0.1|192.168.0.2.
func (c *Cluster) setupAddresses(k *checker, setup *setupDoc, s *Side) map[string][]string {
	names, role := setupAddresses(s), s.Role
	out := make(map[string][]string)
	for i, entry := range setup.ips(role) {
		path := fmt.Sprintf("setup.%s_ips[%d]", role, i)
		name, list, found := strings.Cut(entry, ":")
		if !found {
			k.bad(path, "write for example default:192.168.0.1", "%q has no name before an address", entry)
			continue
		}
		if !slices.Contains(names, name) {
			k.choice(path, name, names...)
			continue
		}
		if _, twice := out[name]; twice {
			k.bad(path, "put all its addresses into one entry, separated by |", "%s is named twice", name)
			continue
		}
		out[name] = strings.Split(list, "|")
		if name == "default" && len(out[name]) > 1 {
			k.bad(path, "name the modules that run on several hosts", "default takes one address")
		}
	}
	return out
}

func (c *Cluster) setupTLS(k *checker, setup *setupDoc) {
	for i, r := range setup.SSLRoles {
		path := fmt.Sprintf("setup.ssl_roles[%d]", i)
		role, err := ParseRole(r)
		switch {
		case err != nil:
			k.choice(path, r, "host", "guest", "exchange")
		case c.Side(role) == nil && len(c.Sides()) > 1:
			k.bad(path, "keep the sides that are in roles", "ssl_roles has %s, which is not in roles", role)
		case c.Side(role) != nil:
			side := c.Side(role)
			side.Rollsite.ServerSecure, side.Rollsite.ClientSecure = true, true
			c.originOf(string(role)+".rollsite.server_secure", path)
		}
	}
	if len(setup.SSLRoles) > 0 && setup.DefaultEngines == "spark" {
		k.bad("setup.ssl_roles", "remove it", "the engine spark has no rollsite, whose TLS ssl_roles is about")
	}
}

func (c *Cluster) setupPolling(k *checker, setup *setupDoc) {
	server, client := setup.Polling.ServerRole, setup.Polling.ClientRole
	if server == "" && client == "" {
		return
	}
	switch {
	case server != "exchange" || client != "host" && client != "guest":
		k.bad("setup.polling", "write {server_role: exchange, client_role: host}, or guest",
			"polling needs the exchange as server_role and a party as client_role")
		return
	case c.Exchange == nil || c.Side(Role(client)) == nil:
		k.bad("setup.polling", "add both to roles", "polling is between %s and exchange, and not both are in roles",
			client)
		return
	}
	party := c.Side(Role(client))
	party.Rollsite.Polling.Enable = true
	c.Exchange.Rollsite.Polling = PollingConf{Enable: true, IDs: []int{party.PartyID}}
	c.originOf(client+".rollsite.polling.enable", "setup.polling")
	c.originOf("exchange.rollsite.polling.ids", "setup.polling")
}

// setupRoutes reads the special routes of a side and adds the generated ones. Upstream gathers the routes of a party
// in reverse order; here they keep theirs.
func (c *Cluster) setupRoutes(k *checker, setup *setupDoc, s *Side) {
	var special []PartyRoutes
	for i, text := range setup.specialRoutes(s.Role) {
		path := fmt.Sprintf("setup.%s_special_routes[%d]", s.Role, i)
		party, route, reason := parseSpecialRoute(text)
		if reason != "" {
			k.bad(path, "write for example 8888:192.168.2.1:9370 or default:192.168.2.1:9371:secure",
				"cannot use the route %q: %s", text, reason)
			continue
		}
		route.At = path
		if at := slices.IndexFunc(special, hasID(party)); at >= 0 {
			special[at].Routes = append(special[at].Routes, route)
			continue
		}
		special = append(special, PartyRoutes{At: path, ID: party, Routes: []Route{route}})
	}
	if s.Rollsite.Enable || len(s.Rollsite.IPs) > 0 {
		s.Rollsite.RouteTables = c.generateRoutes(s, special, k.problems)
		c.originOf(string(s.Role)+".rollsite.route_tables", string("setup."+s.Role)+"_special_routes")
	}
}

// setupSpark fills in the engines that the spark form of setup.conf names.
func (c *Cluster) setupSpark(k *checker, setup *setupDoc, s *Side) {
	in, prefix := setup.spark(s.Role), "setup."+string(s.Role)+"_"
	k.choice(prefix+"compute_engine", in.Compute, "", "spark")
	k.choice(prefix+"storage_engine", in.Storage, "hive", "hdfs", "localfs")
	k.choice(prefix+"mq_engine", in.MQ, "rabbitmq", "pulsar")
	s.FateFlow.DefaultEngines, s.FateFlow.Storage, s.FateFlow.Federation = "spark", in.Storage, in.MQ
	s.Spark.Enable, s.Spark.Home, s.Spark.HadoopHome = true, in.Spark, in.Hadoop
	s.Hive.Enable, s.Hive.Host = in.Storage == "hive", pickString(in.Hive, s.Hive.Host)
	s.HDFS.Enable, s.HDFS.NameNode = in.Storage == "hdfs", in.HDFS
	s.RabbitMQ.Enable, s.RabbitMQ.Host = in.MQ == "rabbitmq", pickString(in.RabbitMQ, s.RabbitMQ.Host)
	s.Pulsar.Enable, s.Pulsar.Host = in.MQ == "pulsar", pickString(in.Pulsar, s.Pulsar.Host)
	s.Nginx.Enable, s.Nginx.Host = in.Nginx != "", pickString(in.Nginx, "127.0.0.1")
	s.Nginx.Type = "outside"
	c.originOf(string(s.Role)+".nginx.enable", prefix+"nginx_ips")
	if s.Nginx.Enable {
		s.FateFlow.Proxy = "nginx"
	}
}
