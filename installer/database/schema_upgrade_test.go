package database

import (
	"context"
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/schema"
)

// schemaBench is a running server with the account that upgrades are made with.
type schemaBench struct {
	t      *testing.T
	env    *engine.Env
	socket string
	root   *sql.DB
}

func newSchemaBench(t *testing.T, s Server, env *engine.Env) *schemaBench {
	t.Helper()
	d := testInit(s)
	d.Accounts = []Account{{
		Name: "fate", Hosts: []string{"localhost"}, Password: testUserPassword, Schemas: []string{"tables"},
	}}
	applied(t, env, d)
	socket := running(t, env, s)
	return &schemaBench{t, env, socket, login(t, env, socket, rootAccount, testRootPassword)}
}

func (b *schemaBench) exec(statements ...string) {
	b.t.Helper()
	for _, s := range statements {
		if _, err := b.root.Exec(s); err != nil {
			b.t.Fatalf("%s: %v", s, err)
		}
	}
}

// make fills the schema with the tables of a release.
func (b *schemaBench) make(p schema.Part, release string) {
	b.t.Helper()
	charset := "utf8"
	if p == schema.Eggroll {
		charset = "latin1"
	}
	b.exec("DROP DATABASE IF EXISTS tables", "CREATE DATABASE tables CHARACTER SET "+charset, "USE tables")
	v, err := schema.Of(p, release)
	if err != nil {
		b.t.Fatal(err)
	}
	b.exec(v.Create("20260102")...)
}

func (b *schemaBench) step(p schema.Part, release string) SchemaUpgrade {
	return SchemaUpgrade{
		Address: Address{Socket: b.socket}, User: "fate", Password: testUserPassword,
		Part: p, Schema: "tables", Release: release,
	}
}

// rightFor wants nothing to be missing for the release of the step.
func (b *schemaBench) rightFor(s SchemaUpgrade) {
	b.t.Helper()
	isDone(b.t, b.env, s)
	lacks, err := s.Differences(context.Background(), b.env.Host)
	// Whole tables are made by their program.
	lacks = slices.DeleteFunc(lacks, func(d schema.Difference) bool { return d.Column == "" })
	if err != nil || len(lacks) > 0 {
		b.t.Errorf("%s: %v, %v", s.Describe(), lacks, err)
	}
}

// TestSchemaUpgrade brings the tables of every kind of release to those of the newest one, without any file of
// upstream.
func TestSchemaUpgrade(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		b := newSchemaBench(t, s, env)
		for _, c := range []struct {
			part schema.Part
			to   string
			from []string
		}{
			{schema.Flow, "1.11.4", []string{"1.5.0", "1.5.1", "1.6.1", "1.7.0", "1.7.1", "1.7.2", "1.8.0",
				"1.9.1", "1.11.2"}},
			{schema.Flow, "1.9.1", []string{"1.6.1", "1.8.0"}},
			{schema.Eggroll, "2.5.3", []string{"2.2.0", "2.4.6", "2.5.1"}},
		} {
			for _, from := range c.from {
				b.make(c.part, from)
				if c.part == schema.Flow {
					b.exec("INSERT INTO t_model_tag (f_m_id, f_t_id) VALUES (1, 2)",
						"INSERT INTO t_tags (f_name) VALUES ('kept')")
				}
				up := b.step(c.part, c.to)
				if schema.Changes(c.part, from, c.to) {
					applied(t, env, up)
				}
				b.rightFor(up)
				if c.part == schema.Flow {
					var name string
					if err := b.root.QueryRow("SELECT f_name FROM tables.t_tags").Scan(&name); err != nil ||
						name != "kept" {
						t.Errorf("%s to %s: a row is now %q, %v", from, c.to, name, err)
					}
				}
			}
		}
	})
}

// upstreamLike are SQL files of the form of upstream's: procedures over the tables of single days, one of them with a
// mistake, columns that may be there already, and tables that FATE-Flow makes by itself.
var upstreamLike = map[string]string{
	"1.7.2-1.8.0.sql": `ALTER TABLE t_storage_table_meta ADD f_origin VARCHAR(50) NOT NULL DEFAULT '';
ALTER TABLE t_storage_table_meta ADD f_disable BOOL NOT NULL DEFAULT FALSE;
`,
	"1.8.0-1.9.0.sql": `ALTER TABLE t_session_record DROP PRIMARY KEY,
  ADD id INT NOT NULL AUTO_INCREMENT PRIMARY KEY FIRST;
ALTER TABLE t_task ADD f_run_port INT;
DROP PROCEDURE IF EXISTS narrow;
DELIMITER //

CREATE PROCEDURE narrow()
BEGIN
    DECLARE done BOOL DEFAULT FALSE;
    DECLARE suffix CHAR(8);
    DECLARE c CURSOR FOR SELECT RIGHT(table_name, 8) FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name LIKE 't\_component\_summary\_%';
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = TRUE;
    OPEN c;
    rows_: LOOP
        FETCH c INTO suffix;
        IF done THEN LEAVE rows_; END IF;
        SET @sql = CONCAT('ALTER TABLE t_component_summary_', suffix, ' MODIFY f_component_name VARCHAR(50) NOT NULL;');
        PREPARE s FROM @sql;
        EXECUTE s;
        DEALLOCATE PREPARE s;
    END LOOP;
    CLOSE c;
END //

DELIMITER ;
CALL narrow();
DROP PROCEDURE narrow;
DROP PROCEDURE IF EXISTS mistaken;
DELIMITER //
CREATE PROCEDURE mistaken()
BEGIN
    SET @sql = CONCAT('ALTER TABLE t_component_summary_', '20260102', 'DROP INDEX nothing;');
    PREPARE s FROM @sql;
    EXECUTE s;
END //
DELIMITER ;
CALL mistaken();
DROP PROCEDURE mistaken;
DROP TABLE t_model_operation_log;
CREATE TABLE t_site_key_info (f_party_id VARCHAR(10) NOT NULL, f_key_name VARCHAR(10) NOT NULL, f_key LONGTEXT NOT NULL,
  f_create_time BIGINT, f_create_date DATETIME, f_update_time BIGINT, f_update_date DATETIME,
  PRIMARY KEY (f_party_id, f_key_name));
`,
	"1.9.0-1.11.1.sql": `ALTER TABLE t_task ADD f_is_deepspeed BOOL NOT NULL DEFAULT FALSE;
ALTER TABLE t_task ADD f_deepspeed_id VARCHAR(200) DEFAULT "";`,
	"1.6.1-1.7.0.sql": "DROP DATABASE tables;", // not on the way
}

func writeScripts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range upstreamLike {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestSchemaUpgradeByUpstream carries out the files of upstream, and what they lack.
func TestSchemaUpgradeByUpstream(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		b := newSchemaBench(t, s, env)
		b.make(schema.Flow, "1.7.3")
		b.exec("ALTER TABLE t_task ADD f_deepspeed_id VARCHAR(200)") // by hand
		up := b.step(schema.Flow, "1.11.4")
		up.Scripts = writeScripts(t)
		applied(t, env, up)
		b.rightFor(up)
		for want, query := range map[string]string{
			"varchar(50)": "SELECT column_type FROM information_schema.columns WHERE table_schema = 'tables'" +
				" AND table_name = 't_component_summary_20260102' AND column_name = 'f_component_name'",
			"done": "SELECT state FROM tables.fate_installer_upgrade" +
				" WHERE source = 'upgrade' AND from_release = '1.7.2' AND to_release = '1.11.4'",
			"passed": "SELECT state FROM tables.fate_installer_upgrade WHERE statement LIKE 'CALL mistaken%'",
			"0": "SELECT COUNT(*) FROM information_schema.tables" +
				" WHERE table_schema = 'tables' AND table_name = 't_model_operation_log'",
			"2": "SELECT COUNT(*) FROM tables.fate_installer_upgrade WHERE source = '1.9.0-1.11.1.sql'",
		} {
			var got string
			if err := b.root.QueryRow(query).Scan(&got); err != nil || got != want {
				t.Errorf("%s: %q, %v; want %q", query, got, err, want)
			}
		}
		isDone(t, env, b.step(schema.Flow, "1.9.1")) // the former release works with what the later one added
	})
}

// cutStep is 1 to cut off at every packet, which takes minutes.
const cutStep = 10

// cutter ends the connection to a server before the n-th packet that a client sends.
type cutter struct {
	net.Conn
	left *atomic.Int64
}

func (c cutter) Write(p []byte) (int, error) {
	if c.left.Add(-1) < 0 {
		_ = c.Conn.Close() // as a kill does
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// TestSchemaUpgradeCutOff ends an upgrade at every statement that it sends, and completes it by another run.
func TestSchemaUpgradeCutOff(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		b := newSchemaBench(t, s, env)
		scripts := writeScripts(t)
		proxy := filepath.Join(t.TempDir(), "p.sock")
		var left atomic.Int64
		listener, err := net.Listen("unix", proxy)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		go forward(listener, b.socket, &left)
		if err := os.Chmod(proxy, 0o777); err != nil {
			t.Fatal(err)
		}
		// Each statement is three packets; the step is no multiple of it, so that each of the three is cut off.
		for n := int64(6); ; n += cutStep {
			b.make(schema.Flow, "1.8.0")
			up := b.step(schema.Flow, "1.11.4")
			up.Scripts = scripts
			cut := up
			cut.Address.Socket = proxy
			left.Store(n)
			failed := cut.Apply(context.Background(), env)
			if err := up.Apply(context.Background(), env); err != nil {
				t.Fatalf("after %d packets (%v): %v", n, failed, err)
			}
			b.rightFor(up)
			var twice string
			err := b.root.QueryRow(
				"SELECT CONCAT(source, ' ', number) FROM tables.fate_installer_upgrade WHERE state = 'done'" +
					" GROUP BY source, number, statement HAVING COUNT(*) > 1 LIMIT 1").Scan(&twice)
			if err != sql.ErrNoRows {
				t.Fatalf("after %d packets: carried out twice: %s, %v", n, twice, err)
			}
			// What was carried out and not recorded has not failed, though the server refuses it the second time.
			var passed string
			err = b.root.QueryRow("SELECT statement FROM tables.fate_installer_upgrade WHERE state = 'passed'" +
				" AND statement NOT LIKE 'CALL mistaken%' LIMIT 1").Scan(&passed)
			if err != sql.ErrNoRows {
				t.Fatalf("after %d packets (%v): recorded as failed: %s, %v", n, failed, passed, err)
			}
			var open int
			err = b.root.QueryRow("SELECT COUNT(*) FROM tables.fate_installer_upgrade WHERE state = 'begun'").Scan(
				&open)
			if err != nil || open != 0 {
				t.Fatalf("after %d packets (%v): %d statements are recorded as begun (%v)", n, failed, open, err)
			}
			if failed == nil {
				return
			}
		}
	})
}

// forward connects each client to the server at socket, cutting it off when no packets are left.
func forward(listener net.Listener, socket string, left *atomic.Int64) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", socket)
		if err != nil {
			_ = client.Close()
			continue
		}
		go func() { pipe(client, server); _ = client.Close() }()
		go func() { pipe(cutter{server, left}, client); _ = server.Close(); _ = client.Close() }()
	}
}

func pipe(to net.Conn, from net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestSchemaUpgradeRepairs ends what was changed by hand in tables of the wanted release.
func TestSchemaUpgradeRepairs(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		b := newSchemaBench(t, s, env)
		b.make(schema.Flow, "1.11.4")
		up := b.step(schema.Flow, "1.11.4")
		isDone(t, env, up)
		for breaks, why := range map[string]string{
			"ALTER TABLE t_task MODIFY f_run_ip VARCHAR(10)": "t_task.f_run_ip is varchar(10), want " +
				"varchar(100)",
			"ALTER TABLE t_task MODIFY f_cmd LONGTEXT NOT NULL": "t_task.f_cmd is longtext NOT NULL, want " +
				"longtext",
			"ALTER TABLE t_job ADD f_work_mode INT NOT NULL":           "f_work_mode (int NOT NULL) must be given",
			"ALTER TABLE t_task DROP COLUMN f_is_deepspeed":            "t_task.f_is_deepspeed is missing",
			"ALTER TABLE t_storage_table_meta MODIFY f_count SMALLINT": "f_count is smallint, want bigint",
		} {
			b.exec(breaks)
			finding, err := up.Check(context.Background(), env)
			if err != nil || finding.Done || !strings.Contains(finding.Why, why) {
				t.Errorf("%s: %+v, %v; want %q", breaks, finding, err, why)
			}
			applied(t, env, up)
			b.rightFor(up)
		}
	})
}

// TestSchemaUpgradeRefuses changes nothing of what it cannot carry over.
func TestSchemaUpgradeRefuses(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		b := newSchemaBench(t, s, env)
		finding, err := b.step(schema.Flow, "1.11.4").Check(context.Background(), env)
		if err != nil || finding.Done || !strings.Contains(finding.Why, "does not exist yet") {
			t.Errorf("without a schema: %+v, %v", finding, err)
		}
		b.exec("CREATE DATABASE tables")
		isDone(t, env, b.step(schema.Flow, "1.11.4")) // FATE-Flow makes its tables itself
		for _, c := range []struct {
			made, wanted, breaks, want string
		}{
			{"1.9.1", "1.6.1", "SELECT 1", "the older 1.6.1"},
			{"1.8.0", "1.11.4", "ALTER TABLE t_job DROP COLUMN f_roles", "t_job.f_roles is missing"},
		} {
			b.make(schema.Flow, c.made)
			b.exec(c.breaks)
			up := b.step(schema.Flow, c.wanted)
			if finding, err := up.Check(context.Background(), env); err == nil ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("%s to %s: %+v, %v; want %q", c.made, c.wanted, finding, err, c.want)
			}
			if err := up.Apply(context.Background(), env); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s to %s: %v; want %q", c.made, c.wanted, err, c.want)
			}
			var records int
			err := b.root.QueryRow("SELECT COUNT(*) FROM information_schema.tables" +
				" WHERE table_schema = 'tables' AND table_name = 'fate_installer_upgrade'").Scan(&records)
			if err != nil || records != 0 {
				t.Errorf("%s to %s: a record was made (%v)", c.made, c.wanted, err)
			}
		}
	})
}
