package backup

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/host"
	"fate-installer/payload"

	"filippo.io/age"
)

func TestRoundTrip(t *testing.T) {
	db := start(t)
	tables := flowTables(t, db, "fate_flow")
	trees := newTree(t)
	big := strings.Repeat("weights ", 700_000) // more than an entry, and than a frame
	trees.put(t, "model_local_cache/guest#10000/v1/variables.bin", big)
	trees.put(t, "model_local_cache/guest#10000/v1/empty", "")
	trees.put(t, "jobs/2026/job_dsl.json", "{}")
	names := []string{"t_job", "t_task", "t_machine_learning_model_info", "empty_one"}
	before := map[string]string{}
	for _, n := range names {
		before[n] = sum(t, db, "fate_flow."+n)
	}
	models, jobs := trees.content(t, "model_local_cache"), trees.content(t, "jobs")
	to, with := passphrase(t, "correct horse")
	file := create(t, &tables, &trees, to)

	a, sealed := opened(t, file, with)
	if err := a.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := a.Prove(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	m := a.Manifest()
	if m.Database.Jobs != 1200 || m.Database.Models != 2 || m.Database.Bytes < 30_000 ||
		len(m.Database.Tables) != 6 || len(m.Trees) != 2 ||
		m.Trees[0].Files != 2 || m.Trees[0].Bytes != int64(len(big)) || len(m.Unread) != 0 {
		t.Errorf("the manifest has %+v, %+v, %v", m.Database, m.Trees, m.Unread)
	}
	if string(sealed.Keys["host-ca.pem"]) != "PEM" || string(sealed.Site) != `{"role":"host"}` {
		t.Errorf("the secrets are %+v", sealed)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, clear := range []string{"weights", "20260000", "PEM", "AGE-SECRET", "Zürich"} {
		if bytes.Contains(data, []byte(clear)) {
			t.Errorf("%q is in the file in clear", clear)
		}
	}

	// Something else is in use by the time of the restore.
	for _, s := range []string{"DELETE FROM fate_flow.t_job WHERE f_job_id < '202600000600'",
		"DROP TABLE fate_flow.t_task",
		"CREATE TABLE fate_flow.later (id int)"} {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := trees.Host.RemoveAll(path.Join(trees.Home, "jobs")); err != nil {
		t.Fatal(err)
	}
	trees.put(t, "model_local_cache/later", "x")
	r := &Restore{Archive: a, Sealed: sealed, Tables: &tables, Trees: &trees}
	if n, err := tables.Unfinished(t.Context()); err != nil || n != 1 {
		t.Errorf("%d jobs have not ended, %v, want 1", n, err)
	}
	if err := errors.Join(r.Fits(t.Context()), r.Stage(t.Context()), r.Drop(t.Context())); err != nil {
		t.Fatal(err)
	}
	wantRows(t, db, map[string]int{
		"SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name LIKE 'fate_flow%'": 1,
		"SELECT COUNT(*) FROM fate_flow.later":                                                 0})
	if entries, err := trees.Host.ReadDir(trees.Home); err != nil || len(entries) != 1 {
		t.Errorf("%v is left of what was staged, %v", entries, err)
	}
	if err := r.Stage(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.Jobs != 1 {
		t.Errorf("%d jobs were ended, want 1", r.Jobs)
	}
	if err := errors.Join(r.Swap(t.Context()), r.Compare(t.Context()), r.Clean(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n, err := tables.Unfinished(t.Context()); err != nil || n != 0 {
		t.Errorf("%d jobs have not ended, %v, want 0", n, err)
	}
	sameContent(t, trees.content(t, "model_local_cache"), models)
	sameContent(t, trees.content(t, "jobs"), jobs)
	for _, n := range names[2:] {
		if after := sum(t, db, "fate_flow."+n); after != before[n] {
			t.Errorf("table %s has other rows than before: %s, %s", n, after, before[n])
		}
	}
	have, err := tables.tablesOf(t.Context(), "fate_flow")
	if err != nil || slices.Contains(have, "later") || len(have) != 6 {
		t.Errorf("the tables are %v, %v", have, err)
	}
	wantRows(t, db, map[string]int{
		"SELECT COUNT(*) FROM fate_flow.t_job":                                                       1200,
		"SELECT COUNT(*) FROM fate_flow.t_job WHERE f_status = 'canceled' AND f_resource_in_use = 0": 1,
		"SELECT COUNT(*) FROM fate_flow.t_task WHERE f_status = 'canceled'":                          1,
		"SELECT f_remaining_cores FROM fate_flow.t_engine_registry":                                  20,
		"SELECT COUNT(*) FROM fate_flow.t_session_record":                                            0,
		"SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name LIKE 'fate_flow%'":       1,
	})
	entries, err := trees.Host.ReadDir(trees.Home)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v is left in FATE-Flow's directory, %v", entries, err)
	}
}

// TestOwnFileSystem refuses a tree on a file system of its own: it cannot change places with another directory.
func TestOwnFileSystem(t *testing.T) {
	h, err := host.New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	trees := Trees{Host: h, Home: "/"}
	if err := trees.exchangeable("proc"); err == nil || !strings.Contains(err.Error(), "file system of its own") {
		t.Errorf("the error is %v", err)
	}
	trees = newTree(t)
	trees.put(t, "jobs/a", "1")
	if err := errors.Join(trees.exchangeable("jobs"), trees.exchangeable("missing")); err != nil {
		t.Error(err)
	}
}

// wantRows compares the results of queries.
func wantRows(t *testing.T, db *sql.DB, want map[string]int) {
	t.Helper()
	for query, n := range want {
		var got int
		if err := db.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != n {
			t.Errorf("%s gives %d, %v, want %d", query, got, err, n)
		}
	}
}

// TestSnapshot changes the tables while they are read: the backup has them as they were at one moment.
func TestSnapshot(t *testing.T) {
	db := start(t)
	tables := flowTables(t, db, "fate_flow")
	db.SetMaxOpenConns(2)
	to, with := passphrase(t, "x")
	file := filepath.Join(t.TempDir(), "b")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	changed := false
	if err := Create(t.Context(), out, newManifest(), &Sealed{Site: []byte("{}")}, Content{
		Database: func(ctx context.Context, m *Manifest, w *RecordWriter) error {
			return tables.Dump(ctx, m, w, func(int64) {
				if changed {
					return
				}
				changed = true // with the first row
				for _, s := range []string{"DELETE FROM fate_flow.t_machine_learning_model_info",
					"INSERT INTO fate_flow.t_task VALUES ('late', 'success', 'success')"} {
					if _, err := db.ExecContext(ctx, s); err != nil {
						t.Error(err)
					}
				}
			})
		},
	}, []age.Recipient{to}); err != nil {
		t.Fatal(err)
	}
	a, sealed := opened(t, file, with)
	if err := a.Prove(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	for _, table := range a.Manifest().Database.Tables {
		if want := map[string]int64{"t_machine_learning_model_info": 2, "t_task": 2}[table.Name]; want != 0 &&
			table.Rows != want {
			t.Errorf("%s has %d rows, want %d as at the beginning", table.Name, table.Rows, want)
		}
	}
}

// TestEngineWithoutSnapshots refuses a table that could not be had as it was at one moment.
func TestEngineWithoutSnapshots(t *testing.T) {
	db := start(t)
	for _, s := range []string{"CREATE DATABASE fate_flow", "CREATE TABLE fate_flow.old (id int) ENGINE=MyISAM"} {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	err := Tables{Admin: db, Schema: "fate_flow"}.Dump(t.Context(), newManifest(), testWriter(&b), func(int64) {})
	if err == nil || !strings.Contains(err.Error(), "ENGINE=InnoDB") {
		t.Errorf("the error is %v", err)
	}
}

// TestOtherKey: a wrong passphrase says so, and streams of another backup are refused.
func TestOtherKey(t *testing.T) {
	trees := newTree(t)
	trees.put(t, "jobs/a", "1")
	to, _ := passphrase(t, "right")
	_, wrong := passphrase(t, "wrong")
	a, err := Open(create(t, nil, &trees, to))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Unlock(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("the error is %v", err)
	}
}

// TestRecipient encrypts to a public key, and decrypts with its identity.
func TestRecipient(t *testing.T) {
	trees := newTree(t)
	trees.put(t, "jobs/a", "1")
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	a, sealed := opened(t, create(t, nil, &trees, key.Recipient()), key)
	if err := a.Prove(t.Context(), sealed); err != nil {
		t.Error(err)
	}
}

// TestNoBackup refuses what is none.
func TestNoBackup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	for name, content := range map[string]string{"empty": "", "text": "hello", "zeros": strings.Repeat("\x00", 4096)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(file); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// TestSplit reads a backup that was cut into parts.
func TestSplit(t *testing.T) {
	trees := newTree(t)
	trees.put(t, "jobs/a", strings.Repeat("abc", 100_000))
	to, with := passphrase(t, "x")
	file := create(t, nil, &trees, to)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := payload.Split(t.Context(), file, info.Size()/3+1, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	a, sealed := opened(t, file, with)
	if err := errors.Join(a.Verify(t.Context(), nil), a.Prove(t.Context(), sealed)); err != nil {
		t.Error(err)
	}
}
