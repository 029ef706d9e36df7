package fate

import (
	"fmt"
	"slices"

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
	var top yamlMap
	w.comment("$", title,
		"Keys and meanings are AnsibleFATE's. A value that is left out has its default: fate-installer config show "+
			"--origins")
	if c.Install.Base != "" && c.Install.Base != defaultBase {
		top = append(top, item("base", c.Install.Base))
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

func (w *clusterWriter) encode(top yamlMap) ([]byte, error) {
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
func (w *clusterWriter) block(m *yamlMap, key string, value yamlMap, comment ...string) {
	if len(comment) > 0 {
		w.comment(w.path+"."+key, comment...)
	}
	value = slices.DeleteFunc(value, func(i yaml.MapItem) bool { return i.Key == nil })
	*m = append(*m, yaml.MapItem{Key: key, Value: value})
}

func (w *clusterWriter) exchange(s *Side) yamlMap {
	var m yamlMap
	w.block(&m, "rollsite", rollsiteItems(s),
		"The gateway between the parties. Several addresses are several exchanges with the same routes.")
	return m
}

func (w *clusterWriter) party(s *Side) yamlMap {
	m := yamlMap{item("partyid", s.PartyID)}
	spark := s.FateFlow.DefaultEngines == "spark"
	if !spark {
		w.block(&m, "rollsite", rollsiteItems(s), "The gateway to the other parties.")
		manager := append(modulesItems(s.ClusterManager.Enable, s.ClusterManager.IPs),
			item("port", s.ClusterManager.Port))
		if w.c.chosen(s, "clustermanager.cores_per_node", s.ClusterManager.CoresPerNode, defaultCoresPerNode) {
			manager = append(manager, item("cores_per_node", s.ClusterManager.CoresPerNode))
		}
		w.block(&m, "clustermanager", manager,
			"cores_per_node times the number of nodemanagers is what FATE-Flow hands out to jobs; left out, it "+
				"follows the host.")
		w.block(&m, "nodemanager", append(modulesItems(s.NodeManager.Enable, s.NodeManager.IPs),
			item("port", s.NodeManager.Port)),
			"Runs the workers; may be on several hosts.")
		eggroll := yamlMap{item("dbname", s.Eggroll.DBName)}
		if w.c.chosen(s, "eggroll.egg", s.Eggroll.Egg, defaultEgg) {
			eggroll = append(eggroll, item("egg", s.Eggroll.Egg))
		}
		w.block(&m, "eggroll", eggroll, "egg: worker processes per session and node; left out, it is cores * 0.8 / 3.")
	}
	w.block(&m, "fate_flow", flowItems(s), "Several addresses give high availability; it then needs zk and nginx.")
	w.block(&m, "fateboard", append(modulesItems(s.FateBoard.Enable, s.FateBoard.IPs),
		item("port", s.FateBoard.Port), item("dbname", s.FateBoard.DBName), item("user", s.FateBoard.User),
		secretItem("passwd", s.Secrets.FateBoardAdmin)))
	database := append(yamlMap{item("enable", s.MySQL.Enable), item("type", s.MySQL.Type),
		item("ips", texts(s.MySQL.IPs))},
		item("port", s.MySQL.Port), item("dbuser", s.MySQL.User), secretItem("dbpasswd", s.Secrets.MySQLUser))
	if s.MySQL.BinaryLog {
		database = append(database, item("binary_log", true))
	}
	if s.MySQL.PerformanceSchema {
		database = append(database, item("performance_schema", true))
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
	w.block(&m, "servings", yamlMap{item("ips", texts(s.Servings.IPs)), item("port", s.Servings.Port)},
		"FATE-Serving, where trained models can be published to.")
	if s.ModelStore.Enable {
		w.block(&m, "model_store", yamlMap{item("enable", true), item("storage", s.ModelStore.Storage)},
			"Trained models, for all FATE-Flows.")
	}
	if spark {
		w.spark(&m, s)
	}
	if !s.Secrets.MySQLRoot.IsZero() {
		w.block(&m, "secrets", yamlMap{secretItem("mysql_root", s.Secrets.MySQLRoot)},
			"Passwords that are left out are generated during installation and kept on the host.")
	}
	return m
}

func (w *clusterWriter) spark(m *yamlMap, s *Side) {
	w.block(m, "spark", yamlMap{
		item("enable", s.Spark.Enable), item("home", s.Spark.Home), item("hadoop_home", s.Spark.HadoopHome),
		item("cores_per_node", s.Spark.CoresPerNode), item("nodes", s.Spark.Nodes),
	})
	w.block(m, "hive", yamlMap{
		item("enable", s.Hive.Enable), item("host", s.Hive.Host), item("port", s.Hive.Port), item("auth", s.Hive.Auth),
		item("username", s.Hive.User), secretItem("password", s.Hive.Password),
	})
	w.block(m, "hdfs", yamlMap{item("enable", s.HDFS.Enable), item("name_node", s.HDFS.NameNode),
		item("path_prefix", s.HDFS.PathPrefix)})
	w.block(m, "rabbitmq", yamlMap{
		item("enable", s.RabbitMQ.Enable), item("host", s.RabbitMQ.Host), item("mng_port", s.RabbitMQ.MngPort),
		item("port", s.RabbitMQ.Port),
		item("user", s.RabbitMQ.User), secretItem("password", s.RabbitMQ.Password),
		item("route_table", queueItems(s.RabbitMQ.RouteTable)),
	})
	w.block(m, "pulsar", yamlMap{
		item("enable", s.Pulsar.Enable), item("host", s.Pulsar.Host), item("port", s.Pulsar.Port),
		item("mng_port", s.Pulsar.MngPort),
		item("topic_ttl", s.Pulsar.TopicTTL), item("route_table", queueItems(s.Pulsar.RouteTable)),
	})
}

// chosen reports whether a size that otherwise follows the host was given by the operator.
func (c *Cluster) chosen(s *Side, key string, value, standard int) bool {
	return c.written("%s.%s", s.Role, key) || value != standard
}

func modulesItems(enable bool, ips []string) yamlMap {
	return yamlMap{item("enable", enable), item("ips", texts(ips))}
}

// secretItem is left out of its block when the secret is generated during installation.
func secretItem(key string, s Secret) yaml.MapItem {
	if s.IsZero() {
		return yaml.MapItem{}
	}
	return item(key, s.Reveal())
}

func rollsiteItems(s *Side) yamlMap {
	r := s.Rollsite
	m := yamlMap{
		item("enable", r.Enable), item("coordinator", r.Coordinator), item("ips", texts(r.IPs)), item("port", r.Port),
		item("secure_port", r.SecurePort),
		item("server_secure", r.ServerSecure), item("client_secure", r.ClientSecure),
	}
	if r.ClientAuth {
		m = append(m, item("client_auth", true))
	}
	if len(r.PublicNames) > 0 {
		m = append(m, item("public_names", texts(r.PublicNames)))
	}
	if r.MaxMemory != "" {
		m = append(m, item("max_memory", r.MaxMemory))
	}
	polling := yamlMap{item("enable", r.Polling.Enable)}
	if len(r.Polling.IDs) > 0 {
		polling = append(polling, item("ids", r.Polling.IDs))
	}
	m = append(m, item("polling", polling), secretItem("route_table_key", s.Secrets.RouteTableKey))
	var tables []any
	for _, p := range r.RouteTables {
		var routes []any
		for _, route := range p.Routes {
			entry := yamlMap{item("name", route.Name), item("ip", route.IP), item("port", route.Port)}
			if route.Name == routeDefault {
				entry = append(entry, item("is_secure", route.IsSecure))
			}
			routes = append(routes, entry)
		}
		tables = append(tables, yamlMap{item("id", plainYAML(p.ID)), item("routes", routes)})
	}
	return append(m, item("route_tables", tables))
}

func flowItems(s *Side) yamlMap {
	f := s.FateFlow
	m := append(modulesItems(f.Enable, f.IPs),
		item("grpcPort", f.GRPCPort), item("httpPort", f.HTTPPort), item("dbname", f.DBName), item("proxy", f.Proxy))
	if f.AppKey != "" {
		m = append(m, item("http_app_key", f.AppKey), secretItem("http_secret_key", f.SecretKey))
	}
	m = append(m, item("use_deserialize_safe_module", f.SafeModule), item("default_engines", f.DefaultEngines))
	if f.DefaultEngines == "spark" {
		m = append(m, item("federation", f.Federation), item("storage", f.Storage))
	}
	if len(f.JobDefaults) > 0 {
		var defaults yamlMap
		for _, d := range jobDefaults {
			if value := f.JobDefaults[d.key]; value != "" {
				defaults = append(defaults, item(d.key, d.kind.yaml(value)))
			}
		}
		m = append(m, item("job_defaults", defaults))
	}
	return m
}

func zooKeeperItems(s *Side) yamlMap {
	var lists []any
	for _, e := range s.ZK.Lists {
		lists = append(lists, yamlMap{item("ip", e.IP), item("port", e.Port)})
	}
	return yamlMap{
		item("enable", true), item("type", s.ZK.Type), item("lists", lists), item("use_acl", s.ZK.UseACL),
		item("user", s.ZK.User), secretItem("passwd", s.Secrets.ZooKeeper),
	}
}

func nginxItems(s *Side) yamlMap {
	m := yamlMap{item("enable", true), item("type", s.Nginx.Type)}
	if len(s.Nginx.IPs) > 0 {
		m = append(m, item("ips", texts(s.Nginx.IPs)))
	}
	if s.Nginx.Host != "" {
		m = append(m, item("host", s.Nginx.Host))
	}
	return append(m, item("http_port", s.Nginx.HTTPPort), item("grpc_port", s.Nginx.GRPCPort))
}

func queueItems(table []MQRoutes) []any {
	out := []any{}
	for _, p := range table {
		var routes []any
		for _, e := range p.Routes {
			routes = append(routes, yamlMap{item("ip", e.IP), item("port", e.Port)})
		}
		out = append(out, yamlMap{item("id", plainYAML(p.ID)), item("routes", routes)})
	}
	return out
}
