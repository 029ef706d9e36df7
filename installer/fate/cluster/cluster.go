package cluster

import "fate-installer/installer/problem"

// Cluster is everything an operator wrote, of every side, with defaults filled in and checked as far as one can
// without choosing a host. The yaml tags are the schema of the cluster file; keys that AnsibleFATE does not have are
// marked "ours".
type Cluster struct {
	Host     *Side
	Guest    *Side
	Exchange *Side
	Install  Install
	OS       OS
	Heal     Heal

	origins  map[string]problem.Pos // dotted path of a value -> where it was written
	failed   map[string]bool        // paths whose value could not be read: no follow-up complaints about them
	problems problem.Problems       // what stands against DefaultCluster's arguments
	notes    problem.Problems
	versions map[string]string // versions that fate_init names, by path
}

// Heal are repairs that stop work in progress, and so are made only where the cluster file asks for them: the keys of
// heal:, which are ours.
type Heal struct {
	// FateFlow restarts a FATE-Flow that has had no free worker for two minutes. Its running jobs fail.
	FateFlow bool `yaml:"fate_flow"`
}

// Side returns the side of a role, or nil.
func (c *Cluster) Side(r Role) *Side {
	switch r {
	case RoleHost:
		return c.Host
	case RoleGuest:
		return c.Guest
	case RoleExchange:
		return c.Exchange
	}
	return nil
}

// Sides returns the sides that exist, in the order of Roles.
func (c *Cluster) Sides() []*Side {
	var out []*Side
	for _, r := range Roles {
		if s := c.Side(r); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// Notes are remarks about values that are honoured differently than upstream would, for example a published default
// password. They never stop an installation.
func (c *Cluster) Notes() problem.Problems { return c.notes.Sorted() }

// Origin tells where the value at a dotted path such as "host.rollsite.port" was written; ok is false for a default.
func (c *Cluster) Origin(path string) (problem.Pos, bool) {
	p, ok := c.origins[path]
	return p, ok
}

// Side is one party or the exchange. A Side of the exchange has only a rollsite.
type Side struct {
	Role           Role           `yaml:"-"`
	PartyID        int            `yaml:"partyid"`
	IP             string         `yaml:"ip"` // ours: address of every module that names none
	Rollsite       RollsiteConf   `yaml:"rollsite"`
	ClusterManager ManagerConf    `yaml:"clustermanager"`
	NodeManager    NodeConf       `yaml:"nodemanager"`
	Eggroll        EggrollConf    `yaml:"eggroll"`
	FateFlow       FlowConf       `yaml:"fate_flow"`
	FateBoard      BoardConf      `yaml:"fateboard"`
	MySQL          MySQLConf      `yaml:"mysql"`
	ZK             ZooKeeperConf  `yaml:"zk"`
	Nginx          NginxConf      `yaml:"nginx"`
	Servings       ServingsConf   `yaml:"servings"`
	ModelStore     ModelStoreConf `yaml:"model_store"`
	Spark          SparkConf      `yaml:"spark"`
	Hive           HiveConf       `yaml:"hive"`
	HDFS           HDFSConf       `yaml:"hdfs"`
	RabbitMQ       RabbitMQConf   `yaml:"rabbitmq"`
	Pulsar         PulsarConf     `yaml:"pulsar"`
	Secrets        SecretsConf    `yaml:"secrets"` // ours
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

// PollingConf lets a party open all connections itself; the exchange is the server.
type PollingConf struct {
	Enable bool  `yaml:"enable"`
	IDs    []int `yaml:"ids"` // exchange: parties that fetch their messages
	ID     int   `yaml:"id"`  // 1.5: the one such party
}

// PartyRoutes is one entry of a route table.
type PartyRoutes struct {
	At     string  `yaml:"-"`  // dotted path it was read from
	ID     string  `yaml:"id"` // party id or "default"
	Routes []Route `yaml:"routes"`
}

// PartyRules is PartyRoutes in the words of 1.5.
type PartyRules struct {
	At    string  `yaml:"-"`
	ID    string  `yaml:"id"`
	Rules []Route `yaml:"rules"`
}

// Route tells where messages of one name ("default" or "fateflow") for a party go next.
type Route struct {
	At       string `yaml:"-"`
	Name     string `yaml:"name"`
	IP       string `yaml:"ip"` // address or DNS name
	Port     int    `yaml:"port"`
	IsSecure bool   `yaml:"is_secure"`
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

// EggrollConf has the settings that all eggroll processes share.
type EggrollConf struct {
	DBName string `yaml:"dbname"`
	Egg    int    `yaml:"egg"` // worker processes per node and session
}

// FlowConf is FATE-Flow. Several addresses switch high availability on.
type FlowConf struct {
	Enable         bool     `yaml:"enable"`
	IPs            []string `yaml:"ips"`
	GRPCPort       int      `yaml:"grpcPort"`
	HTTPPort       int      `yaml:"httpPort"`
	DBName         string   `yaml:"dbname"`
	Proxy          string   `yaml:"proxy"`
	AppKey         string   `yaml:"http_app_key"`
	SecretKey      Secret   `yaml:"http_secret_key"`
	SafeModule     bool     `yaml:"use_deserialize_safe_module"`
	DefaultEngines string   `yaml:"default_engines"`
	Federation     string   `yaml:"federation"` // spark
	Storage        string   `yaml:"storage"`    // spark

	JobDefaults map[string]string `yaml:"job_defaults"` // ours: what jobs get that do not say otherwise
}

// BoardConf is FATE-Board.
type BoardConf struct {
	Enable   bool     `yaml:"enable"`
	IPs      []string `yaml:"ips"`
	Port     int      `yaml:"port"`
	DBName   string   `yaml:"dbname"`
	User     string   `yaml:"user"`   // ours: web login
	Password Secret   `yaml:"passwd"` // ours
}

// MySQLConf is the database server of a party.
type MySQLConf struct {
	Enable   bool     `yaml:"enable"`
	Type     string   `yaml:"type"` // inside or outside
	IPs      []string `yaml:"ips"`
	Port     int      `yaml:"port"`
	User     string   `yaml:"dbuser"`
	Password Secret   `yaml:"dbpasswd"`

	// BinaryLog keeps binary logs of a server of ours for a week, for those who replicate it or restore to a point in
	// time.
	BinaryLog bool `yaml:"binary_log"`

	// PerformanceSchema has a server of ours collect statistics about its statements, for who looks for slow ones.
	PerformanceSchema bool `yaml:"performance_schema"`
}

// Ours reports whether the server is installed with the side. One that is not is used like an outside one.
func (m MySQLConf) Ours() bool { return m.Enable && m.Type == "inside" }

// ZooKeeperConf is the registry of FATE-Flow.
type ZooKeeperConf struct {
	Enable    bool       `yaml:"enable"`
	Lists     []Endpoint `yaml:"lists"`
	Type      string     `yaml:"type"` // ours: inside or outside, as for mysql
	UseACL    bool       `yaml:"use_acl"`
	User      string     `yaml:"user"`
	Password  Secret     `yaml:"passwd"`
	AdminPort int        `yaml:"admin_port"` // ours
}

// Endpoint is an address and port.
type Endpoint struct {
	At   string `yaml:"-"`
	IP   string `yaml:"ip"`
	Port int    `yaml:"port"`
}

// NginxConf is the balancer in front of several FATE-Flows, or the proxy of the spark engine.
type NginxConf struct {
	Enable   bool     `yaml:"enable"`
	Type     string   `yaml:"type"` // ours: inside or outside
	IPs      []string `yaml:"ips"`  // ours
	Host     string   `yaml:"host"`
	HTTPPort int      `yaml:"http_port"`
	GRPCPort int      `yaml:"grpc_port"`
}

// ServingsConf lists FATE-Serving instances.
type ServingsConf struct {
	IPs  []string `yaml:"ips"`
	Port int      `yaml:"port"`
}

// ModelStoreConf keeps trained models outside the host that trained them.
type ModelStoreConf struct {
	Enable  bool   `yaml:"enable"`
	Storage string `yaml:"storage"`
}

// SparkConf is the computing engine spark, which must exist beforehand.
type SparkConf struct {
	Enable       bool   `yaml:"enable"`
	Home         string `yaml:"home"`
	HadoopHome   string `yaml:"hadoop_home"`
	CoresPerNode int    `yaml:"cores_per_node"`
	Nodes        int    `yaml:"nodes"`
}

// HiveConf is the storage engine hive.
type HiveConf struct {
	Enable        bool   `yaml:"enable"`
	Host          string `yaml:"host"`
	Port          int    `yaml:"port"`
	Auth          string `yaml:"auth"`
	Configuration string `yaml:"configuration"`
	Kerberos      string `yaml:"kerberos_service_name"`
	User          string `yaml:"username"`
	Password      Secret `yaml:"password"`
}

// HDFSConf is the storage engine hdfs.
type HDFSConf struct {
	Enable     bool   `yaml:"enable"`
	NameNode   string `yaml:"name_node"`
	PathPrefix string `yaml:"path_prefix"`
}

// RabbitMQConf is the federation engine rabbitmq.
type RabbitMQConf struct {
	Enable     bool       `yaml:"enable"`
	Host       string     `yaml:"host"`
	MngPort    int        `yaml:"mng_port"`
	Port       int        `yaml:"port"`
	User       string     `yaml:"user"`
	Password   Secret     `yaml:"password"`
	RouteTable []MQRoutes `yaml:"route_table"`
}

// PulsarConf is the federation engine pulsar.
type PulsarConf struct {
	Enable     bool       `yaml:"enable"`
	Host       string     `yaml:"host"`
	Port       int        `yaml:"port"`
	MngPort    int        `yaml:"mng_port"`
	TopicTTL   int        `yaml:"topic_ttl"` // minutes
	RouteTable []MQRoutes `yaml:"route_table"`
}

// MQRoutes is where a party's message queue is.
type MQRoutes struct {
	At     string     `yaml:"-"`
	ID     string     `yaml:"id"`
	Routes []Endpoint `yaml:"routes"`
}

// SecretsConf are passwords given by the operator instead of generated by us.
type SecretsConf struct {
	MySQLRoot      Secret `yaml:"mysql_root"`
	MySQLUser      Secret `yaml:"mysql_user"`
	ZooKeeper      Secret `yaml:"zookeeper"`
	RouteTableKey  Secret `yaml:"route_table_key"`
	FateBoardAdmin Secret `yaml:"fateboard_admin"`
}

// Install has the settings of base_init and fate_init for the installation itself.
type Install struct {
	Base      string
	User      string
	Group     string
	AdminUser string // database administrator
	AdminPass Secret
	SSLRoles  []string
	Version   string // FATE version the files were written for, or blank
}
