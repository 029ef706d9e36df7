package fate

// Database is what has to exist in the database server of a side, as data. It is computed for the host that runs the
// server, or, with an outside server, for the first host of the side that needs it.
type Database struct {
	Manage bool   // this host applies it
	Inside bool   // the server is ours: initialise it, set the administrator's password
	Engine string // mysql or mariadb
	Home   string // basedir; blank when outside
	Data   string // datadir; blank when outside
	Config string // my.cnf; blank when outside
	Socket string // blank when outside
	Host   string // address the server is reached at
	Port   int

	AdminUser     string
	AdminPassword Secret

	Schemas []Schema
	Users   []DatabaseUser
	Nodes   []ServerNode // rows of eggroll's server_node; empty when nodes register themselves
	NodesDB string       // the schema that holds server_node
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
	Password Secret
	Schemas  []string
}

// ServerNode is a row that eggroll before 2.5 finds its nodes by.
type ServerNode struct {
	Host   string
	Port   int
	Type   string // CLUSTER_MANAGER or NODE_MANAGER
	Status string // HEALTHY
}
