package render

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
)

// DatabaseSocket is the server's unix socket. A path of more than 107 bytes does not fit into an address.
func DatabaseSocket(s *cluster.Spec) string { return path.Join(s.DatabaseHome(), "run", "mysql.sock") }

// DatabaseConf is the server's option file.
func DatabaseConf(s *cluster.Spec) string { return path.Join(s.DatabaseHome(), "conf", "my.cnf") }

func databaseLog(s *cluster.Spec) string {
	return path.Join(s.Layout.ComponentLogs("mysql"), "mysqld.log")
}

// ProbeConf is the option file with the login of the database server's readiness probe.
func ProbeConf(s *cluster.Spec) string { return path.Join(s.DatabaseHome(), "conf", "probe.cnf") }

func renderDatabase(s *cluster.Spec) ([]File, error) {
	if !s.Runs(cluster.MySQL) {
		return nil, nil
	}
	return []File{
		{Path: DatabaseConf(s), Content: myCnf(s), Perm: permConfig, Component: s.DatabaseEngine(),
			Programs: running(s, cluster.MySQL)},
		{Path: ProbeConf(s), Content: probeCnf(s), Perm: PermSecret, Secret: true, Component: s.DatabaseEngine()},
	}, nil
}

// optionFile is MySQL's own dialect of ini.
type optionFile struct{ b strings.Builder }

func (o *optionFile) section(name string) { fmt.Fprintf(&o.b, "[%s]\n", name) }

// set writes an option whose text needs no protection.
func (o *optionFile) set(key string, value any) { fmt.Fprintf(&o.b, "%s=%v\n", key, value) }

func (o *optionFile) option(option serverOption) {
	if option.value == nil {
		fmt.Fprintln(&o.b, option.name)
		return
	}
	o.set(option.name, option.value)
}

// text writes a value in quotes: inside them only the backslash and the quote itself have a meaning, and a # starts
// no comment.
func (o *optionFile) text(key, value string) {
	o.set(key, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)+`"`)
}

func myCnf(s *cluster.Spec) []byte {
	o := &optionFile{}
	engine, charset := s.DatabaseEngine(), databaseCharset(s)
	version := cluster.Version(s.Versions[engine])
	home, socket := s.DatabaseHome(), DatabaseSocket(s)
	o.section("mysqld")
	o.set("port", s.Side.MySQL.Port)
	o.text("basedir", home)
	o.text("datadir", s.Layout.DatabaseData())
	o.text("socket", socket)
	o.text("tmpdir", s.Layout.DatabaseTemp())
	// The server is started directly, not through mysqld_safe, so these two stand here and not in [mysqld_safe].
	o.text("log-error", databaseLog(s))
	o.text("pid-file", path.Join(home, "run", "mysqld.pid"))
	o.set("max_connections", databaseConnections(s))
	o.set("max_connect_errors", 1000)
	o.set("character-set-server", charset)
	o.set("default-storage-engine", "INNODB")
	o.set("sql_mode",
		"STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION")
	o.set("bind-address", databaseBind(s))
	o.set("skip_name_resolve", "ON") // accounts are by address: no client waits for a name server
	for _, option := range databaseOptions(s) {
		if engine == "mysql" && option.mysql.include(version) || engine == "mariadb" &&
			option.mariadb.include(version) {
			o.option(option)
		}
	}
	o.section("mysql")
	o.set("default-character-set", charset)
	o.section("client")
	o.set("port", s.Side.MySQL.Port)
	o.set("default-character-set", charset)
	o.text("socket", socket)
	return []byte(o.b.String())
}

// databaseBind is where the server listens: at the address of its host in the cluster, where every program of the party
// looks for it, be it on another host, and at the loopback for tools of this host. A server that knows one address only
// (MySQL before 8.0.13, MariaDB before 10.11, by their manuals' "bind_address") is reached there or through its socket.
func databaseBind(s *cluster.Spec) string {
	own := cluster.FirstAddress(s.Side.MySQL.IPs)
	engine := s.DatabaseEngine()
	release := cluster.Version(s.Versions[engine])
	if engine == "mysql" && release.AtLeast(8, 0, 13) || engine == "mariadb" && release.AtLeast(10, 11) {
		return own + ",127.0.0.1"
	}
	return own
}

// databaseConnections is upstream's limit, less on a host that could not feed it: the server reserves memory for each.
func databaseConnections(s *cluster.Spec) int {
	if s.SmallHost() {
		return 1000
	}
	return 10000
}

// probeCnf is the login of the readiness probe: the unprivileged service account over the socket, and the address that
// the server's clients use, so that "ready" means that the programs which depend on the database can log in. Without
// clients on this host there is no account for a login at that address, and any account of the operator may match it.
func probeCnf(s *cluster.Spec) []byte {
	o := &optionFile{}
	o.section("client")
	o.text("user", s.Side.MySQL.User)
	o.text("password", s.Secrets.MySQLUser.Reveal())
	o.text("socket", DatabaseSocket(s))
	address := cluster.FirstAddress(s.Side.MySQL.IPs)
	if db, ok := DatabaseOf(s); ok && slices.ContainsFunc(db.Users,
		func(u DatabaseUser) bool { return u.Host == address }) {
		o.text("host", address)
		o.set("port", s.Side.MySQL.Port)
	}
	return []byte(o.b.String())
}
