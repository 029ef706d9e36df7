//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"fate-installer/scripts/maven"
	"fate-installer/scripts/mysqlserver"
)

// zoneNames are zones east and west of UTC, each of the server's and of the JVM's.
var zoneNames = []string{"UTC", "Asia/Shanghai", "America/New_York"}

// zoneCases are the releases of FATE whose URL is tried, each with the driver in its eggroll's lib. The last is a site
// that has replaced the driver by a current one.
var zoneCases = []struct{ fate, driver string }{
	{"1.5.0", "8.0.16"}, {"1.7.1", "8.0.16"}, {"1.8.0", "8.0.27"}, {"1.9.1", "8.0.28"}, {"1.11.4", "8.0.28"},
	{"1.11.4", "8.4.0"},
}

// TestTimeZones runs MySQL's real JDBC driver, in each version that a release of eggroll has, with the URL that is
// rendered for the release, against a real MariaDB and a real MySQL: whatever zone the server and the JVM have, a row
// that was just written is not old. It needs no lab.
func TestTimeZones(t *testing.T) {
	t.Parallel()
	classes, drivers := zoneProbe(t)
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FATE\tdriver\tdatabase\tserver\tJVM\tcreated_at\tsent\tby the server's clock\tsession's zone")
	for _, run := range zoneRuns(t) {
		server, address := run.zone, startZoneServer(t, run)
		probe := func(driver, jvm, query string) (offsets [3]int, zone string) {
			cmd := exec.Command("java", "-XX:TieredStopAtLevel=1", "-cp", classes+":"+drivers[driver], "Zones",
				"jdbc:mysql://"+address+"/test?"+query)
			cmd.Env = append(os.Environ(), "TZ="+jvm)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("driver %s, JVM in %s, server in %s: %v\n%s", driver, jvm, server, err, out)
			}
			if _, err := fmt.Sscan(string(out), &offsets[0], &offsets[1], &offsets[2], &zone); err != nil {
				t.Fatalf("the probe printed %q: %v", out, err)
			}
			return offsets, zone
		}
		for _, jvm := range zoneNames {
			for _, c := range zoneCases {
				offsets, zone := probe(c.driver, jvm, renderedQuery(t, c.fate))
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d s\t%d s\t%d s\t%s\n", c.fate, c.driver, run.database, server,
					jvm, offsets[0], offsets[1], offsets[2], zone)
				for _, offset := range offsets {
					if offset < -60 || offset > 60 {
						t.Errorf("FATE %s, driver %s, %s in %s, JVM in %s: times are %v s off", c.fate, c.driver,
							run.database, server, jvm, offsets)
						break
					}
				}
			}
		}
		if server == "UTC" { // what upstream's template does; the probe has to see it
			if offsets, _ := probe("8.0.28", "UTC",
				"useSSL=false&serverTimezone=Asia/Shanghai"); offsets[0] < 8*3600-60 {
				t.Errorf("with upstream's URL created_at is %d s old, not 8 hours", offsets[0])
			}
		}
	}
	w.Flush()
	t.Logf("offsets from the JVM's clock:\n%s", &table)
}

// zoneProbe compiles the probe and fetches the drivers; it returns the directory of classes and the driver's jar files.
func zoneProbe(t *testing.T) (classes string, drivers map[string]string) {
	t.Helper()
	drivers = make(map[string]string)
	for _, c := range zoneCases {
		artifact, err := maven.Connector(c.driver)
		if err != nil {
			t.Fatal(err)
		}
		if drivers[c.driver], err = maven.Fetch(t.Context(), artifact); err != nil {
			t.Fatal(err)
		}
	}
	classes = t.TempDir()
	if out, err := exec.Command("javac", "-d", classes, "testdata/Zones.java").CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return classes, drivers
}

// renderedQuery follows the database's name in the JDBC URL that is rendered for a release of FATE.
func renderedQuery(t *testing.T, version string) string {
	t.Helper()
	program, err := bareProgram()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "tree")
	cmd := exec.Command(program, "render", "--config", "-", "--ip", "192.168.0.1", "--fate-version",
		version, "--out", out)
	cmd.Stdin = strings.NewReader("host: {partyid: 10000, ip: 192.168.0.1}\n")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("render for FATE %s: %v\n%s", version, err, text)
	}
	data, err := os.ReadFile(filepath.Join(out, "data/projects/fate/eggroll/conf/eggroll.properties"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if url, ok := strings.CutPrefix(strings.TrimSpace(line),
			"eggroll.resourcemanager.clustermanager.jdbc.url="); ok {
			_, query, _ := strings.Cut(url, "?")
			return query
		}
	}
	t.Fatalf("eggroll.properties of FATE %s has no JDBC URL", version)
	return ""
}

// zoneRun is a database server to start in a time zone. command has all but the data directory and the address.
type zoneRun struct {
	zone, database, data string
	command              []string
	env                  []string
}

// zoneRuns lists the servers: a MariaDB without accounts, and a MySQL 8 when it can be had.
func zoneRuns(t *testing.T) []zoneRun {
	t.Helper()
	mariadb := zoneRun{database: "MariaDB", data: t.TempDir(),
		command: []string{"mariadbd", "--no-defaults", "--user=root", "--skip-grant-tables"}}
	if err := os.Mkdir(filepath.Join(mariadb.data, "test"), 0o700); err != nil {
		t.Fatal(err)
	}
	servers := []zoneRun{mariadb}
	t.Run("MySQL", func(sub *testing.T) { // skipped without one
		home, err := mysqlserver.Tree(t.Context(), mysqlserver.V8015)
		if errors.Is(err, mysqlserver.ErrUnavailable) {
			sub.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		r := zoneRun{
			database: "MySQL 8.0.15", data: filepath.Join(t.TempDir(), "data"),
			command: []string{filepath.Join(home, "bin/mysqld"), "--no-defaults", "--user=root", "--mysqlx=0"},
			env:     []string{"LD_LIBRARY_PATH=" + filepath.Join(home, mysqlserver.LibraryDir)},
		}
		sql := filepath.Join(t.TempDir(), "init.sql")
		if err := os.WriteFile(sql, []byte("CREATE DATABASE test;\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(r.command[0], append(slices.Clone(r.command[1:]), "--initialize-insecure",
			"--datadir="+r.data, "--init-file="+sql)...)
		cmd.Env = append(os.Environ(), r.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("mysqld --initialize: %v\n%s", err, out)
		}
		servers = append(servers, r)
	})
	var runs []zoneRun
	for _, r := range servers {
		for _, r.zone = range zoneNames {
			runs = append(runs, r)
		}
	}
	return runs
}

// startZoneServer starts a server in its time zone, ends it with the test, and returns its address. A server that runs
// on the same data in another zone is ended before.
func startZoneServer(t *testing.T, r zoneRun) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	var output bytes.Buffer
	cmd := exec.Command(r.command[0], append(slices.Clone(r.command[1:]), "--datadir="+r.data,
		"--socket="+filepath.Join(r.data, "s"),
		"--pid-file="+filepath.Join(r.data, "pid"), "--bind-address=127.0.0.1",
		"--port="+strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))...)
	cmd.Env = append(append(os.Environ(), "TZ="+r.zone), r.env...)
	cmd.Stdout, cmd.Stderr = &output, &output
	stopZoneServer()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stopZoneServer = func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err == nil {
			<-ended
		}
		stopZoneServer = func() {}
	}
	t.Cleanup(func() { stopZoneServer() })
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
			return address
		}
		select {
		case err := <-ended:
			t.Fatalf("%s ended: %v\n%s", r.database, err, output.Bytes())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stopZoneServer ends the server that startZoneServer has started last.
var stopZoneServer = func() {}
