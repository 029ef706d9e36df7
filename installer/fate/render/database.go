package render

import (
	"path"
	"slices"

	"fate-installer/installer/database"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/schema"
)

// Database describes the schemas and accounts that a side needs on its database server.
type Database struct {
	Manage bool   // this host applies it: it runs the server, or is the first of the side that needs an outside one
	Inside bool   // the server is ours: initialise it, set the administrator's password
	Engine string // mysql or mariadb
	Home   string // basedir; this and the following paths are blank when the server is not on this host
	Data   string // datadir
	Config string // my.cnf
	Socket string
	Logs   string // directory of the server's logs
	Host   string // address the server is reached at
	Port   int

	AdminUser     string
	AdminPassword cluster.Secret
	AsService     bool // no administrator of an outside server is named: the service account makes the tables

	Schemas []Schema
	Users   []DatabaseUser
	Nodes   []ServerNode // rows of eggroll's server_node
	NodesDB string       // the schema that holds server_node

	NodesRegister bool // eggroll itself keeps the rows of Nodes: those that lack are added, and no other is touched
}

// Schema is one database.
type Schema struct {
	Name       string
	Charset    string
	ImportFile string // SQL file imported once, or blank
	ImportMark string // table whose existence shows that the import is done
}

// DatabaseUser is an account with every right on some schemas, for one client address.
type DatabaseUser struct {
	Name     string
	Host     string
	Password cluster.Secret
	Schemas  []string
}

// ServerNode is a row by which eggroll finds a node.
type ServerNode struct {
	Host   string
	Port   int
	Type   string // CLUSTER_MANAGER or NODE_MANAGER
	Status string // HEALTHY, or INIT when the node registers itself
}

// Words of eggroll's server_node table.
const (
	nodeClusterManager = "CLUSTER_MANAGER"
	nodeNodeManager    = "NODE_MANAGER"
	nodeHealthy        = "HEALTHY"
	nodeStarting       = "INIT" // of a nodemanager from eggroll 2.5 on that has no ID yet
)

// DatabaseOf computes the database of the side this host belongs to. ok is false for a side without one.
func DatabaseOf(s *cluster.Spec) (db Database, ok bool) {
	side := s.Side
	if s.Role == cluster.RoleExchange || len(side.MySQL.IPs) == 0 {
		return db, false
	}
	db = Database{
		Inside: side.MySQL.Ours(), Engine: s.DatabaseEngine(),
		Host: cluster.FirstAddress(side.MySQL.IPs), Port: side.MySQL.Port,
		AdminUser: s.Cluster.Install.AdminUser, AdminPassword: s.Secrets.MySQLRoot,
	}
	if !db.Inside && side.Secrets.MySQLRoot.IsZero() {
		db.AdminUser, db.AdminPassword, db.AsService = side.MySQL.User, s.Secrets.MySQLUser, true
	}
	if s.Runs(cluster.MySQL) {
		db.Home, db.Data = s.DatabaseHome(), s.Layout.DatabaseData()
		db.Config, db.Socket = DatabaseConf(s), DatabaseSocket(s)
		db.Logs = s.Layout.ComponentLogs("mysql")
	}
	// Our own server's host creates everything. An outside server is reached from every host that needs it: each sees
	// to its own accounts, and the clustermanager's host to eggroll's schema as well.
	db.Manage = s.Runs(cluster.MySQL) || !db.Inside && s.UsesDatabase()
	fillDatabase(s, &db, func(ips []string) []string {
		if db.Inside {
			return ips
		}
		return slices.DeleteFunc(slices.Clone(ips), func(ip string) bool { return ip != s.IP })
	})
	return db, true
}

// fillDatabase adds the schemas and the accounts of the clients that mine leaves of a module's addresses.
func fillDatabase(s *cluster.Spec, db *Database, mine func(ips []string) []string) {
	for _, m := range cluster.Modules() {
		name, clients := s.Database(m), mine(s.Side.AddressesOf(m))
		if name == "" || len(clients) == 0 {
			continue
		}
		switch {
		case m == cluster.ClusterManager:
			db.Schemas = append(db.Schemas, Schema{
				Name: name, Charset: "latin1", // the only one under which the schema's index prefixes fit
				ImportFile: s.Layout.MetaSchema(), ImportMark: "server_node",
			})
			db.addNodes(s.Side, s.Profile.NodesRegister())
		case m == cluster.FateFlow, name != s.Side.FateFlow.DBName:
			db.Schemas = append(db.Schemas, Schema{Name: name, Charset: charsetUTF8})
		}
		db.addUsers(s, name, clients)
	}
}

// charsetUTF8 is the character set of FATE's tables by the name that every server from MySQL 5.7 and MariaDB 10.2 on
// knows in statements; "utf8" is to mean another one some day.
const charsetUTF8 = "utf8mb3"

// addUsers grants the service account a schema from some addresses, and from the server's own host: a client on that
// host that connects through the loopback interface or the socket counts as localhost, and so does the readiness probe.
func (db *Database) addUsers(s *cluster.Spec, schema string, ips []string) {
	hosts := slices.Clone(ips)
	if db.Inside {
		hosts = append(hosts, "localhost", "127.0.0.1")
	}
	for _, host := range hosts {
		i := slices.IndexFunc(db.Users, func(u DatabaseUser) bool { return u.Host == host })
		if i < 0 {
			db.Users = append(db.Users, DatabaseUser{Name: s.Side.MySQL.User, Host: host,
				Password: s.Secrets.MySQLUser})
			i = len(db.Users) - 1
		}
		if !slices.Contains(db.Users[i].Schemas, schema) {
			db.Users[i].Schemas = append(db.Users[i].Schemas, schema)
		}
	}
}

// addNodes lists the rows of nodes that have to be there before eggroll starts. eggroll before 2.5 has no others. From
// 2.5 on a nodemanager registers itself: its first heartbeat adds its row, the second learns the row's ID, and the
// third makes it HEALTHY; they are 10 s apart. Where the row is there, the first heartbeat learns the ID, and the
// readiness probe of the clustermanager makes the node HEALTHY at once. Until then the row says, as eggroll's own
// would, that the node is starting.
func (db *Database) addNodes(side *cluster.Side, register bool) {
	db.NodesDB, db.NodesRegister = side.Eggroll.DBName, register
	if register {
		for _, ip := range side.NodeManager.IPs {
			db.Nodes = append(db.Nodes, ServerNode{ip, side.NodeManager.Port, nodeNodeManager, nodeStarting})
		}
		return
	}
	for _, ip := range side.ClusterManager.IPs {
		db.Nodes = append(db.Nodes, ServerNode{ip, side.ClusterManager.Port, nodeClusterManager, nodeHealthy})
	}
	for _, ip := range side.NodeManager.IPs {
		db.Nodes = append(db.Nodes, ServerNode{ip, side.NodeManager.Port, nodeNodeManager, nodeHealthy})
	}
}

// SchemaUpgrades lists the databases whose tables this host sees to, each with the release that is installed here and
// the service account, and without the address of the server. Releases whose tables are not known are left out.
func SchemaUpgrades(s *cluster.Spec) []database.SchemaUpgrade {
	db, ok := DatabaseOf(s)
	if !ok || !s.Runs(cluster.MySQL) && db.Inside {
		return nil
	}
	return schemas(s, db.Inside || s.Runs(cluster.ClusterManager), db.Inside || s.Runs(cluster.FateFlow))
}

// SchemasElsewhere is SchemaUpgrades for the databases that programs of this host use and another host sees to.
func SchemasElsewhere(s *cluster.Spec) []database.SchemaUpgrade {
	db, ok := DatabaseOf(s)
	if !ok || s.Runs(cluster.MySQL) || !db.Inside {
		return nil
	}
	return schemas(s, s.Runs(cluster.ClusterManager), s.Runs(cluster.FateFlow))
}

func schemas(s *cluster.Spec, eggroll, flow bool) []database.SchemaUpgrade {
	var out []database.SchemaUpgrade
	add := func(p schema.Part, name string, release cluster.Version, scripts string) {
		if _, err := schema.Of(p, string(release)); err == nil {
			out = append(out, database.SchemaUpgrade{
				User: s.Side.MySQL.User, Password: database.Password(s.Secrets.MySQLUser.Reveal()), Part: p,
				Schema:  name,
				Release: string(release), Scripts: scripts,
			})
		}
	}
	if eggroll && s.Side.ClusterManager.Enable {
		add(schema.Eggroll, s.Side.Eggroll.DBName, s.Profile.Eggroll, s.Layout.EggrollConf())
	}
	if flow && s.Side.FateFlow.Enable {
		add(schema.Flow, s.Side.FateFlow.DBName, s.Profile.FATE, path.Join(s.Layout.Fate(), "deploy", "upgrade", "sql"))
	}
	return out
}
