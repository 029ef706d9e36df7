package render

import (
	"strconv"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/yamltext"
)

// hasFlowConf reports whether service_conf.yaml belongs on this host: FATE-Flow reads it, and so does FATE's code in
// the workers of a nodemanager.
func hasFlowConf(s *cluster.Spec) bool {
	return s.Runs(cluster.FateFlow) || s.Runs(cluster.NodeManager)
}

func renderFlow(s *cluster.Spec) ([]File, error) {
	if !hasFlowConf(s) {
		return nil, nil
	}
	content, err := yamltext.Encode(serviceConf(s))
	if err != nil {
		return nil, err
	}
	return []File{{
		Path: s.Layout.ServiceConf(), Content: content, Perm: PermSecret, Secret: true,
		Component: "fateflow", Programs: running(s, cluster.FateFlow),
	}}, nil
}

func serviceConf(s *cluster.Spec) yamltext.Map {
	side, flow := s.Side, s.Side.FateFlow
	var m yamltext.Map
	add := func(key string, value any) { m = append(m, yamltext.Item(key, value)) }
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
	add("database", yamltext.Map{
		yamltext.Item("name", flow.DBName), yamltext.Item("user", side.MySQL.User), yamltext.Item("passwd",
			s.DatabasePassword()),
		yamltext.Item("host", cluster.FirstAddress(side.MySQL.IPs)), yamltext.Item("port", side.MySQL.Port),
		yamltext.Item("max_connections", 100), yamltext.Item("stale_timeout", 30),
	})
	add("zookeeper", zookeeperBlock(s))
	if modern {
		add("default_engines", enginesBlock(side))
	}
	addEngine(&m, s)
	add(string(boardModule), boardBlock(side))
	add("enable_model_store", side.ModelStore.Enable)
	add("model_store_address", modelStoreBlock(s))
	add("servings", yamltext.Map{yamltext.Item("hosts", servingHosts(side))})
	add("fatemanager", yamltext.Map{yamltext.Item("host", "127.0.0.1"), yamltext.Item("port", 8001),
		yamltext.Item("federatedId", 0)})
	return m
}

func addSecurity(m *yamltext.Map, side *cluster.Side) {
	const hooks = "fate_flow.hook.flow."
	*m = append(*m,
		yamltext.Item("hook_module", yamltext.Map{
			yamltext.Item("client_authentication", hooks+"client_authentication"),
			yamltext.Item("site_authentication", hooks+"site_authentication"),
			yamltext.Item("permission", hooks+"permission"),
		}),
		yamltext.Item("hook_server_name", nil),
		yamltext.Item("authentication", yamltext.Map{
			yamltext.Item("client", yamltext.Map{
				yamltext.Item("switch", side.FateFlow.AppKey != "" && !side.FateFlow.SecretKey.IsZero()),
				yamltext.Item("http_app_key", side.FateFlow.AppKey),
				yamltext.Item("http_secret_key", side.FateFlow.SecretKey.Reveal()),
			}),
			yamltext.Item("site", yamltext.Map{yamltext.Item("switch", false)}),
		}),
		yamltext.Item("permission", yamltext.Map{yamltext.Item("switch", false), yamltext.Item("component", false),
			yamltext.Item("dataset", false)}),
	)
}

// flowHost is the address FATE-Flow binds on this host. It has to be a real address of the machine.
func flowHost(s *cluster.Spec) string {
	if s.Runs(cluster.FateFlow) {
		return s.IP
	}
	return cluster.FirstAddress(s.Side.FateFlow.IPs)
}

func flowBlock(s *cluster.Spec) yamltext.Map {
	side, flow := s.Side, s.Side.FateFlow
	m := yamltext.Map{yamltext.Item("host", flowHost(s)), yamltext.Item("http_port", flow.HTTPPort),
		yamltext.Item("grpc_port", flow.GRPCPort)}
	if side.Nginx.Enable { // used only for the address under which a model can be fetched
		m = append(m, yamltext.Item("nginx", yamltext.Map{
			yamltext.Item("host", side.Nginx.Entry()), yamltext.Item("http_port", side.Nginx.HTTPPort),
			yamltext.Item("grpc_port", side.Nginx.GRPCPort),
		}))
	}
	m = append(m, yamltext.Item("proxy", flowProxy(s)))
	if s.Profile.FATE.AtLeast(1, 7) {
		m = append(m, yamltext.Item("protocol", "default"))
	}
	return m
}

// flowProxy is the proxy of FATE-Flow's calls to other parties. Without rollsite and nginx it calls the other
// party's FATE-Flow itself; upstream's template writes the own address there.
func flowProxy(s *cluster.Spec) any {
	flow := s.Side.FateFlow
	peer := peer(s)
	if flow.Proxy != "fateflow" || peer == nil {
		return yamltext.Text(flow.Proxy)
	}
	return yamltext.Map{
		yamltext.Item("name", "fateflow"), yamltext.Item("host", cluster.FirstAddress(peer.FateFlow.IPs)),
		yamltext.Item("http_port", peer.FateFlow.HTTPPort), yamltext.Item("grpc_port", peer.FateFlow.GRPCPort),
	}
}

// peer is the other party of a cluster of two, or nil when the cluster file does not describe it.
func peer(s *cluster.Spec) *cluster.Side {
	switch s.Role {
	case cluster.RoleHost:
		return s.Cluster.Guest
	case cluster.RoleGuest:
		return s.Cluster.Host
	}
	return nil
}

func zookeeperBlock(s *cluster.Spec) yamltext.Map {
	zk := s.Side.ZK
	hosts := []any{}
	if zk.Enable {
		for _, e := range zk.Lists {
			hosts = append(hosts, yamltext.Text(e.IP+":"+strconv.Itoa(e.Port)))
		}
	}
	password := ""
	if s.Runs(cluster.FateFlow) {
		password = s.Secrets.ZooKeeper.Reveal()
	}
	return yamltext.Map{yamltext.Item("hosts", hosts), yamltext.Item("use_acl", zk.UseACL),
		yamltext.Item("user", zk.User), yamltext.Item("password", password)}
}

func enginesBlock(side *cluster.Side) yamltext.Map {
	flow := side.FateFlow
	if flow.DefaultEngines == "spark" {
		return yamltext.Map{yamltext.Item("computing", "spark"), yamltext.Item("federation", flow.Federation),
			yamltext.Item("storage", flow.Storage)}
	}
	e := flow.DefaultEngines
	return yamltext.Map{yamltext.Item("computing", e), yamltext.Item("federation", e), yamltext.Item("storage", e)}
}

func addEngine(m *yamltext.Map, s *cluster.Spec) {
	side := s.Side
	nodes, perNode := side.Pool()
	switch side.FateFlow.DefaultEngines {
	case "standalone":
		*m = append(*m, yamltext.Item("fate_on_standalone",
			yamltext.Map{yamltext.Item("standalone", yamltext.Map{yamltext.Item("cores_per_node", perNode),
				yamltext.Item("nodes", nodes)})}))
	case "spark":
		*m = append(*m, yamltext.Item("fate_on_spark", sparkBlock(s)))
	}
	if side.FateFlow.DefaultEngines == "eggroll" {
		*m = append(*m, yamltext.Item("fate_on_eggroll", yamltext.Map{
			yamltext.Item("clustermanager", yamltext.Map{
				yamltext.Item("cores_per_node", perNode), yamltext.Item("nodes", nodes),
			}),
			yamltext.Item("rollsite", yamltext.Map{yamltext.Item("host", rollsiteHost(s)),
				yamltext.Item("port", side.Rollsite.Port)}),
		}))
	}
}

func sparkBlock(s *cluster.Spec) yamltext.Map {
	side := s.Side
	nodes, perNode := side.Pool()
	m := yamltext.Map{yamltext.Item("spark", yamltext.Map{yamltext.Item("home", side.Spark.Home),
		yamltext.Item("cores_per_node", perNode),
		yamltext.Item("nodes", nodes)})}
	if side.Hive.Enable {
		m = append(m, yamltext.Item("hive", yamltext.Map{ // FATE reads auth_mechanism; upstream's template writes auth
			yamltext.Item("host", side.Hive.Host), yamltext.Item("port", side.Hive.Port),
			yamltext.Item("auth_mechanism", side.Hive.Auth),
			yamltext.Item("username", side.Hive.User), yamltext.Item("password", side.Hive.Password.Reveal()),
		}))
	}
	if side.HDFS.Enable {
		m = append(m, yamltext.Item("hdfs", yamltext.Map{yamltext.Item("name_node", side.HDFS.NameNode),
			yamltext.Item("path_prefix", side.HDFS.PathPrefix)}))
	}
	if side.RabbitMQ.Enable {
		m = append(m, yamltext.Item("rabbitmq", yamltext.Map{
			yamltext.Item("host", side.RabbitMQ.Host), yamltext.Item("mng_port", side.RabbitMQ.MngPort),
			yamltext.Item("port", side.RabbitMQ.Port),
			yamltext.Item("user", side.RabbitMQ.User), yamltext.Item("password", side.RabbitMQ.Password.Reveal()),
			yamltext.Item("route_table", nil),
		}))
	}
	if side.Pulsar.Enable {
		m = append(m, yamltext.Item("pulsar", yamltext.Map{
			yamltext.Item("host", side.Pulsar.Host), yamltext.Item("port", side.Pulsar.Port), yamltext.Item("mng_port",
				side.Pulsar.MngPort),
			yamltext.Item("topic_ttl", side.Pulsar.TopicTTL), yamltext.Item("route_table", nil),
		}))
	}
	if side.Nginx.Enable {
		if s.Profile.FATE.AtLeast(1, 7) {
			return append(m, yamltext.Item("nginx", yamltext.Map{
				yamltext.Item("host", side.Nginx.Entry()), yamltext.Item("http_port", side.Nginx.HTTPPort),
				yamltext.Item("grpc_port", side.Nginx.GRPCPort),
			}))
		}
		return append(m, yamltext.Item("nginx", yamltext.Map{yamltext.Item("host", side.Nginx.Entry()),
			yamltext.Item("port", side.Nginx.HTTPPort)}))
	}
	return m
}

// modelStoreBlock uses the words of the FATE-Flow that reads it: with the wrong one an upload ends in a KeyError.
func modelStoreBlock(s *cluster.Spec) yamltext.Map {
	side := s.Side
	database, password := "database", "password"
	switch {
	case !s.Profile.Flow.AtLeast(1, 7):
		database, password = "name", "passwd"
	case !s.Profile.Flow.AtLeast(1, 9):
		password = "passwd"
	}
	return yamltext.Map{
		yamltext.Item("storage", side.ModelStore.Storage), yamltext.Item(database, side.FateFlow.DBName),
		yamltext.Item("user", side.MySQL.User),
		yamltext.Item(password, s.DatabasePassword()), yamltext.Item("host", cluster.FirstAddress(side.MySQL.IPs)),
		yamltext.Item("port", side.MySQL.Port),
		yamltext.Item("max_connections", 10), yamltext.Item("stale_timeout", 10),
	}
}

func servingHosts(side *cluster.Side) []any {
	hosts := []any{}
	for _, ip := range side.Servings.IPs {
		hosts = append(hosts, yamltext.Text(ip+":"+strconv.Itoa(side.Servings.Port)))
	}
	return hosts
}
