package database

import (
	"database/sql"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/scripts/mysqlserver"
)

// TestModelStoreLock asks real servers for the lock that FATE-Flow's model store takes. MySQL gives it; MariaDB answers
// NULL, and a function of that name changes nothing. When this fails for a newer MariaDB, package fate's check of the
// model store is to let that version pass.
func TestModelStoreLock(t *testing.T) {
	test := func(t *testing.T, s Server, env *engine.Env) {
		init := testInit(s)
		applied(t, env, init)
		socket := running(t, env, s)
		db := login(t, env, socket, "root", testRootPassword)
		lock := func() sql.NullInt64 {
			t.Helper()
			var got sql.NullInt64
			if err := db.QueryRow("SELECT GET_LOCK('sync_model', -1)").Scan(&got); err != nil {
				t.Fatal(err)
			}
			return got
		}
		want := sql.NullInt64{Int64: 1, Valid: s.Flavour == FlavourMySQL}
		if got := lock(); got.Valid != want.Valid {
			t.Errorf("GET_LOCK(name, -1) is %+v, want %+v", got, want)
		}
		if s.Flavour == FlavourMySQL {
			return
		}
		db.SetMaxOpenConns(1)
		for _, statement := range []string{
			"CREATE DATABASE fate_flow", "USE fate_flow", "SET sql_mode=''",
			"CREATE FUNCTION `GET_LOCK` (name VARCHAR(64), wait INT) RETURNS INT DETERMINISTIC RETURN 1",
		} {
			if _, err := db.Exec(statement); err != nil {
				t.Logf("%s: %v", statement, err)
			}
		}
		if got := lock(); got.Valid {
			t.Errorf("with a stored function GET_LOCK(name, -1) is %+v", got)
		}
	}
	eachServer(t, test)
	t.Run("mysql-8.0.15", func(t *testing.T) {
		s := Server{
			Flavour: FlavourMySQL, Home: mysqlserver.ForTest(t, mysqlserver.V8015), Program: "bin/mysqld",
			LibraryPath: []string{mysqlserver.LibraryDir},
		}
		onServer(t, s, test)
	})
}
