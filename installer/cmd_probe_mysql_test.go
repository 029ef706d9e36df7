package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/database/databasetest"
	"fate-installer/scripts/mysqlserver"
)

// TestProbeLogsInWhereClientsDo: a database server is ready when it lets programs in at the address that they use. Its
// socket alone says nothing of a server that waits for a name server, or is bound elsewhere.
func TestProbeLogsInWhereClientsDo(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "fp") // the address of a socket has room for 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, port := filepath.Join(dir, "s"), mysqlserver.FreePort(t)
	db := databasetest.Start(t, socket, "--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", port),
		"--skip-name-resolve")
	for _, statement := range []string{
		"CREATE USER fate@localhost IDENTIFIED BY 'Service1'", "CREATE USER fate@'127.0.0.1' IDENTIFIED BY 'Service1'",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never greets
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	probe := func(more string) error {
		t.Helper()
		file := filepath.Join(t.TempDir(), "probe.cnf")
		text := "[client]\nuser=fate\npassword=Service1\nsocket=" + socket + "\n" + more
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return runProbeMySQL(t.Context(), file)
	}
	at := func(address string) string {
		host, port, _ := net.SplitHostPort(address)
		return "host=\"" + host + "\"\nport=" + port + "\n"
	}
	here := fmt.Sprintf("127.0.0.1:%d", port)
	if err := probe(""); err != nil {
		t.Errorf("without an address: %v", err)
	}
	if err := probe(at(here)); err != nil {
		t.Errorf("at its address: %v", err)
	}
	for _, address := range []string{fmt.Sprintf("127.0.0.2:%d", port), silent.Addr().String()} {
		if err := probe(at(address)); err == nil || !strings.Contains(err.Error(), address+", where its clients do") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "DROP USER fate@'127.0.0.1'"); err != nil {
		t.Fatal(err)
	}
	if err := probe(at(here)); err != nil {
		t.Errorf("where all clients are elsewhere: %v", err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE USER fate@'127.0.0.1' IDENTIFIED BY 'Another1'"); err != nil {
		t.Fatal(err)
	}
	if err := probe(at(here)); err == nil || !strings.Contains(err.Error(), "Access denied") {
		t.Errorf("with another password at its address: %v", err)
	}
}
