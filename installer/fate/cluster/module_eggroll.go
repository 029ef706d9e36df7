package cluster

import (
	"fmt"
	"path"
	"strings"

	"fate-installer/installer/fate/yamltext"
)

// The processes of eggroll.
const (
	ClusterManager Module = "clustermanager" // gives out the nodes of the side
	NodeManager    Module = "nodemanager"    // starts the workers of a node
	Rollsite       Module = "rollsite"       // the gateway to other parties
)

// eggrollMark is the class that each of eggroll's processes starts with.
var eggrollMark = processMark{"com.webank.eggroll.core.Bootstrap", "eggroll"}

// eggrollModule has the values that eggroll's three processes share. class ends the name of the process's main class.
func eggrollModule(m Module, class string) moduleEntry {
	return moduleEntry{
		module: m, key: string(m), group: "eggroll",
		components: made("jdk", "eggroll"),
		main:       &eggroll,
		home:       func(s *Spec) string { return s.Layout.Eggroll() },
		logs:       "eggroll",
		logLink:    eggrollLogLink,
		mark:       eggrollMark,
		heap:       heapShare{16, 192, 1024, 0},
		forJobs:    true,
		old: OldModule{
			Program: func(s *Spec) map[string]string { return oldEggrollProgram(s, m) },
			Process: func(p OldProcess) bool {
				return p.has(func(a string) bool { return strings.HasSuffix(a, class) }) && p.has(func(a string) bool {
					return a == p.Layout.EggrollProperties() || a == "conf/eggroll.properties"
				})
			},
		},
	}
}

func oldEggrollProgram(s *Spec, m Module) map[string]string {
	l := s.Layout
	logs := path.Join(l.ComponentLogs("eggroll"), "bootstrap."+string(m))
	return map[string]string{
		"command": "/bin/bash " + path.Join(l.Eggroll(), "bin/fate-eggroll.sh") + " " + string(m) + " starting",
		"environment": fmt.Sprintf(`PATH="%s/bin:%s/bin:%%(ENV_PATH)s",CLASSPATH="$CLASSPATH:$CLASSPATH"`,
			s.JavaHome(), l.PythonHome()),
		"directory": l.Eggroll() + "/", "stdout_logfile": logs + ".out", "stderr_logfile": logs + ".err"}
}

func eggrollLogLink(l Layout) string { return path.Join(l.Eggroll(), "logs") }

func clusterManagerModule() moduleEntry {
	e := eggrollModule(ClusterManager, "ClusterManagerBootstrap")
	e.conf = func(s *Side) moduleSwitch { return moduleSwitch{&s.ClusterManager.Enable, &s.ClusterManager.IPs} }
	e.defaults = func(s *Side) {
		s.ClusterManager.Port = defaultClusterManagerPort
		s.ClusterManager.CoresPerNode = defaultCoresPerNode
	}
	e.block = func(c *Cluster, s *Side) yamltext.Map {
		m := append(modulesItems(s.ClusterManager.Enable, s.ClusterManager.IPs),
			yamltext.Item("port", s.ClusterManager.Port))
		if c.chosen(s, "clustermanager.cores_per_node", s.ClusterManager.CoresPerNode, defaultCoresPerNode) {
			m = append(m, yamltext.Item("cores_per_node", s.ClusterManager.CoresPerNode))
		}
		return m
	}
	e.comment = "cores_per_node times the number of nodemanagers is what FATE-Flow hands out to jobs; left out, it " +
		"follows the host."
	e.port = func(s *Side) int { return s.ClusterManager.Port }
	e.wants = func(*Spec) []Module { return []Module{MySQL} }
	e.dataDirs = func(l Layout) []string { return []string{l.EggrollData(), l.ProgramTemp()} }
	e.memory = measured(Resident{262, 533}, Resident{262, 348})
	e.database = func(s *Side) databaseUse { return databaseUse{"eggroll.dbname", s.Eggroll.DBName} }
	e.secrets = func(*Spec) []string { return []string{"mysql_user"} }
	return e
}

func nodeManagerModule() moduleEntry {
	e := eggrollModule(NodeManager, "NodeManagerBootstrap")
	e.conf = func(s *Side) moduleSwitch { return moduleSwitch{&s.NodeManager.Enable, &s.NodeManager.IPs} }
	e.defaults = func(s *Side) { s.NodeManager.Port = defaultNodeManagerPort }
	e.block = func(_ *Cluster, s *Side) yamltext.Map {
		return append(modulesItems(s.NodeManager.Enable, s.NodeManager.IPs), yamltext.Item("port", s.NodeManager.Port))
	}
	e.comment = "Runs the workers; may be on several hosts."
	e.several = true
	e.port = func(s *Side) int { return s.NodeManager.Port }
	// Its workers run FATE's code.
	e.components = func(s *Spec) []string { return append([]string{"jdk", "eggroll"}, s.pythonComponents()...) }
	e.wants = func(*Spec) []Module { return []Module{ClusterManager} }
	e.dataDirs = func(l Layout) []string { return []string{l.EggrollData(), l.ProgramTemp()} }
	e.memory = measured(Resident{237, 237}, Resident{204, 204})
	e.jobMiB = pairsPerJob * eggPairMiB
	return e
}

func rollsiteModule() moduleEntry {
	e := eggrollModule(Rollsite, "EggSiteBootstrap")
	e.conf = func(s *Side) moduleSwitch { return moduleSwitch{&s.Rollsite.Enable, &s.Rollsite.IPs} }
	e.defaults = func(s *Side) { s.Rollsite.setDefaults() }
	e.block = func(_ *Cluster, s *Side) yamltext.Map { return rollsiteItems(s) }
	e.comment = "The gateway to the other parties."
	e.exchange = true
	e.port = func(s *Side) int { return s.Rollsite.Port }
	e.listeners = func(s *Side) []listener {
		out := []listener{{"rollsite.port", s.Rollsite.Port, s.AddressesOf(Rollsite)}}
		if s.Secure() {
			out = append(out, listener{"rollsite.secure_port", s.Rollsite.SecurePort, s.AddressesOf(Rollsite)})
		}
		return out
	}
	e.heap = heapShare{8, 256, 2048, 0}
	e.memory = measured(Resident{253, 384}, Resident{253, 336})
	e.jobsWant = []Module{ClusterManager, Rollsite}
	e.outward = true
	e.secrets = func(*Spec) []string { return []string{"route_table_key"} }
	return e
}

// ManagerConf is eggroll's clustermanager.
type ManagerConf struct {
	Enable       bool     `yaml:"enable"`
	IPs          []string `yaml:"ips"`
	Port         int      `yaml:"port"`
	CoresPerNode int      `yaml:"cores_per_node"` // resource pool of FATE-Flow, per nodemanager
}

// NodeConf is eggroll's nodemanager; a party may have several.
type NodeConf struct {
	Enable bool     `yaml:"enable"`
	IPs    []string `yaml:"ips"`
	Port   int      `yaml:"port"`
}

// RollsiteConf is the gateway between parties.
type RollsiteConf struct {
	Enable       bool     `yaml:"enable"`
	Coordinator  string   `yaml:"coordinator"`
	IPs          []string `yaml:"ips"`
	Port         int      `yaml:"port"`
	SecurePort   int      `yaml:"secure_port"`
	ServerSecure bool     `yaml:"server_secure"`
	ClientSecure bool     `yaml:"client_secure"`
	ClientAuth   bool     `yaml:"client_auth"` // ours: refuse peers without a certificate
	// ours: further addresses and names peers use, for the certificate
	PublicNames   []string      `yaml:"public_names"`
	Polling       PollingConf   `yaml:"polling"`
	RouteTableKey Secret        `yaml:"route_table_key"`
	RouteTables   []PartyRoutes `yaml:"route_tables"`
	PoolSize      int           `yaml:"pool_size"`     // 1.5
	MaxMemory     string        `yaml:"max_memory"`    // 1.5: rollsite's -Xmx, for example 12G
	DefaultRules  []Route       `yaml:"default_rules"` // 1.5
	Rules         []Route       `yaml:"rules"`         // 1.5
}

// EggrollConf has the settings that all eggroll processes share.
type EggrollConf struct {
	DBName string `yaml:"dbname"`
	Egg    int    `yaml:"egg"` // worker processes per node and session
}

// Eggroll is $EGGROLL_HOME, the working directory of clustermanager, nodemanager and rollsite.
func (l Layout) Eggroll() string { return path.Join(l.Project(), "eggroll") }

// EggrollConf holds eggroll.properties and route_table.json.
func (l Layout) EggrollConf() string { return path.Join(l.Eggroll(), "conf") }

// EggrollProperties is the configuration of every eggroll process and of FATE's eggroll client.
func (l Layout) EggrollProperties() string { return path.Join(l.EggrollConf(), "eggroll.properties") }

// RouteTable is the table rollsite reloads every minute.
func (l Layout) RouteTable() string { return path.Join(l.EggrollConf(), "route_table.json") }

// EggrollData holds the stores of the computing engine and the node's identity. It is data.
func (l Layout) EggrollData() string { return path.Join(l.Data(), "eggroll") }

// MetaSchema is the schema of eggroll's metadata database as it is shipped inside the eggroll component.
func (l Layout) MetaSchema() string {
	return path.Join(l.EggrollConf(), "create-eggroll-meta-tables.sql")
}

func rollsiteItems(s *Side) yamltext.Map {
	r := s.Rollsite
	m := yamltext.Map{
		yamltext.Item("enable", r.Enable), yamltext.Item("coordinator", r.Coordinator), yamltext.Item("ips",
			yamltext.Texts(r.IPs)), yamltext.Item("port", r.Port),
		yamltext.Item("secure_port", r.SecurePort),
		yamltext.Item("server_secure", r.ServerSecure), yamltext.Item("client_secure", r.ClientSecure),
	}
	if r.ClientAuth {
		m = append(m, yamltext.Item("client_auth", true))
	}
	if len(r.PublicNames) > 0 {
		m = append(m, yamltext.Item("public_names", yamltext.Texts(r.PublicNames)))
	}
	if r.MaxMemory != "" {
		m = append(m, yamltext.Item("max_memory", r.MaxMemory))
	}
	polling := yamltext.Map{yamltext.Item("enable", r.Polling.Enable)}
	if len(r.Polling.IDs) > 0 {
		polling = append(polling, yamltext.Item("ids", r.Polling.IDs))
	}
	m = append(m, yamltext.Item("polling", polling), secretItem("route_table_key", s.Secrets.RouteTableKey))
	var tables []any
	for _, p := range r.RouteTables {
		var routes []any
		for _, route := range p.Routes {
			entry := yamltext.Map{yamltext.Item("name", route.Name), yamltext.Item("ip", route.IP),
				yamltext.Item("port", route.Port)}
			if route.Name == RouteDefault {
				entry = append(entry, yamltext.Item("is_secure", route.IsSecure))
			}
			routes = append(routes, entry)
		}
		tables = append(tables, yamltext.Map{yamltext.Item("id", yamltext.Plain(p.ID)),
			yamltext.Item("routes", routes)})
	}
	return append(m, yamltext.Item("route_tables", tables))
}
