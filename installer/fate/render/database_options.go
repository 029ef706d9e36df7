package render

import (
	"path"

	"fate-installer/installer/fate/cluster"
)

// serverOption is an option of the database server with the releases that know it. A server ends at an option that it
// does not know.
type serverOption struct {
	name  string
	value any // nil: the option takes none

	mysql   versions
	mariadb versions
}

// versions is a range of releases. The zero value is every release.
type versions struct {
	from  cluster.Version // first release with the option; blank: all before until
	until cluster.Version // first release without it; blank: all from from on
	none  bool            // no release has it
}

func (v versions) include(release cluster.Version) bool {
	if v.none || v.from != "" && !release.AtLeast(v.from.Numbers()...) {
		return false
	}
	return v.until == "" || !release.AtLeast(v.until.Numbers()...)
}

// none is the range of an option that the other server alone has.
var none = versions{none: true}

// binaryLogDays is how long binary logs are kept: a week covers a weekend between a copy and its use.
const binaryLogDays = 7

// databaseOptions are those of the [mysqld] section that depend on the release. The ranges are those of the servers'
// manuals: MySQL 5.7 to 9.x, "Server System Variables" and "What Is New"; MariaDB, "Server System Variables".
func databaseOptions(s *cluster.Spec) []serverOption {
	options := []serverOption{
		{"default_authentication_plugin", "mysql_native_password", versions{until: "8.4"}, none},
		// 8.4 has the plugin that FATE's drivers know best, switched off. 9.0 has it no more.
		{"mysql_native_password", "ON", versions{from: "8.4", until: "9.0"}, none},
		{"mysqlx", 0, versions{from: "8.0.11"}, none},
		// Distributions compile in a directory for exports that only their packages make, and the server ends without
		// it.
		{"secure-file-priv", "NULL", versions{from: "5.7.6"}, none},
		{"log-timestamps", "SYSTEM", versions{from: "5.7.2"}, none},
	}
	if s.Side.MySQL.PerformanceSchema {
		options = append(options, serverOption{"performance_schema", "ON", versions{}, versions{}})
	} else {
		// MySQL collects by default since 5.6.6, in memory for each possible connection. MariaDB does not, and a build
		// of it without the collector does not know the option.
		options = append(options, serverOption{"performance_schema", "OFF", versions{}, none})
	}
	if !s.Side.MySQL.BinaryLog {
		// MySQL writes binary logs by default since 8.0.
		return append(options, serverOption{"skip-log-bin", nil, versions{from: "8.0"}, none})
	}
	return append(options,
		serverOption{"log-bin", path.Join(s.Layout.DatabaseData(), "binlog"), versions{}, versions{}},
		serverOption{"server-id", 1, versions{}, versions{}},
		serverOption{"expire_logs_days", binaryLogDays, versions{until: "8.0.1"}, versions{}},
		serverOption{"binlog_expire_logs_seconds", binaryLogDays * 24 * 60 * 60, versions{from: "8.0.1"}, none},
	)
}

// databaseCharset is the name under which the server at hand knows the character set of FATE's tables, three bytes a
// character: MySQL 9 refuses "utf8", and MariaDB since 10.6 lets a setting decide what that means.
func databaseCharset(s *cluster.Spec) string {
	engine := s.DatabaseEngine()
	release := cluster.Version(s.Versions[engine])
	if engine == "mariadb" && release.AtLeast(10, 6) || engine == "mysql" && release.AtLeast(8, 0, 29) {
		return "utf8mb3"
	}
	return "utf8"
}
