// Package databasetest starts a real database server for tests.
package databasetest

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fate-installer/installer/answer"
	"fate-installer/installer/database"
	"fate-installer/installer/engine"
	"fate-installer/installer/host"

	"github.com/go-sql-driver/mysql"
)

// Start starts a real server at a socket, and returns its administrator's login.
func Start(t testing.TB, socket string, options ...string) *sql.DB {
	t.Helper()
	const server = "/usr/sbin/mariadbd"
	if _, err := os.Stat(server); err != nil {
		t.Skip("no mariadbd on this machine; install mariadb-server-core")
	}
	h, err := host.New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	data := filepath.Join(t.TempDir(), "mysql")
	init := database.Init{
		Server: database.Server{
			Flavour: database.FlavourMariaDB, Home: "/usr", Program: "sbin/mariadbd", Data: data,
		},
		RootPassword: "administrator", Log: filepath.Join(filepath.Dir(data), "init.log"),
	}
	if err := init.Apply(t.Context(), &engine.Env{Host: h}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	child, err := h.Start(host.Cmd{Args: append([]string{
		server, "--no-defaults", "--datadir=" + data, "--socket=" + socket, "--pid-file=pid", "--user=root",
	}, options...), Output: &log}) // the server looks at the user only when it runs as root
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Stop(context.Background(), time.Minute) })
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.Logger = "root", "administrator", "unix", socket,
		answer.Silent{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1) // USE is of a connection
	for db.Ping() != nil {
		select {
		case <-child.Done():
			t.Fatalf("the server ended: %v\n%s", child.Err(), log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return db
}
