package render

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/scripts/mysqlserver"
)

// databaseSpec is a party whose database is of one release, with more keys of the mysql block.
func databaseSpec(t *testing.T, engine, release, more string) *cluster.Spec {
	t.Helper()
	return databaseSpecOf(t, engine, release, "host:\n  partyid: 10000\n  mysql: {ips: [192.168.0.1]"+more+"}\n")
}

// databaseSpecOf is the first host of a cluster file whose database is of one release.
func databaseSpecOf(t *testing.T, engine, release, file string) *cluster.Spec {
	t.Helper()
	c, err := cluster.Parse([]cluster.Source{{Name: "cluster.yaml", Data: []byte(file)}})
	if err != nil {
		t.Fatal(err)
	}
	env, released, err := cluster.Release("1.11.4")
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]string{engine: release}
	for name, v := range released {
		if name != "mysql" && name != "mariadb" {
			of[name] = v
		}
	}
	s, err := c.Spec(cluster.Selection{Role: cluster.RoleHost, IP: "192.168.0.1", Env: env, Versions: of,
		Secrets: fatetest.FixedSecrets})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOptionsFollowTheRelease: an option that a server does not know ends it.
func TestOptionsFollowTheRelease(t *testing.T) {
	names := []string{
		"default_authentication_plugin=", "mysql_native_password=", "mysqlx=", "skip-log-bin", "log-bin=",
		"expire_logs_days=",
		"binlog_expire_logs_seconds=", "character-set-server=utf8mb3", "performance_schema=OFF", "performance_schema=ON",
	}
	for _, c := range []struct{ engine, release, more, want string }{
		{"mysql", "5.7.44", "", "default_authentication_plugin= performance_schema=OFF"},
		{"mysql", "8.0.12", "", "default_authentication_plugin= mysqlx= skip-log-bin performance_schema=OFF"},
		{"mysql", "8.0.36", "", "default_authentication_plugin= mysqlx= skip-log-bin character-set-server=utf8mb3 performance_schema=OFF"},
		{"mysql", "8.4.3", "", "mysql_native_password= mysqlx= skip-log-bin character-set-server=utf8mb3 performance_schema=OFF"},
		{"mysql", "9.7.4", "", "mysqlx= skip-log-bin character-set-server=utf8mb3 performance_schema=OFF"},
		{"mariadb", "10.5.29", "", ""},
		{"mariadb", "10.11.14", "", "character-set-server=utf8mb3"},
		{"mariadb", "11.8.3", "", "character-set-server=utf8mb3"},
		{"mysql", "5.7.44", ", binary_log: true", "default_authentication_plugin= log-bin= expire_logs_days= performance_schema=OFF"},
		{"mysql", "9.7.4", ", binary_log: true",
			"mysqlx= log-bin= binlog_expire_logs_seconds= character-set-server=utf8mb3 performance_schema=OFF"},
		{"mariadb", "11.8.3", ", binary_log: true", "log-bin= expire_logs_days= character-set-server=utf8mb3"},
		{"mysql", "8.0.15", ", performance_schema: true",
			"default_authentication_plugin= mysqlx= skip-log-bin performance_schema=ON"},
		{"mariadb", "10.11.14", ", performance_schema: true", "character-set-server=utf8mb3 performance_schema=ON"},
	} {
		text := string(myCnf(databaseSpec(t, c.engine, c.release, c.more)))
		var got []string
		for _, name := range names {
			if strings.Contains(text, "\n"+name) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s%s: got %q, want %q", c.engine, c.release, c.more, strings.Join(got, " "), c.want)
		}
	}
}

// TestServersListenWhereTheyAreNeeded: at the address under which all programs look for the server, and at the loopback
// where the server takes a list.
func TestServersListenWhereTheyAreNeeded(t *testing.T) {
	for _, c := range []struct{ engine, release, want string }{
		{"mysql", "5.7.44", "192.168.0.1"},
		{"mysql", "8.0.12", "192.168.0.1"},
		{"mysql", "8.0.13", "192.168.0.1,127.0.0.1"},
		{"mysql", "9.7.4", "192.168.0.1,127.0.0.1"},
		{"mariadb", "10.5.29", "192.168.0.1"},
		{"mariadb", "10.11.0", "192.168.0.1,127.0.0.1"},
	} {
		s := databaseSpec(t, c.engine, c.release, "")
		if text := string(myCnf(s)); !strings.Contains(text, "\nbind-address="+c.want+"\n") {
			t.Errorf("%s %s: want %s in\n%s", c.engine, c.release, c.want, text)
		}
		if db, ok := DatabaseOf(s); !ok || db.Host != "192.168.0.1" {
			t.Errorf("programs look for the server at %q", db.Host)
		}
	}
}

// TestServersKnowTheirOptions has real servers read the option file: with --verbose --help they check every option,
// print all values, and end.
func TestServersKnowTheirOptions(t *testing.T) {
	check := func(t *testing.T, engine, release, program string, more []string, env ...string) {
		for _, keys := range []string{"", ", binary_log: true", ", performance_schema: true"} {
			file := filepath.Join(t.TempDir(), "my.cnf")
			if err := os.WriteFile(file, myCnf(databaseSpec(t, engine, release, keys)), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"--defaults-file=" + file}, more...)
			cmd := exec.Command(program, append(args, "--verbose", "--help")...)
			cmd.Env = env
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s %s%s: %v\n%.2000s", engine, release, keys, err, out)
			}
			for _, word := range []string{"unknown variable", "unknown option", "Unknown character set"} {
				if i := strings.Index(string(out), word); i >= 0 {
					t.Errorf("%s %s%s: %.300s", engine, release, keys, out[i:])
				}
			}
		}
	}
	for _, r := range []mysqlserver.Release{mysqlserver.V8012, mysqlserver.V8015} {
		t.Run("mysql "+r.Version, func(t *testing.T) {
			dir := mysqlserver.ForTest(t, r)
			// The paths of the file are those of an installation; those that --help opens are this test's.
			check(t, "mysql", r.Version, filepath.Join(dir, "bin/mysqld"),
				[]string{"--basedir=" + dir, "--datadir=" + t.TempDir(),
					"--log-error=" + filepath.Join(t.TempDir(), "log"), "--user=root"},
				"LD_LIBRARY_PATH="+filepath.Join(dir, mysqlserver.LibraryDir))
		})
	}
	t.Run("mariadb", func(t *testing.T) {
		program, err := exec.LookPath("mariadbd")
		if err != nil {
			t.Skip("no mariadbd on this machine")
		}
		out, err := exec.Command(program, "--no-defaults", "--version").Output()
		if err != nil {
			t.Fatal(err)
		}
		_, release, _ := strings.Cut(string(out), "Ver ")
		release, _, _ = strings.Cut(release, "-")
		check(t, "mariadb", release, program, []string{"--user=root", "--lc-messages-dir=/usr/share/mysql"})
	})
}
