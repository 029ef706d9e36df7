package cluster

import (
	"fmt"
	"strings"
)

// secretEntry has all that is known of a secret of a side.
type secretEntry struct {
	name      string // in the cluster file's secrets block
	command   string // on the command line; blank: the same
	of        func(*Secrets) *Secret
	key       string             // the key of the module that has it, below the side; blank: none has
	own       func(*Side) Secret // the value of that key
	what      string             // what it is, for people
	generated string             // what a generated one is, for people; blank: it needs no look
	files     []string           // those that have to carry it
	published string             // the value that AnsibleFATE publishes
	exchange  bool               // an exchange uses it
}

// secretTable has the secrets in the order in which people see them.
var secretTable = []secretEntry{
	{
		name: "mysql_root", what: "the administrator's password", published: publishedAdminPassword,
		of: func(s *Secrets) *Secret { return &s.MySQLRoot },
	},
	{
		name: "mysql_user", command: "mysql_fate",
		what: "the database password", generated: "the generated database password", published: publishedUserPassword,
		of:  func(s *Secrets) *Secret { return &s.MySQLUser },
		key: "mysql.dbpasswd", own: func(s *Side) Secret { return s.MySQL.Password },
		files: []string{"eggroll.properties", "service_conf.yaml", "my.cnf"},
	},
	{
		name: "zookeeper", what: "the registry's password",
		of:  func(s *Secrets) *Secret { return &s.ZooKeeper },
		key: "zk.passwd", own: func(s *Side) Secret { return s.ZK.Password },
		files: []string{"service_conf.yaml"},
	},
	{
		name: "route_table_key", what: "the key of the route table", published: publishedRouteTableKey, exchange: true,
		of:  func(s *Secrets) *Secret { return &s.RouteTableKey },
		key: "rollsite.route_table_key", own: func(s *Side) Secret { return s.Rollsite.RouteTableKey },
		files: []string{"eggroll.properties"},
	},
	boardAdmin,
}

// SecretCommand is the command line's name of a secret.
func SecretCommand(name string) string {
	for _, e := range secretTable {
		if e.name == name && e.command != "" {
			return e.command
		}
	}
	return name
}

// SecretCommands lists the command line's names of all secrets.
func SecretCommands() []string {
	var out []string
	for _, e := range secretTable {
		out = append(out, SecretCommand(e.name))
	}
	return out
}

// ParseSecretName understands both the command line's and the cluster file's name of a secret, and gives the latter.
func ParseSecretName(text string) (string, error) {
	for _, name := range SecretNames() {
		if text == name || text == SecretCommand(name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("there is no secret %q: there are %s", text, strings.Join(SecretCommands(), ", "))
}
