package database

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/scripts/mysqlserver"
)

// outsideServer starts a server that listens on the loopback interface, with accounts of its administrator's making.
func outsideServer(t *testing.T, s Server, env *engine.Env, options ...string) (at Address, root *sql.DB) {
	t.Helper()
	d := testInit(s)
	d.Accounts = nil
	applied(t, env, d)
	port := mysqlserver.FreePort(t)
	socket := running(t, env, s, append(options, "--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", port),
		"--skip-name-resolve")...)
	return Address{Host: "127.0.0.1", Port: port}, login(t, env, socket, rootAccount, testRootPassword)
}

// allServersVariable runs every test that needs a long start of a server; make test-mysql sets it.
const allServersVariable = "FATE_TEST_ALL_DATABASES"

// outsideServers runs a test against the servers of this machine and Oracle's build of MySQL 8, when it can be had.
func outsideServers(t *testing.T, always bool, test func(t *testing.T, s Server, env *engine.Env)) {
	eachServer(t, test)
	t.Run("mysql 8.0.15", func(t *testing.T) {
		if testing.Short() || !always && os.Getenv(allServersVariable) == "" {
			t.Skip("long; make test-mysql, which sets " + allServersVariable + ", runs it")
		}
		home := mysqlserver.ForTest(t, mysqlserver.V8015)
		onServer(t, Server{Flavour: FlavourMySQL, Home: home, Program: "bin/mysqld",
			LibraryPath: []string{mysqlserver.LibraryDir}}, test)
	})
}

// outsideParty makes what a party needs on an outside server, by way of an administrator's account.
func outsideParty(at Address, admin string, password Password) Contents {
	d := testDatabase("", "")
	d.Address, d.Admin, d.AdminPassword, d.Rows = at, admin, password, nil
	d.Schemas[0].Charset, d.Schemas[1].Charset = "latin1", "utf8mb3"
	d.Accounts[0].Hosts = []string{"127.0.0.1"}
	return d
}

func execAll(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// TestOutsideAdministrators fills an outside server by way of accounts with ever fewer rights. None but the first may
// read the server's table of accounts.
func TestOutsideAdministrators(t *testing.T) {
	outsideServers(t, false, func(t *testing.T, s Server, env *engine.Env) {
		at, root := outsideServer(t, s, env)
		reset := func() {
			execAll(t, root, "DROP DATABASE IF EXISTS eggroll_meta", "DROP DATABASE IF EXISTS fate_flow",
				"DROP USER IF EXISTS fate@'127.0.0.1'",
				"DROP USER IF EXISTS fate@'%'")
		}
		byHand := []string{
			"CREATE DATABASE eggroll_meta CHARACTER SET latin1", "CREATE DATABASE fate_flow CHARACTER SET utf8mb3",
			"CREATE USER fate@'%' IDENTIFIED BY '" + strings.NewReplacer(`\`, `\\`, `'`,
				`''`).Replace(string(testUserPassword)) + "'",
			"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER ON eggroll_meta.* TO fate@'%'",
			"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER ON fate_flow.* TO fate@'%'",
		}
		for _, c := range []struct {
			name    string
			grants  []string // of the account dba
			byHand  bool     // the statements for a DBA were run before
			missing []string // what check says; then filling is refused
		}{
			{"all rights", []string{"ALL PRIVILEGES ON *.* TO dba@'%' WITH GRANT OPTION"}, false, nil},
			{"CREATE USER and both schemas", []string{
				"CREATE USER ON *.* TO dba@'%'", "ALL PRIVILEGES ON eggroll_meta.* TO dba@'%' WITH GRANT OPTION",
				"ALL PRIVILEGES ON `fate\\_%`.* TO dba@'%' WITH GRANT OPTION",
			}, false, nil},
			{"the rights of config sql", []string{
				"CREATE USER ON *.* TO dba@'%'",
				strings.Join(ServiceRights(), ", ") + " ON `eggroll\\_meta`.* TO dba@'%' WITH GRANT OPTION",
				strings.Join(ServiceRights(), ", ") + " ON `fate\\_flow`.* TO dba@'%' WITH GRANT OPTION",
			}, false, nil},
			{"no routines", []string{
				"CREATE USER ON *.* TO dba@'%'", "ALL PRIVILEGES ON eggroll_meta.* TO dba@'%' WITH GRANT OPTION",
				strings.Join(serviceRights, ", ") + " ON fate_flow.* TO dba@'%' WITH GRANT OPTION",
			}, false, []string{"CREATE ROUTINE on fate_flow.*", "ALTER ROUTINE on fate_flow.*",
				"EXECUTE on fate_flow.*"}},
			{"both schemas", []string{
				"ALL PRIVILEGES ON eggroll_meta.* TO dba@'%' WITH GRANT OPTION",
				"ALL PRIVILEGES ON fate_flow.* TO dba@'%' WITH GRANT OPTION",
			}, false, []string{"CREATE USER on *.*"}},
			{"no right to grant", []string{
				"CREATE USER ON *.* TO dba@'%'", "ALL PRIVILEGES ON eggroll_meta.* TO dba@'%'",
				"ALL PRIVILEGES ON fate_flow.* TO dba@'%'",
			}, false, []string{"GRANT OPTION on eggroll_meta.*", "GRANT OPTION on fate_flow.*"}},
			{"made by hand", nil, true, nil},
		} {
			t.Run(c.name, func(t *testing.T) {
				reset()
				execAll(t, root, "DROP USER IF EXISTS dba@'%'", "CREATE USER dba@'%' IDENTIFIED BY 'Outside1!'")
				for _, g := range c.grants {
					execAll(t, root, "GRANT "+g)
				}
				d := outsideParty(at, "dba", "Outside1!")
				if c.byHand {
					execAll(t, root, byHand...)
					d.Admin, d.AdminPassword = "fate", testUserPassword
				}
				facts := d.Ask(context.Background(), env.Host)
				if facts.Error != "" || !slices.Equal(d.Missing(facts), c.missing) {
					t.Errorf("missing %q, want %q; %+v", d.Missing(facts), c.missing, facts)
				}
				var hint interface{ Hint() string }
				switch err := d.Apply(context.Background(), env); {
				case len(c.missing) == 0 && err != nil:
					t.Fatal(err)
				case len(c.missing) == 0:
					isDone(t, env, d)
					canFill(t, env, d)
					if !c.byHand {
						d.Accounts[0].Password = "Changed1!" // as secrets rotate does
						applied(t, env, d)
						canFill(t, env, d)
					}
				case !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "config sql --for-dba"):
					t.Errorf("refused with %v", err)
				}
			})
		}
	})
}

// canFill logs in as the party's programs do and makes a table.
func canFill(t *testing.T, env *engine.Env, d Contents) {
	t.Helper()
	db, err := open(env.Host, d.Address, d.Accounts[0].Name, d.Accounts[0].Password, "fate_flow")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	execAll(t, db, "CREATE TABLE t_x (a INT PRIMARY KEY)", "ALTER TABLE t_x ADD b INT", "DROP TABLE t_x")
}

// TestOutsideEncryption connects with TLS where the server has it, also with the key exchange of Oracle's builds of
// 8.0, and says which.
func TestOutsideEncryption(t *testing.T) {
	outsideServers(t, true, func(t *testing.T, s Server, env *engine.Env) {
		at, root := outsideServer(t, s, env)
		execAll(t, root, "CREATE USER dba@'%' IDENTIFIED BY 'Outside1!'")
		var have string
		if err := root.QueryRow("SELECT @@have_ssl").Scan(&have); err != nil {
			t.Fatal(err)
		}
		facts := outsideParty(at, "dba", "Outside1!").Ask(context.Background(), env.Host)
		if facts.Error != "" || (have == "YES") != (facts.Encryption != "") {
			t.Errorf("the server has TLS: %s; %+v", have, facts)
		}
		t.Logf("%s: TLS %s, used %q, seen at %s as %s", facts.Version, have, facts.Encryption, facts.Seen, facts.As)
		if facts.Seen != "127.0.0.1" || facts.As != "dba@%" || facts.MaxConnections == 0 || facts.SQLMode == "" ||
			facts.Zone == "" || facts.Charset == "" {
			t.Errorf("facts %+v", facts)
		}
		wrong := outsideParty(at, "dba", "Another1!").Ask(context.Background(), env.Host)
		if !wrong.Refused || wrong.Error == "" {
			t.Errorf("a wrong password: %+v", wrong)
		}
	})
}

// TestHandshakeFails connects to a server whose TLS no client of ours can use: without TLS, as FATE's drivers do.
func TestHandshakeFails(t *testing.T) {
	outsideServers(t, false, func(t *testing.T, s Server, env *engine.Env) {
		if s.Flavour != FlavourMySQL {
			t.Skip("needs a server with RSA key exchange alone")
		}
		at, root := outsideServer(t, s, env, "--ssl-cipher=CAMELLIA256-SHA")
		execAll(t, root, "CREATE USER dba@'%' IDENTIFIED BY 'Outside1!'",
			"CREATE USER strict@'%' IDENTIFIED BY 'Outside1!' REQUIRE SSL")
		facts := outsideParty(at, "dba", "Outside1!").Ask(context.Background(), env.Host)
		if facts.Error != "" || facts.Encryption != "" {
			t.Errorf("%+v", facts)
		}
		strict := outsideParty(at, "strict", "Outside1!").Ask(context.Background(), env.Host)
		if !strings.Contains(strict.Error, "TLS") {
			t.Errorf("an account that requires TLS: %+v", strict)
		}
	})
}

// TestDatabaseTLS keeps the versions and the key exchange that old servers have.
func TestDatabaseTLS(t *testing.T) {
	c := databaseTLS()
	if c.MinVersion != tls.VersionTLS10 || !slices.Contains(c.CipherSuites, tls.TLS_RSA_WITH_AES_256_CBC_SHA) {
		t.Errorf("%+v", c)
	}
}

// TestOtherAccounts names the accounts on a server of ours that we did not make.
func TestOtherAccounts(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, testInit(s))
		socket := running(t, env, s)
		d := Contents{
			Address: Address{Socket: socket}, AdminPassword: testRootPassword,
			Accounts: []Account{{Name: "probe", Hosts: []string{"localhost"}}},
		}
		if facts := d.Ask(context.Background(), env.Host); facts.Error != "" || len(facts.Others) > 0 {
			t.Errorf("fresh: %+v", facts)
		}
		execAll(t, login(t, env, socket, rootAccount, testRootPassword), "CREATE USER ''@'localhost'",
			"CREATE USER 'root'@'%' IDENTIFIED BY 'Other1!'", "CREATE USER 'probe'@'10.0.0.9' IDENTIFIED BY 'Other1!'")
		want := []string{"@localhost", "probe@10.0.0.9", "root@%"}
		if facts := d.Ask(context.Background(), env.Host); !slices.Equal(facts.Others, want) {
			t.Errorf("others %q, %s", facts.Others, facts.Error)
		}
	})
}
