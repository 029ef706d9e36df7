package cluster

// Defaults of AnsibleFATE's var files. They are applied before a file is read, so that a value in the file wins.
const (
	defaultBase  = "/data"
	defaultUser  = "app"
	defaultGroup = "apps"

	defaultRollsitePort       = 9370
	defaultRollsiteSecurePort = 9371
	defaultClusterManagerPort = 4670
	defaultNodeManagerPort    = 4671
	defaultFlowGRPCPort       = 9360
	defaultFlowHTTPPort       = 9380
	defaultMySQLPort          = 3306
	DefaultZooKeeperPort      = 2181
	defaultNginxHTTPPort      = 9998 // of upstream's high availability guide
	defaultNginxGRPCPort      = 9999
	sparkNginxHTTPPort        = 9300 // of upstream's spark guide
	sparkNginxGRPCPort        = 9310

	defaultCoresPerNode = 16
	DefaultEgg          = 4

	// ZooKeeper's admin server would take 8080, which is taken.
	defaultZooKeeperAdminPort = 8081
	ZooKeeperQuorumPort       = 2888
	ZooKeeperElectionPort     = 3888
)

// The passwords that AnsibleFATE publishes. A file that has them is honoured, with a note.
const (
	publishedAdminPassword = "fatE168dev"   // #nosec G101 -- published, and looked for in order to warn
	publishedUserPassword  = "fate_deV2999" // #nosec G101 -- published, and looked for in order to warn
	publishedRouteTableKey = "fate"
	publishedBoardPassword = "admin"
)

func (s *Side) setDefaults() {
	for _, e := range moduleTable {
		if e.defaults != nil {
			e.defaults(s)
		}
	}
	s.Eggroll = EggrollConf{DBName: "eggroll_meta", Egg: DefaultEgg}
	s.Servings = ServingsConf{IPs: []string{"127.0.0.1"}, Port: 8000}
	s.ModelStore.Storage = "mysql"
	s.Spark.CoresPerNode = 20
	s.Spark.Nodes = 2
	s.Hive.Host, s.Hive.Port = "127.0.0.1", 10000
	s.RabbitMQ = RabbitMQConf{Host: "127.0.0.1", MngPort: 12345, Port: 5672, User: "fate", Password: NewSecret("fate")}
	s.Pulsar = PulsarConf{Host: "127.0.0.1", Port: 6650, MngPort: 8080, TopicTTL: 5}
}

func (r *RollsiteConf) setDefaults() {
	r.Coordinator = "fate"
	r.Port = defaultRollsitePort
	r.SecurePort = defaultRollsiteSecurePort
}

func (e *exchangeDoc) setDefaults() {
	e.Enable = true
	e.Rollsite.setDefaults()
}
