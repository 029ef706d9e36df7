package cluster

import (
	"fmt"
	"path"

	"fate-installer/installer/fate/yamltext"
)

// MySQL is the database server.
const MySQL Module = "mysql"

func mysqlModule() moduleEntry {
	return moduleEntry{
		module: MySQL, key: "mysql", group: "mysql",
		conf: func(s *Side) moduleSwitch { return moduleSwitch{&s.MySQL.Enable, &s.MySQL.IPs} },
		defaults: func(s *Side) {
			s.MySQL.Type = "inside"
			s.MySQL.Port = defaultMySQLPort
			s.MySQL.User = "fate"
		},
		block:   func(_ *Cluster, s *Side) yamltext.Map { return mysqlItems(s) },
		comment: "type: outside uses an existing server; secrets.mysql_root is then its administrator's password.",

		addresses: func(s *Side) []string { return when(s.MySQL.Ours(), s.MySQL.IPs) },
		outside:   true,
		port:      func(s *Side) int { return s.MySQL.Port },

		components: func(s *Spec) []string { return []string{s.DatabaseEngine()} },
		// The schema of eggroll's metadata comes with eggroll, and the database's host imports it.
		unpacks: func(s *Spec) []string { return when(s.Side.ClusterManager.Enable, []string{"eggroll"}) },

		home:     (*Spec).DatabaseHome,
		logs:     "mysql",
		dataDirs: func(l Layout) []string { return []string{l.DatabaseData(), l.DatabaseTemp()} },
		memory:   databaseMemory,

		forJobs: true,
		old: OldModule{
			Program: func(s *Spec) map[string]string {
				home := s.DatabaseHome()
				return map[string]string{
					"directory": home, "stdout_logfile": path.Join(s.Layout.ComponentLogs("mysql"), "boot.log"),
					"command": fmt.Sprintf(
						"%s %s/run/mysqld.pid %s/bin/mysqld_safe --defaults-file=%s/conf/my.cnf --user=%s",
						path.Join(s.Layout.Common(), "miniconda3/bin/pidproxy"), home, home, home, s.User)}
			},
			Process: func(p OldProcess) bool {
				name := path.Base(p.Command)
				return (name == "mysqld" || name == "mariadbd") && p.has(func(a string) bool {
					return a == "--defaults-file="+p.DatabaseConf || a == "--defaults-file=conf/my.cnf"
				})
			},
		},
	}
}

func mysqlItems(s *Side) yamltext.Map {
	m := yamltext.Map{yamltext.Item("enable", s.MySQL.Enable), yamltext.Item("type", s.MySQL.Type),
		yamltext.Item("ips", yamltext.Texts(s.MySQL.IPs)), yamltext.Item("port", s.MySQL.Port),
		yamltext.Item("dbuser", s.MySQL.User), secretItem("dbpasswd", s.Secrets.MySQLUser)}
	if s.MySQL.BinaryLog {
		m = append(m, yamltext.Item("binary_log", true))
	}
	if s.MySQL.PerformanceSchema {
		m = append(m, yamltext.Item("performance_schema", true))
	}
	return m
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

// DatabaseHome is the basedir of the database server, which is named "mysql" or "mariadb".
func (l Layout) DatabaseHome(engine, version string) string {
	return path.Join(l.ProjectCommon(), "mysql", engine+"-"+version)
}

// DatabaseData is the database server's datadir. It is data: nothing removes it unasked.
func (l Layout) DatabaseData() string { return path.Join(l.Data(), "mysql") }

// DatabaseTemp is the database server's tmpdir. A server that starts removes the temporary tables of all others that
// use the same directory, so it has one of its own.
func (l Layout) DatabaseTemp() string { return path.Join(l.Temp(), "mysql") }
