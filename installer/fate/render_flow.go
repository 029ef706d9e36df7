package fate

import (
	"strconv"
)

// hasFlowConf reports whether service_conf.yaml belongs on this host: FATE-Flow reads it, and so does FATE's code in
// the workers of a nodemanager.
func (s *Spec) hasFlowConf() bool { return s.Runs(FateFlow) || s.Runs(NodeManager) }

func renderFlow(s *Spec) ([]File, error) {
	if !s.hasFlowConf() {
		return nil, nil
	}
	content, err := encodeYAML(serviceConf(s))
	if err != nil {
		return nil, err
	}
	return []File{{
		Path: s.Layout.ServiceConf(), Content: content, Perm: permSecret, Secret: true,
		Component: "fateflow", Programs: s.running(FateFlow),
	}}, nil
}

func serviceConf(s *Spec) yamlMap {
	side, flow := s.Side, s.Side.FateFlow
	var m yamlMap
	add := func(key string, value any) { m = append(m, item(key, value)) }
	modern := s.Profile.FATE.AtLeast(1, 7)
	if !modern {
		add("work_mode", 1)
	}
	add("use_registry", side.ZK.Enable)
	if flow.SafeModule {
		add("use_deserialize_safe_module", true)
	}
	add("dependent_distribution", flow.DefaultEngines == "spark" && side.Spark.Home != "")
	add("encrypt_password", false)
	add("encrypt_module", "fate_arch.common.encrypt_utils#pwdecrypt")
	add("private_key_file", "private_key.pem")
	add("private_key", nil)
	if modern {
		add("party_id", side.PartyID)
		addSecurity(&m, side)
	}
	add("fateflow", flowBlock(s))
	add("database", yamlMap{
		item("name", flow.DBName), item("user", side.MySQL.User), item("passwd", s.databasePassword()),
		item("host", first(side.MySQL.IPs)), item("port", side.MySQL.Port),
		item("max_connections", 100), item("stale_timeout", 30),
	})
	add("zookeeper", zookeeperBlock(s))
	if modern {
		add("default_engines", enginesBlock(side))
	}
	addEngine(&m, s)
	add("fateboard", yamlMap{item("host", first(side.FateBoard.IPs)), item("port", side.FateBoard.Port)})
	add("enable_model_store", side.ModelStore.Enable)
	add("model_store_address", modelStoreBlock(s))
	add("servings", yamlMap{item("hosts", servingHosts(side))})
	add("fatemanager", yamlMap{item("host", "127.0.0.1"), item("port", 8001), item("federatedId", 0)})
	return m
}

func addSecurity(m *yamlMap, side *Side) {
	const hooks = "fate_flow.hook.flow."
	*m = append(*m,
		item("hook_module", yamlMap{
			item("client_authentication", hooks+"client_authentication"),
			item("site_authentication", hooks+"site_authentication"),
			item("permission", hooks+"permission"),
		}),
		item("hook_server_name", nil),
		item("authentication", yamlMap{
			item("client", yamlMap{
				item("switch", side.FateFlow.AppKey != "" && !side.FateFlow.SecretKey.IsZero()),
				item("http_app_key", side.FateFlow.AppKey),
				item("http_secret_key", side.FateFlow.SecretKey.Reveal()),
			}),
			item("site", yamlMap{item("switch", false)}),
		}),
		item("permission", yamlMap{item("switch", false), item("component", false), item("dataset", false)}),
	)
}

// flowHost is the address FATE-Flow binds on this host. It has to be a real address of the machine.
func (s *Spec) flowHost() string {
	if s.Runs(FateFlow) {
		return s.IP
	}
	return first(s.Side.FateFlow.IPs)
}

func flowBlock(s *Spec) yamlMap {
	side, flow := s.Side, s.Side.FateFlow
	m := yamlMap{item("host", s.flowHost()), item("http_port", flow.HTTPPort), item("grpc_port", flow.GRPCPort)}
	if side.Nginx.Enable { // used only for the address under which a model can be fetched
		m = append(m, item("nginx", yamlMap{
			item("host", side.Nginx.entry()), item("http_port", side.Nginx.HTTPPort),
			item("grpc_port", side.Nginx.GRPCPort),
		}))
	}
	m = append(m, item("proxy", flowProxy(s)))
	if s.Profile.FATE.AtLeast(1, 7) {
		m = append(m, item("protocol", "default"))
	}
	return m
}

// flowProxy is the proxy of FATE-Flow's calls to other parties. Without rollsite and nginx it calls the other
// party's FATE-Flow itself; upstream's template writes the own address there.
func flowProxy(s *Spec) any {
	flow := s.Side.FateFlow
	peer := s.peer()
	if flow.Proxy != "fateflow" || peer == nil {
		return text(flow.Proxy)
	}
	return yamlMap{
		item("name", "fateflow"), item("host", first(peer.FateFlow.IPs)),
		item("http_port", peer.FateFlow.HTTPPort), item("grpc_port", peer.FateFlow.GRPCPort),
	}
}

// peer is the other party of a cluster of two, or nil when the cluster file does not describe it.
func (s *Spec) peer() *Side {
	switch s.Role {
	case RoleHost:
		return s.Cluster.Guest
	case RoleGuest:
		return s.Cluster.Host
	}
	return nil
}

func zookeeperBlock(s *Spec) yamlMap {
	zk := s.Side.ZK
	hosts := []any{}
	if zk.Enable {
		for _, e := range zk.Lists {
			hosts = append(hosts, text(e.IP+":"+strconv.Itoa(e.Port)))
		}
	}
	password := ""
	if s.Runs(FateFlow) {
		password = s.Secrets.ZooKeeper.Reveal()
	}
	return yamlMap{item("hosts", hosts), item("use_acl", zk.UseACL), item("user", zk.User), item("password", password)}
}

func enginesBlock(side *Side) yamlMap {
	flow := side.FateFlow
	if flow.DefaultEngines == "spark" {
		return yamlMap{item("computing", "spark"), item("federation", flow.Federation), item("storage", flow.Storage)}
	}
	e := flow.DefaultEngines
	return yamlMap{item("computing", e), item("federation", e), item("storage", e)}
}

func addEngine(m *yamlMap, s *Spec) {
	side := s.Side
	nodes, perNode := side.pool()
	switch side.FateFlow.DefaultEngines {
	case "standalone":
		*m = append(*m, item("fate_on_standalone",
			yamlMap{item("standalone", yamlMap{item("cores_per_node", perNode), item("nodes", nodes)})}))
	case "spark":
		*m = append(*m, item("fate_on_spark", sparkBlock(s)))
	}
	if side.FateFlow.DefaultEngines == "eggroll" {
		*m = append(*m, item("fate_on_eggroll", yamlMap{
			item("clustermanager", yamlMap{
				item("cores_per_node", perNode), item("nodes", nodes),
			}),
			item("rollsite", yamlMap{item("host", s.rollsiteHost()), item("port", side.Rollsite.Port)}),
		}))
	}
}

func sparkBlock(s *Spec) yamlMap {
	side := s.Side
	nodes, perNode := side.pool()
	m := yamlMap{item("spark", yamlMap{item("home", side.Spark.Home), item("cores_per_node", perNode),
		item("nodes", nodes)})}
	if side.Hive.Enable {
		m = append(m, item("hive", yamlMap{ // FATE reads auth_mechanism; upstream's template writes auth
			item("host", side.Hive.Host), item("port", side.Hive.Port), item("auth_mechanism", side.Hive.Auth),
			item("username", side.Hive.User), item("password", side.Hive.Password.Reveal()),
		}))
	}
	if side.HDFS.Enable {
		m = append(m, item("hdfs", yamlMap{item("name_node", side.HDFS.NameNode),
			item("path_prefix", side.HDFS.PathPrefix)}))
	}
	if side.RabbitMQ.Enable {
		m = append(m, item("rabbitmq", yamlMap{
			item("host", side.RabbitMQ.Host), item("mng_port", side.RabbitMQ.MngPort), item("port", side.RabbitMQ.Port),
			item("user", side.RabbitMQ.User), item("password", side.RabbitMQ.Password.Reveal()),
			item("route_table", nil),
		}))
	}
	if side.Pulsar.Enable {
		m = append(m, item("pulsar", yamlMap{
			item("host", side.Pulsar.Host), item("port", side.Pulsar.Port), item("mng_port", side.Pulsar.MngPort),
			item("topic_ttl", side.Pulsar.TopicTTL), item("route_table", nil),
		}))
	}
	if side.Nginx.Enable {
		if s.Profile.FATE.AtLeast(1, 7) {
			return append(m, item("nginx", yamlMap{
				item("host", side.Nginx.entry()), item("http_port", side.Nginx.HTTPPort),
				item("grpc_port", side.Nginx.GRPCPort),
			}))
		}
		return append(m, item("nginx", yamlMap{item("host", side.Nginx.entry()), item("port", side.Nginx.HTTPPort)}))
	}
	return m
}

// modelStoreBlock uses the words of the FATE-Flow that reads it: with the wrong one an upload ends in a KeyError.
func modelStoreBlock(s *Spec) yamlMap {
	side := s.Side
	database, password := "database", "password"
	switch {
	case !s.Profile.Flow.AtLeast(1, 7):
		database, password = "name", "passwd"
	case !s.Profile.Flow.AtLeast(1, 9):
		password = "passwd"
	}
	return yamlMap{
		item("storage", side.ModelStore.Storage), item(database, side.FateFlow.DBName), item("user", side.MySQL.User),
		item(password, s.databasePassword()), item("host", first(side.MySQL.IPs)), item("port", side.MySQL.Port),
		item("max_connections", 10), item("stale_timeout", 10),
	}
}

func servingHosts(side *Side) []any {
	hosts := []any{}
	for _, ip := range side.Servings.IPs {
		hosts = append(hosts, text(ip+":"+strconv.Itoa(side.Servings.Port)))
	}
	return hosts
}
