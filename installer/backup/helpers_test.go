package backup

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/database"
	"fate-installer/installer/database/databasetest"
	"fate-installer/installer/host"

	"filippo.io/age"
)

// newTree makes a host that is a directory tree with FATE-Flow's directories.
func newTree(t testing.TB) Trees {
	t.Helper()
	h, err := host.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	trees := Trees{Host: h, Home: "/data/projects/fate/fateflow", Owner: "app", Group: "apps"}
	if err := h.MkdirAll(trees.Home, host.FileMode{Perm: 0o755}); err != nil {
		t.Fatal(err)
	}
	return trees
}

// put writes a file with its directories.
func (t Trees) put(tb testing.TB, name, content string) {
	tb.Helper()
	file := path.Join(t.Home, name)
	if err := t.Host.MkdirAll(path.Dir(file), host.FileMode{Perm: 0o755}); err != nil {
		tb.Fatal(err)
	}
	if err := t.Host.WriteFile(file, []byte(content), host.FileMode{Perm: 0o640}); err != nil {
		tb.Fatal(err)
	}
}

// content lists the files of a directory with what they have.
func (t Trees) content(tb testing.TB, name string) map[string]string {
	tb.Helper()
	out := map[string]string{}
	root := path.Join(t.Home, name)
	if !t.Host.Exists(root) {
		return out
	}
	if err := t.walk(context.Background(), root, "", func(rel string, info os.FileInfo) error {
		if !info.Mode().IsRegular() {
			return nil
		}
		data, err := t.Host.ReadFile(path.Join(root, rel))
		out[rel] = string(data)
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	return out
}

func sameContent(t testing.TB, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d files, want %d: %.300v", len(got), len(want), got)
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s has %.80q, want %.80q", name, got[name], text)
		}
	}
}

// flowTables makes a database as FATE-Flow's, with values that are hard to keep.
func flowTables(t testing.TB, db *sql.DB, schema string) Tables {
	t.Helper()
	for _, s := range []string{
		"CREATE DATABASE " + schema,
		"CREATE TABLE " + schema + ".t_job (f_job_id varchar(25), f_role varchar(50), f_status varchar(50), " +
			"f_resource_in_use tinyint(1) NOT NULL, f_dsl longtext, f_start datetime DEFAULT CURRENT_TIMESTAMP, " +
			"PRIMARY KEY (f_job_id, f_role)) DEFAULT CHARSET=utf8mb3 COMMENT='it''s\na comment'",
		"CREATE TABLE " + schema + ".t_task (f_task_id varchar(100) PRIMARY KEY, f_status varchar(50), " +
			"f_party_status varchar(50))",
		"CREATE TABLE " + schema + ".t_machine_learning_model_info (f_model_id varchar(100), f_model_version " +
			"varchar(100), f_blob longblob, f_bits bit(9), f_latin varchar(20) CHARACTER SET latin1, f_empty text, " +
			"f_stamp timestamp NULL, f_twice int AS (LENGTH(f_model_id) * 2) VIRTUAL)",
		"CREATE TABLE " + schema + ".t_engine_registry (f_cores int, f_remaining_cores int, f_memory int, " +
			"f_remaining_memory int)",
		"CREATE TABLE " + schema + ".t_session_record (f_engine_session_id varchar(100))",
		"CREATE TABLE " + schema + ".empty_one (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY)",
		"INSERT INTO " + schema + ".t_engine_registry VALUES (20, 4, 100, 7)",
		"INSERT INTO " + schema + ".t_session_record VALUES ('s1')",
		"INSERT INTO " + schema + ".t_task VALUES ('a', 'running', 'running'), ('b', 'success', 'success')",
		"START TRANSACTION",
	} {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	for i := range 1200 {
		status := "success"
		if i == 1199 {
			status = "running"
		}
		if _, err := db.ExecContext(t.Context(), "INSERT INTO "+schema+".t_job (f_job_id, f_role, f_status, "+
			"f_resource_in_use, f_dsl) VALUES (?, 'guest', ?, ?, ?)", fmt.Sprintf("2026%08d", i), status, i == 1199,
			strings.Repeat("{\"é'\\\n\":\x00 1}", i%7)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO "+schema+".t_machine_learning_model_info (f_model_id, "+
		"f_model_version, f_blob, f_bits, f_latin, f_empty, f_stamp) VALUES ('m', 'v1', ?, b'101010101', 'Zürich', "+
		"'', '2026-03-29 02:30:00'), ('m', 'v2', NULL, NULL, NULL, NULL, NULL)",
		[]byte{0, 0xff, '\'', '\\', 0x1a, '\n'}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	return Tables{Admin: db, Schema: schema}
}

// sum is a digest of all rows of a table, computed by the server.
func sum(t testing.TB, db *sql.DB, table string) string {
	t.Helper()
	var name, digest sql.NullString
	if err := db.QueryRowContext(t.Context(), "CHECKSUM TABLE "+table).Scan(&name, &digest); err != nil {
		t.Fatal(err)
	}
	return digest.String
}

// start starts a database server.
func start(t testing.TB) *sql.DB {
	t.Helper()
	dir, err := os.MkdirTemp("", "bk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	databasetest.Start(t, socket, "--skip-networking", "--debug-no-sync", "--innodb-file-per-table=0")
	h, err := host.New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	db, err := database.OpenAdministrator(h, socket, "administrator")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// passphrase is cheap to derive.
func passphrase(t testing.TB, text string) (age.Recipient, age.Identity) {
	t.Helper()
	to, err := age.NewScryptRecipient(text)
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(10)
	with, err := age.NewScryptIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	return to, with
}

func newManifest() *Manifest {
	return &Manifest{Schema: Schema, ID: "20261130T120000Z-0001", Made: time.Now().UTC(), Program: "test", Host: "h1",
		Role: "host", Party: 10000, IP: "192.168.0.1", FATE: "1.11.4", Components: map[string]string{"fate": "1.11.4"},
		Encryption: ByPassphrase, Trees: []Tree{}, Unread: []string{}, NotBacked: []string{}}
}

// create makes a backup and returns its name.
func create(t testing.TB, tables *Tables, trees *Trees, to age.Recipient) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "b.fatebackup")
	out, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	content := Content{}
	if tables != nil {
		content.Database = func(ctx context.Context, m *Manifest, w *RecordWriter) error {
			return tables.Dump(ctx, m, w, func(int64) {})
		}
	}
	if trees != nil {
		content.Files = func(ctx context.Context, m *Manifest, w *RecordWriter) error {
			return trees.Write(ctx, m, w, func(int64) {})
		}
	}
	sealed := &Sealed{Site: []byte(`{"role":"host"}`), Keys: map[string][]byte{"host-ca.pem": []byte("PEM")}}
	if err := Create(t.Context(), out, newManifest(), sealed, content, []age.Recipient{to}); err != nil {
		t.Fatal(err)
	}
	return file
}

// opened opens a backup and its secrets.
func opened(t testing.TB, file string, with age.Identity) (*Archive, *Sealed) {
	t.Helper()
	a, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	s, err := a.Unlock(t.Context(), with)
	if err != nil {
		t.Fatal(err)
	}
	return a, s
}
