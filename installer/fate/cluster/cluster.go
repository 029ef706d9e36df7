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

// put gives the cluster a side of its role.
func (c *Cluster) put(s *Side) {
	switch s.Role {
	case RoleHost:
		c.Host = s
	case RoleGuest:
		c.Guest = s
	case RoleExchange:
		c.Exchange = s
	}
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

// Endpoint is an address and port.
type Endpoint struct {
	At   string `yaml:"-"`
	IP   string `yaml:"ip"`
	Port int    `yaml:"port"`
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
