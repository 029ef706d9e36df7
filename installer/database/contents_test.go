package database

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/engine"
)

func testDatabase(socket, script string) Contents {
	return Contents{
		Address:       Address{Socket: socket},
		AdminPassword: testRootPassword,
		Schemas:       []Schema{{Name: "eggroll_meta", Script: script}, {Name: "fate_flow", Charset: "utf8"}},
		Accounts: []Account{
			{Name: "fate", Hosts: []string{"192.168.0.1", "localhost"}, Password: testUserPassword,
				Schemas: []string{"eggroll_meta", "fate_flow"}},
		},
		Rows: []Rows{{
			Schema: "eggroll_meta", Table: "server_node", ID: "server_node_id", Scope: "node_type",
			Key: []string{"host", "port", "node_type"}, Fill: []string{"status"},
			Values: [][]string{{"192.168.0.1", "4670", "CLUSTER_MANAGER", "HEALTHY"},
				{"192.168.0.1", "4671", "NODE_MANAGER", "HEALTHY"}},
		}},
	}
}

// TestContents fills a real server and then breaks one thing after the other: each must be found, named and repaired.
func TestContents(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, testInit(s))
		script, err := filepath.Abs("testdata/meta.sql")
		if err != nil {
			t.Fatal(err)
		}
		d := testDatabase(filepath.Join(s.Data, "s.sock"), script)
		if finding, err := d.Check(context.Background(), env); err != nil || finding.Done ||
			!strings.Contains(finding.Why, "does not run yet") {
			t.Errorf("before the server runs: %+v, %v", finding, err)
		}
		running(t, env, s)
		applied(t, env, d)
		if err := d.Apply(context.Background(), env); err != nil {
			t.Errorf("applying it again: %v", err)
		}
		canWork(t, env, d)
		root := login(t, env, d.Address.Socket, rootAccount, testRootPassword)
		for _, c := range []struct{ breaks, why string }{
			{"DROP DATABASE fate_flow", "schema fate_flow does not exist"},
			{"ALTER DATABASE fate_flow CHARACTER SET latin1", "character set of schema fate_flow is latin1"},
			{"DROP INDEX idx_server_node_h ON eggroll_meta.server_node",
				"index eggroll_meta.server_node.idx_server_node_h does not exist"},
			{"DROP TABLE eggroll_meta.store_locator", "table eggroll_meta.store_locator does not exist"},
			{"DROP USER 'fate'@'192.168.0.1'", "account fate@192.168.0.1 does not exist"},
			{"ALTER USER 'fate'@'localhost' IDENTIFIED BY 'Another1!'", "password of fate@localhost differs"},
			{"REVOKE ALL PRIVILEGES ON fate_flow.* FROM 'fate'@'localhost'",
				"fate@localhost has no rights on fate_flow"},
			{"REVOKE DROP ON eggroll_meta.* FROM 'fate'@'localhost'", "fate@localhost has no rights on eggroll_meta"},
			{"DELETE FROM eggroll_meta.server_node WHERE port = 4671",
				"eggroll_meta.server_node has no row 192.168.0.1 4671 NODE_MANAGER"},
			{"INSERT INTO eggroll_meta.server_node (host, port, node_type, status) VALUES ('192.168.0.1', 4671, " +
				"'NODE_MANAGER', 'HEALTHY')", "has row 192.168.0.1 4671 NODE_MANAGER twice"},
			{"INSERT INTO eggroll_meta.server_node (host, port, node_type, status) VALUES ('192.168.0.9', 4671, " +
				"'NODE_MANAGER', 'LOSS')", "has a row 192.168.0.9 4671 NODE_MANAGER too many"},
		} {
			if _, err := root.Exec(c.breaks); err != nil {
				t.Fatalf("%s: %v", c.breaks, err)
			}
			finding, err := d.Check(context.Background(), env)
			if err != nil || finding.Done || !strings.Contains(finding.Why, c.why) {
				t.Errorf("%s: found %+v, %v; want %q", c.breaks, finding, err, c.why)
			}
			if err := d.Apply(context.Background(), env); err != nil {
				t.Errorf("%s: %v", c.breaks, err)
			}
			isDone(t, env, d)
		}
		if _, err := root.Exec("UPDATE eggroll_meta.server_node SET status = 'LOSS'"); err != nil {
			t.Fatal(err)
		}
		isDone(t, env, d) // the state of a node belongs to eggroll, unless it is pinned
		canWork(t, env, d)
	})
}

// TestDatabasePinsRows sets a column again that no program sets.
func TestDatabasePinsRows(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, testInit(s))
		running(t, env, s)
		script, err := filepath.Abs("testdata/meta.sql")
		if err != nil {
			t.Fatal(err)
		}
		d := testDatabase(filepath.Join(s.Data, "s.sock"), script)
		d.Rows[0].Pinned = []string{"status"}
		applied(t, env, d)
		root := login(t, env, d.Address.Socket, rootAccount, testRootPassword)
		for _, c := range []struct {
			breaks, why string
		}{
			{"UPDATE eggroll_meta.server_node SET status = 'LOSS' WHERE port = 4671",
				"row 192.168.0.1 4671 NODE_MANAGER of eggroll_meta.server_node has status LOSS, want HEALTHY"},
			{"UPDATE eggroll_meta.server_node SET status = 'LOSS'",
				"4670 CLUSTER_MANAGER of eggroll_meta.server_node has status LOSS, want HEALTHY"},
		} {
			if _, err := root.Exec(c.breaks); err != nil {
				t.Fatal(err)
			}
			if finding, err := d.Check(context.Background(), env); err != nil || finding.Done ||
				!strings.Contains(finding.Why, c.why) {
				t.Errorf("%s: %+v, %v; want %q", c.breaks, finding, err, c.why)
			}
			applied(t, env, d)
			isDone(t, env, d)
		}
	})
}

// TestDatabaseOnlyAddsRows: rows that a program keeps are added when they lack, and left alone else.
func TestDatabaseOnlyAddsRows(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, testInit(s))
		running(t, env, s)
		script, err := filepath.Abs("testdata/meta.sql")
		if err != nil {
			t.Fatal(err)
		}
		d := testDatabase(filepath.Join(s.Data, "s.sock"), script)
		d.Rows[0].Scope, d.Rows[0].OnlyAdd = "", true
		applied(t, env, d)
		root := login(t, env, d.Address.Socket, rootAccount, testRootPassword)
		for _, statement := range []string{
			"UPDATE eggroll_meta.server_node SET status = 'LOSS' WHERE port = 4671",
			"INSERT INTO eggroll_meta.server_node (host, port, node_type, status) VALUES ('192.168.0.1', 4671, " +
				"'NODE_MANAGER', 'HEALTHY')",
			"INSERT INTO eggroll_meta.server_node (host, port, node_type, status) VALUES ('192.168.0.9', 4671, " +
				"'NODE_MANAGER', 'HEALTHY')",
		} {
			if _, err := root.Exec(statement); err != nil {
				t.Fatal(err)
			}
			isDone(t, env, d)
		}
		if _, err := root.Exec(
			"DELETE FROM eggroll_meta.server_node WHERE host = '192.168.0.1' AND port = 4671"); err != nil {
			t.Fatal(err)
		}
		if finding, err := d.Check(context.Background(), env); err != nil ||
			!strings.Contains(finding.Why, "has no row 192.168.0.1 4671") {
			t.Errorf("%+v, %v", finding, err)
		}
		applied(t, env, d)
		isDone(t, env, d)
	})
}

// canWork logs in as the account does and uses its rights.
func canWork(t *testing.T, env *engine.Env, d Contents) {
	t.Helper()
	db := login(t, env, d.Address.Socket, "fate", testUserPassword)
	for _, statement := range []string{
		"CREATE TABLE fate_flow.t_job (f_job_id VARCHAR(25) PRIMARY KEY, f_name TEXT)",
		"CREATE INDEX i ON fate_flow.t_job (f_name(10))",
		"DROP TABLE fate_flow.t_job",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	var nodes int
	if err := db.QueryRow("SELECT COUNT(*) FROM eggroll_meta.server_node").Scan(&nodes); err != nil || nodes != 2 {
		t.Errorf("%d nodes, %v", nodes, err)
	}
	if _, err := db.Exec("CREATE DATABASE other"); err == nil {
		t.Error("the account may create databases")
	}
}

// TestDatabaseHalfImported stops the import after each statement, as a kill would.
func TestDatabaseHalfImported(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, testInit(s))
		text, err := os.ReadFile("testdata/meta.sql")
		if err != nil {
			t.Fatal(err)
		}
		full, err := parseSchema(string(text))
		if err != nil {
			t.Fatal(err)
		}
		socket := running(t, env, s)
		for n := range full.statements {
			schema := Schema{Name: fmt.Sprintf("half_%d", n), Script: filepath.Join(t.TempDir(), "schema.sql")}
			if err := os.WriteFile(schema.Script, text, 0o644); err != nil {
				t.Fatal(err)
			}
			d := Contents{Address: Address{Socket: socket}, AdminPassword: testRootPassword, Schemas: []Schema{schema}}
			root := login(t, env, socket, rootAccount, testRootPassword)
			if _, err := root.Exec("CREATE DATABASE " + schema.Name); err != nil {
				t.Fatal(err)
			}
			if err := d.runScript(context.Background(), env.Host, schema,
				schemaScript{statements: full.statements[:n]}); err != nil {
				t.Fatal(err)
			}
			applied(t, env, d)
		}
	})
}

func TestDatabaseRefusals(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, testInit(s))
		socket := running(t, env, s)
		wrong := Contents{Address: Address{Socket: socket}, AdminPassword: "wrong"}
		if finding, err := wrong.Check(context.Background(), env); err != nil || finding.Done ||
			!strings.Contains(finding.Why, "refuses the password") {
			t.Errorf("wrong password: %+v, %v", finding, err)
		}
		if err := wrong.Apply(context.Background(), env); err == nil || strings.Contains(err.Error(), "wrong") {
			t.Errorf("wrong password: %v", err)
		}
		absent := Contents{Address: Address{Socket: socket}, AdminPassword: testRootPassword,
			Schemas: []Schema{{Name: "x", Script: "/nonexistent/x.sql"}}}
		if err := absent.Apply(context.Background(), env); err == nil ||
			!strings.Contains(err.Error(), "/nonexistent/x.sql") {
			t.Errorf("absent script: %v", err)
		}
		unreachable := Contents{Address: Address{Host: "127.0.0.1", Port: 1}, AdminPassword: "x"}
		if finding, err := unreachable.Check(context.Background(), env); err != nil || finding.Done {
			t.Errorf("unreachable server: %+v, %v", finding, err)
		}
		if err := unreachable.Apply(context.Background(), env); err == nil {
			t.Error("filled an unreachable server")
		}

		// The administrator's password is changed by way of the former one.
		rotated := Contents{Address: Address{Socket: socket}, AdminPassword: "Rotated1!",
			FormerPasswords: []Password{"other", testRootPassword}}
		if finding, err := rotated.Check(context.Background(), env); err != nil || finding.Done ||
			!strings.Contains(finding.Why, "former password") {
			t.Errorf("former password: %+v, %v", finding, err)
		}
		if err := rotated.Apply(context.Background(), env); err != nil {
			t.Fatal(err)
		}
		isDone(t, env, rotated)
		if err := login(t, env, socket, rootAccount, testRootPassword).Ping(); !serverError(err, errAccessDenied) {
			t.Errorf("the former password: %v", err)
		}
	})
}

// TestDatabaseOutside fills a server that is reached over TCP with an account of another administrator.
func TestDatabaseOutside(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, testInit(s))
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := listener.Addr().(*net.TCPAddr).Port
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		socket := running(t, env, s, "--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", port), "--skip-name-resolve")
		root := login(t, env, socket, rootAccount, testRootPassword)
		for _, statement := range []string{"CREATE USER 'dba'@'127.0.0.1' IDENTIFIED BY 'Outside1!'",
			"GRANT ALL PRIVILEGES ON *.* TO 'dba'@'127.0.0.1' WITH GRANT OPTION"} {
			if _, err := root.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		d := testDatabase("", "")
		d.Address, d.Admin, d.AdminPassword, d.Rows = Address{Host: "127.0.0.1", Port: port}, "dba", "Outside1!", nil
		applied(t, env, d)
		d.AdminPassword, d.FormerPasswords = "Other1!", []Password{"Outside1!"}
		if err := d.Apply(context.Background(), env); err == nil ||
			!strings.Contains(err.Error(), "refuses the password") {
			t.Errorf("the password of an outside administrator: %v", err)
		}
	})
}

func TestRowsScope(t *testing.T) {
	r := Rows{Key: []string{"host", "type"}, Scope: "type", Values: [][]string{{"a", "NODE"}, {"b", "NODE"}}}
	for _, c := range []struct {
		key  []string
		want bool
	}{{[]string{"a", "NODE"}, false}, {[]string{"c", "NODE"}, true}, {[]string{"c", "MANAGER"}, false}} {
		if got := r.isStranger(storedRow{key: c.key}); got != c.want {
			t.Errorf("isStranger(%q) = %v", c.key, got)
		}
	}
	if r.Scope = ""; r.isStranger(storedRow{key: []string{"c", "NODE"}}) {
		t.Error("without a scope nothing is strange")
	}
	if got := rowsWithKey([]storedRow{{id: "1", key: []string{"a"}}, {id: "2", key: []string{"b"}},
		{id: "3", key: []string{"a"}}}, []string{"a"}); !slices.Equal([]string{got[0].id, got[1].id},
		[]string{"1", "3"}) {
		t.Errorf("rowsWithKey = %v", got)
	}
}
