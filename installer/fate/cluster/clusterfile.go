package cluster

import (
	"fmt"
	"slices"

	"fate-installer/installer/fate/yamltext"

	"github.com/goccy/go-yaml"
)

// ClusterFile writes a cluster as one commented file in the 1.7+ form. Parse reads it back as the same cluster, and
// AnsibleFATE reads the parts of it that it knows. It contains passwords.
func (c *Cluster) ClusterFile() ([]byte, error) {
	return c.write("A FATE cluster. The same file is used on every host; fate-installer finds out which host it is on.")
}

// write is ClusterFile with the first line of its comment.
func (c *Cluster) write(title string) ([]byte, error) {
	w := &clusterWriter{c: c, comments: yaml.CommentMap{}}
	var top yamltext.Map
	w.comment("$", title,
		"Keys and meanings are AnsibleFATE's. A value that is left out has its default: fate-installer config show "+
			"--origins")
	if c.Install.Base != "" && c.Install.Base != defaultBase {
		top = append(top, yamltext.Item("base", c.Install.Base))
	}
	for _, s := range c.Sides() {
		w.path = "$." + string(s.Role)
		block := w.party
		if s.Role == RoleExchange {
			block = w.exchange
		}
		top = append(top, yaml.MapItem{Key: string(s.Role), Value: block(s)})
	}
	return w.encode(top)
}

func (w *clusterWriter) encode(top yamltext.Map) ([]byte, error) {
	b, err := yaml.MarshalWithOptions(top, yaml.Indent(2), yaml.IndentSequence(true), yaml.WithComment(w.comments))
	if err != nil {
		return nil, fmt.Errorf("cannot write the cluster file: %w", err)
	}
	return b, nil
}

// clusterWriter builds the blocks of a side and remembers the comments above them.
type clusterWriter struct {
	c        *Cluster
	path     string
	comments yaml.CommentMap
}

func (w *clusterWriter) comment(path string, lines ...string) {
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	w.comments[path] = []*yaml.Comment{yaml.HeadComment(lines...)}
}

// block adds a block with a comment above it.
func (w *clusterWriter) block(m *yamltext.Map, key string, value yamltext.Map, comment ...string) {
	if len(comment) > 0 {
		w.comment(w.path+"."+key, comment...)
	}
	value = slices.DeleteFunc(value, func(i yaml.MapItem) bool { return i.Key == nil })
	*m = append(*m, yaml.MapItem{Key: key, Value: value})
}

func (w *clusterWriter) exchange(s *Side) yamltext.Map {
	var m yamltext.Map
	w.block(&m, "rollsite", rollsiteItems(s),
		"The gateway between the parties. Several addresses are several exchanges with the same routes.")
	return m
}

func (w *clusterWriter) party(s *Side) yamltext.Map {
	m := yamltext.Map{yamltext.Item("partyid", s.PartyID)}
	spark := s.FateFlow.DefaultEngines == "spark"
	if !spark {
		w.block(&m, "rollsite", rollsiteItems(s), "The gateway to the other parties.")
		manager := append(modulesItems(s.ClusterManager.Enable, s.ClusterManager.IPs),
			yamltext.Item("port", s.ClusterManager.Port))
		if w.c.chosen(s, "clustermanager.cores_per_node", s.ClusterManager.CoresPerNode, defaultCoresPerNode) {
			manager = append(manager, yamltext.Item("cores_per_node", s.ClusterManager.CoresPerNode))
		}
		w.block(&m, "clustermanager", manager,
			"cores_per_node times the number of nodemanagers is what FATE-Flow hands out to jobs; left out, it "+
				"follows the host.")
		w.block(&m, "nodemanager", append(modulesItems(s.NodeManager.Enable, s.NodeManager.IPs),
			yamltext.Item("port", s.NodeManager.Port)),
			"Runs the workers; may be on several hosts.")
		eggroll := yamltext.Map{yamltext.Item("dbname", s.Eggroll.DBName)}
		if w.c.chosen(s, "eggroll.egg", s.Eggroll.Egg, DefaultEgg) {
			eggroll = append(eggroll, yamltext.Item("egg", s.Eggroll.Egg))
		}
		w.block(&m, "eggroll", eggroll, "egg: worker processes per session and node; left out, it is cores * 0.8 / 3.")
	}
	w.block(&m, "fate_flow", flowItems(s), "Several addresses give high availability; it then needs zk and nginx.")
	w.block(&m, "fateboard", append(modulesItems(s.FateBoard.Enable, s.FateBoard.IPs),
		yamltext.Item("port", s.FateBoard.Port), yamltext.Item("dbname", s.FateBoard.DBName), yamltext.Item("user",
			s.FateBoard.User),
		secretItem("passwd", s.Secrets.FateBoardAdmin)))
	database := append(yamltext.Map{yamltext.Item("enable", s.MySQL.Enable), yamltext.Item("type", s.MySQL.Type),
		yamltext.Item("ips", yamltext.Texts(s.MySQL.IPs))},
		yamltext.Item("port", s.MySQL.Port), yamltext.Item("dbuser", s.MySQL.User), secretItem("dbpasswd",
			s.Secrets.MySQLUser))
	if s.MySQL.BinaryLog {
		database = append(database, yamltext.Item("binary_log", true))
	}
	if s.MySQL.PerformanceSchema {
		database = append(database, yamltext.Item("performance_schema", true))
	}
	w.block(&m, "mysql", database,
		"type: outside uses an existing server; secrets.mysql_root is then its administrator's password.")
	if s.ZK.Enable {
		w.block(&m, "zk", zooKeeperItems(s), "The registry of several FATE-Flows. type: outside uses existing servers.")
	}
	if s.Nginx.Enable {
		w.block(&m, "nginx", nginxItems(s),
			"In front of several FATE-Flows. host: an address that moves between several ips.")
	}
	w.block(&m, "servings", yamltext.Map{yamltext.Item("ips", yamltext.Texts(s.Servings.IPs)),
		yamltext.Item("port", s.Servings.Port)},
		"FATE-Serving, where trained models can be published to.")
	if s.ModelStore.Enable {
		w.block(&m, "model_store", yamltext.Map{yamltext.Item("enable", true),
			yamltext.Item("storage", s.ModelStore.Storage)},
			"Trained models, for all FATE-Flows.")
	}
	if spark {
		w.spark(&m, s)
	}
	if !s.Secrets.MySQLRoot.IsZero() {
		w.block(&m, "secrets", yamltext.Map{secretItem("mysql_root", s.Secrets.MySQLRoot)},
			"Passwords that are left out are generated during installation and kept on the host.")
	}
	return m
}

func (w *clusterWriter) spark(m *yamltext.Map, s *Side) {
	w.block(m, "spark", yamltext.Map{
		yamltext.Item("enable", s.Spark.Enable), yamltext.Item("home", s.Spark.Home), yamltext.Item("hadoop_home",
			s.Spark.HadoopHome),
		yamltext.Item("cores_per_node", s.Spark.CoresPerNode), yamltext.Item("nodes", s.Spark.Nodes),
	})
	w.block(m, "hive", yamltext.Map{
		yamltext.Item("enable", s.Hive.Enable), yamltext.Item("host", s.Hive.Host), yamltext.Item("port", s.Hive.Port),
		yamltext.Item("auth", s.Hive.Auth),
		yamltext.Item("username", s.Hive.User), secretItem("password", s.Hive.Password),
	})
	w.block(m, "hdfs", yamltext.Map{yamltext.Item("enable", s.HDFS.Enable), yamltext.Item("name_node", s.HDFS.NameNode),
		yamltext.Item("path_prefix", s.HDFS.PathPrefix)})
	w.block(m, "rabbitmq", yamltext.Map{
		yamltext.Item("enable", s.RabbitMQ.Enable), yamltext.Item("host", s.RabbitMQ.Host), yamltext.Item("mng_port",
			s.RabbitMQ.MngPort),
		yamltext.Item("port", s.RabbitMQ.Port),
		yamltext.Item("user", s.RabbitMQ.User), secretItem("password", s.RabbitMQ.Password),
		yamltext.Item("route_table", queueItems(s.RabbitMQ.RouteTable)),
	})
	w.block(m, "pulsar", yamltext.Map{
		yamltext.Item("enable", s.Pulsar.Enable), yamltext.Item("host", s.Pulsar.Host), yamltext.Item("port",
			s.Pulsar.Port),
		yamltext.Item("mng_port", s.Pulsar.MngPort),
		yamltext.Item("topic_ttl", s.Pulsar.TopicTTL), yamltext.Item("route_table", queueItems(s.Pulsar.RouteTable)),
	})
}

// chosen reports whether a size that otherwise follows the host was given by the operator.
func (c *Cluster) chosen(s *Side, key string, value, standard int) bool {
	return c.written("%s.%s", s.Role, key) || value != standard
}

func modulesItems(enable bool, ips []string) yamltext.Map {
	return yamltext.Map{yamltext.Item("enable", enable), yamltext.Item("ips", yamltext.Texts(ips))}
}

// secretItem is left out of its block when the secret is generated during installation.
func secretItem(key string, s Secret) yaml.MapItem {
	if s.IsZero() {
		return yaml.MapItem{}
	}
	return yamltext.Item(key, s.Reveal())
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

func flowItems(s *Side) yamltext.Map {
	f := s.FateFlow
	m := append(modulesItems(f.Enable, f.IPs),
		yamltext.Item("grpcPort", f.GRPCPort), yamltext.Item("httpPort", f.HTTPPort), yamltext.Item("dbname",
			f.DBName), yamltext.Item("proxy", f.Proxy))
	if f.AppKey != "" {
		m = append(m, yamltext.Item("http_app_key", f.AppKey), secretItem("http_secret_key", f.SecretKey))
	}
	m = append(m, yamltext.Item("use_deserialize_safe_module", f.SafeModule),
		yamltext.Item("default_engines", f.DefaultEngines))
	if f.DefaultEngines == "spark" {
		m = append(m, yamltext.Item("federation", f.Federation), yamltext.Item("storage", f.Storage))
	}
	if len(f.JobDefaults) > 0 {
		var defaults yamltext.Map
		for _, d := range jobDefaults {
			if value := f.JobDefaults[d.key]; value != "" {
				defaults = append(defaults, yamltext.Item(d.key, d.kind.yaml(value)))
			}
		}
		m = append(m, yamltext.Item("job_defaults", defaults))
	}
	return m
}

func zooKeeperItems(s *Side) yamltext.Map {
	var lists []any
	for _, e := range s.ZK.Lists {
		lists = append(lists, yamltext.Map{yamltext.Item("ip", e.IP), yamltext.Item("port", e.Port)})
	}
	return yamltext.Map{
		yamltext.Item("enable", true), yamltext.Item("type", s.ZK.Type), yamltext.Item("lists", lists),
		yamltext.Item("use_acl", s.ZK.UseACL),
		yamltext.Item("user", s.ZK.User), secretItem("passwd", s.Secrets.ZooKeeper),
	}
}

func nginxItems(s *Side) yamltext.Map {
	m := yamltext.Map{yamltext.Item("enable", true), yamltext.Item("type", s.Nginx.Type)}
	if len(s.Nginx.IPs) > 0 {
		m = append(m, yamltext.Item("ips", yamltext.Texts(s.Nginx.IPs)))
	}
	if s.Nginx.Host != "" {
		m = append(m, yamltext.Item("host", s.Nginx.Host))
	}
	return append(m, yamltext.Item("http_port", s.Nginx.HTTPPort), yamltext.Item("grpc_port", s.Nginx.GRPCPort))
}

func queueItems(table []MQRoutes) []any {
	out := []any{}
	for _, p := range table {
		var routes []any
		for _, e := range p.Routes {
			routes = append(routes, yamltext.Map{yamltext.Item("ip", e.IP), yamltext.Item("port", e.Port)})
		}
		out = append(out, yamltext.Map{yamltext.Item("id", yamltext.Plain(p.ID)), yamltext.Item("routes", routes)})
	}
	return out
}
