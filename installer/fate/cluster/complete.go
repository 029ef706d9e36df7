package cluster

import (
	"slices"
	"strings"

	"fate-installer/installer/problem"
)

// complete turns what was written into what is meant: the 1.5 words become the 1.7 ones, modules without an address get
// the side's, an absent route table is generated, and the project-wide files are applied to the sides.
func (c *Cluster) complete(doc *document, problems *problem.Problems) {
	c.completeInstall(doc)
	c.OS.complete()
	for _, s := range c.Sides() {
		c.modernise(s, doc)
		c.completeModules(s, doc)
		c.completeEngines(s, doc)
		c.completeSecrets(s, doc.Secrets)
		s.completeJobDefaults()
	}
	for _, s := range c.Sides() {
		c.completeBalancer(s)
	}
	for _, s := range c.Sides() {
		if s.Rollsite.Enable && !c.written("%s.rollsite.route_tables", s.Role) && len(s.Rollsite.RouteTables) == 0 {
			s.Rollsite.RouteTables = c.generateRoutes(s, nil, problems)
		}
		c.followSecondFlow(s)
	}
}

// modernise rewrites the 1.5 form of route tables and polling.
func (c *Cluster) modernise(s *Side, doc *document) {
	r := &s.Rollsite
	if len(r.DefaultRules) > 0 {
		r.RouteTables = append(r.RouteTables, PartyRoutes{At: string(s.Role) + ".rollsite.default_rules",
			ID: partyDefault, Routes: r.DefaultRules})
	}
	if len(r.Rules) > 0 {
		r.RouteTables = append(r.RouteTables, PartyRoutes{At: string(s.Role) + ".rollsite.rules",
			ID: s.ID(), Routes: r.Rules})
	}
	if s.Role == RoleExchange && doc.Exchange != nil {
		for _, p := range doc.Exchange.Partys {
			r.RouteTables = append(r.RouteTables, PartyRoutes{At: p.At, ID: p.ID, Routes: p.Rules})
		}
	}
	if r.Polling.ID != 0 && len(r.Polling.IDs) == 0 {
		r.Polling.IDs = []int{r.Polling.ID}
	}
}

// completeModules decides which modules are deployed. A module whose switch was left out is on when its address is
// known; one outside fate_init's deploy_modules or deploy_roles is off, as ansible would not run its tasks.
func (c *Cluster) completeModules(s *Side, doc *document) {
	spark := s.FateFlow.DefaultEngines == "spark" || doc.DefaultEngines == "spark"
	for _, m := range s.moduleConfs() {
		if len(*m.ips) == 0 && s.IP != "" && !(spark && m.group == "eggroll") {
			*m.ips = []string{s.IP}
		}
		if !c.written("%s.%s.enable", s.Role, m.key) && !c.written("setup") {
			*m.enable = len(*m.ips) > 0
		}
		if c.written("deploy_modules") && s.Role != RoleExchange && !slices.Contains(doc.DeployModules, m.group) {
			*m.enable = false
		}
		if c.written("deploy_roles") && !slices.Contains(doc.DeployRoles, string(s.Role)) {
			*m.enable = false
		}
	}
}

func (c *Cluster) completeEngines(s *Side, doc *document) {
	if s.Role == RoleExchange {
		return
	}
	flow := &s.FateFlow
	switch {
	case doc.DefaultEngines == "standalone" && flow.DefaultEngines != "standalone":
		// Upstream changes only the project's file, so that the choice never reaches FATE-Flow.
		if c.written("%s.fate_flow.default_engines", s.Role) {
			c.notes.Add(c.At("%s.fate_flow.default_engines", s.Role), "",
				"the project's default_engines standalone is taken, not %s", flow.DefaultEngines)
		}
		flow.DefaultEngines = "standalone"
	case flow.DefaultEngines == "" && doc.DefaultEngines != "":
		flow.DefaultEngines = doc.DefaultEngines
	case flow.DefaultEngines == "":
		flow.DefaultEngines = "eggroll"
	}
	if flow.Proxy == "" {
		flow.Proxy = "rollsite"
		if flow.DefaultEngines == "spark" {
			flow.Proxy = "fateflow"
		}
	}
	if s.Nginx.HTTPPort == 0 {
		s.Nginx.HTTPPort = defaultNginxHTTPPort
		if flow.DefaultEngines == "spark" {
			s.Nginx.HTTPPort = sparkNginxHTTPPort
		}
	}
	if s.Nginx.GRPCPort == 0 {
		s.Nginx.GRPCPort = defaultNginxGRPCPort
		if flow.DefaultEngines == "spark" {
			s.Nginx.GRPCPort = sparkNginxGRPCPort
		}
	}
}

// completeBalancer derives high availability from the number of FATE-Flows: the registry and the shared model store
// are on, and ZooKeeper and nginx are ours unless the file says that they are outside.
func (c *Cluster) completeBalancer(s *Side) {
	if s.Role == RoleExchange {
		return
	}
	several := len(s.FateFlow.IPs) > 1
	if !c.written("%s.nginx.enable", s.Role) {
		s.Nginx.Enable = len(s.Nginx.IPs) > 0 || s.Nginx.Host != ""
	}
	if len(s.Nginx.IPs) == 0 && s.Nginx.Host != "" && s.Nginx.Type == "inside" {
		s.Nginx.IPs = []string{s.Nginx.Host}
	}
	if !c.written("%s.zk.enable", s.Role) {
		s.ZK.Enable = len(s.ZK.Lists) > 0
	}
	for i := range s.ZK.Lists {
		if s.ZK.Lists[i].Port == 0 {
			s.ZK.Lists[i].Port = DefaultZooKeeperPort
		}
	}
	if !c.written("%s.model_store.enable", s.Role) {
		s.ModelStore.Enable = several
	}
	kind := "outside" // upstream's files can only point at existing ones
	if several {
		kind = "inside"
	}
	if s.ZK.Type == "" {
		s.ZK.Type = kind
	}
	if s.Nginx.Type == "" {
		s.Nginx.Type = "outside"
		if len(s.Nginx.IPs) > 0 {
			s.Nginx.Type = "inside"
		}
	}
}

// followSecondFlow understands the file of upstream's high availability guide for a second FATE-Flow host: it lists
// that host as rollsite, while its own party's routes name the rollsite that really runs elsewhere. The guide then has
// the operator correct eggroll.rollsite.host and stop the surplus rollsite by hand.
func (c *Cluster) followSecondFlow(s *Side) {
	if s.Role == RoleExchange || !s.ZK.Enable || len(s.Rollsite.IPs) != 1 ||
		!slices.Equal(s.Rollsite.IPs, s.FateFlow.IPs) {
		return
	}
	own, ok := s.Route(s.ID(), RouteDefault)
	if !ok || own.IP == s.Rollsite.IPs[0] || !slices.Contains(s.ClusterManager.IPs, own.IP) {
		return
	}
	c.notes.Add(c.At("%s.rollsite.ips", s.Role), "",
		"the party's own route says that its rollsite is %s; none is started on %s", own.IP, s.Rollsite.IPs[0])
	s.Rollsite.IPs = []string{own.IP}
}

// Route finds the route of a name for a party.
func (s *Side) Route(party, name string) (Route, bool) {
	for _, p := range s.Rollsite.RouteTables {
		if p.ID != party {
			continue
		}
		for _, r := range p.Routes {
			if r.Name == name {
				return r, true
			}
		}
	}
	return Route{}, false
}

func (c *Cluster) completeInstall(doc *document) {
	in := &c.Install
	in.Base, in.User, in.Group = doc.Base, doc.Supervisord.Service.Owner, doc.Supervisord.Service.Group
	in.AdminUser, in.AdminPass = doc.MySQL.User, doc.MySQL.Password
	in.SSLRoles = doc.SSLRoles
	if v := strings.Trim(doc.Version, "#"); v != "VERSION" { // the placeholder of an unpackaged AnsibleFATE
		in.Version = v
	}
	if in.AdminUser == "" {
		in.AdminUser = "root"
	}
	c.versions = map[string]string{"mysql.version": doc.MySQL.Version, "java.version": doc.Java.Version}
}

// completeSecrets lets the places where a password may stand agree: the module's own key wins over the side's secrets
// block, which wins over the one at the top of the file.
func (c *Cluster) completeSecrets(s *Side, top SecretsConf) {
	pick := func(choices ...Secret) Secret {
		for _, x := range choices {
			if !x.IsZero() {
				return x
			}
		}
		return Secret{}
	}
	s.Secrets.MySQLRoot = pick(s.Secrets.MySQLRoot, c.Install.AdminPass)
	for _, e := range secretTable {
		own, module := e.of((*Secrets)(&s.Secrets)), Secret{}
		if e.own != nil {
			module = e.own(s)
		}
		*own = pick(module, *own, *e.of((*Secrets)(&top)))
	}
}
