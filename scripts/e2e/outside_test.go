//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/scripts/lab/lab"
	"fate-installer/scripts/mysqlserver"
)

const (
	serverTree   = "/opt/mysql"
	serverSocket = "/var/lib/mysql/mysqld.sock"
	clientFile   = "/root/sqlclient"
	outsideFile  = "/root/cluster.yaml"
)

// outsideCluster has a database that its own administrator runs, and no administrator's account on it.
const outsideCluster = `
host:
  partyid: 10000
  ip: 192.168.0.1
  mysql: {enable: true, type: outside, ips: [192.168.0.9], dbuser: fate, dbpasswd: Outside1!party}
`

// TestOutsideServer installs a party whose database is an outside server of MySQL 8.0.15, Oracle's own build. Its
// administrator gives the party an account with the least rights, by the statements that config sql prints.
func TestOutsideServer(t *testing.T) {
	b := newBench(t, "host=192.168.0.1", "db=192.168.0.9")
	b.startServer("db")
	b.write("host", outsideFile, outsideCluster)
	dropped := ""

	b.step("check refuses before the account is there", func(b bench) {
		out, code, err := b.try("host", installerFile, "check", "--config", outsideFile)
		if err != nil || code != 3 || !strings.Contains(out, "config sql --for-dba") {
			b.t.Errorf("check: exit status %d, %v\n%s", code, err, out)
		}
	})
	b.step("the administrator makes the account", func(b bench) {
		statements := b.run("host", installerFile, "config", "sql", "--for-dba", "--show-secrets", "--config", outsideFile)
		b.t.Log(strings.ReplaceAll(statements, "Outside1!party", "PASSWORD OF fate"))
		b.sql("db", statements)
		grants := b.sql("db", "SHOW GRANTS FOR fate@'192.168.0.1';")
		if strings.Contains(grants, "ALL PRIVILEGES ON *.*") || strings.Contains(grants, "CREATE USER") || strings.Contains(grants, "GRANT OPTION") {
			b.t.Errorf("the account has more rights than the party needs:\n%s", grants)
		}
	})
	b.step("install", func(b bench) {
		out := b.run("host", installerFile, "check", "--all", "--config", outsideFile)
		for line := range strings.Lines(out) {
			if strings.Contains(line, "database") {
				b.t.Log(strings.TrimSpace(line))
			}
		}
		if !strings.Contains(out, "8.0.15") || !strings.Contains(out, "TLS") {
			b.t.Errorf("check does not say which server it found, and how it connected:\n%s", out)
		}
		b.install("host", "--config", outsideFile)
		b.checkReady("host", withoutDatabase()...)
		b.toy("host")
		if out := b.run("host", installerFile, "--config", outsideFile); !strings.Contains(out, "nothing to do") {
			b.t.Errorf("the same command again:\n%s", out)
		}
	})
	b.step("a server that goes away and comes back", func(b bench) {
		b.run("db", "systemctl", "stop", "outside-mysql")
		b.await("svc status says that the party cannot work", func() bool {
			_, code := b.status("host")
			return code == 3
		})
		b.serve("db")
		b.awaitReady("host", withoutDatabase()...)
		b.toy("host")
	})
	b.step("uninstall names what stays on the server", func(b bench) {
		dropped = b.run("host", "fate-installer", "config", "sql", "--drop")
		out := b.run("host", "fate-installer", "uninstall", "--yes")
		b.t.Log(out)
		for line := range strings.Lines(dropped) {
			if strings.HasPrefix(line, "DROP") && !strings.Contains(out, strings.TrimSpace(line)) {
				b.t.Errorf("uninstall does not print %q:\n%s", strings.TrimSpace(line), out)
			}
		}
		if jobs := strings.TrimSpace(b.sql("db", "SELECT COUNT(*) > 0 FROM fate_flow.t_job;")); jobs != "1" {
			b.t.Errorf("jobs on the server: %q", jobs)
		}
	})
	b.step("the statements remove it", func(b bench) {
		b.sql("db", dropped)
		left := b.sql("db", "SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ('fate_flow', 'eggroll_meta');"+
			"\nSELECT user FROM mysql.user WHERE user = 'fate';")
		if left != "" {
			b.t.Errorf("left on the server:\n%s", left)
		}
	})
}

// withoutDatabase are the modules of a party whose database is elsewhere.
func withoutDatabase() []string {
	var names []string
	for _, name := range modulesOfParty {
		if name != "fate-mysql" {
			names = append(names, name)
		}
	}
	return names
}

// startServer puts MySQL on a host, as its administrator would, and a client for it.
func (b bench) startServer(host string) {
	b.t.Helper()
	tree := mysqlserver.ForTest(b.t, mysqlserver.V8015)
	archive := exec.CommandContext(b.t.Context(), "tar", "--create", "--directory", tree, ".")
	out, err := archive.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := archive.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.run(host, "mkdir", "-p", serverTree, filepath.Dir(serverSocket))
	if err := b.Run(b.t.Context(), host, lab.Cmd{Args: []string{"tar", "--extract", "--no-same-owner", "--directory", serverTree}, Stdin: out}); err != nil {
		b.t.Fatal(err)
	}
	if err := archive.Wait(); err != nil {
		b.t.Fatal(err)
	}
	client := filepath.Join(b.t.TempDir(), "sqlclient")
	build := exec.CommandContext(b.t.Context(), "go", "build", "-o", client, "./sqlclient")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	if err := b.CopyTo(b.t.Context(), client, host, clientFile); err != nil {
		b.t.Fatal(err)
	}
	b.run(host, "env", "LD_LIBRARY_PATH="+serverTree+"/"+mysqlserver.LibraryDir, serverTree+"/bin/mysqld", "--no-defaults",
		"--initialize-insecure", "--user=root", "--datadir=/var/lib/mysql/data")
	b.serve(host)
}

// serve starts the server and waits until its administrator can log in.
func (b bench) serve(host string) {
	b.t.Helper()
	b.run(host, "systemd-run", "--unit=outside-mysql", "--setenv=LD_LIBRARY_PATH="+serverTree+"/"+mysqlserver.LibraryDir,
		serverTree+"/bin/mysqld", "--no-defaults", "--user=root", "--datadir=/var/lib/mysql/data", "--socket="+serverSocket,
		"--skip-name-resolve", "--mysqlx=0")
	b.await("the outside server answers", func() bool {
		err := b.Run(b.t.Context(), host, lab.Cmd{Args: []string{clientFile, "-socket", serverSocket}, Stdin: strings.NewReader("SELECT 1;\n")})
		return err == nil
	})
}

// sql carries out statements as the server's administrator, and returns the rows.
func (b bench) sql(host, statements string) string {
	b.t.Helper()
	var out, errOut strings.Builder
	err := b.Run(b.t.Context(), host, lab.Cmd{
		Args: []string{clientFile, "-socket", serverSocket}, Stdin: strings.NewReader(statements + "\n"), Stdout: &out, Stderr: &errOut,
	})
	if err != nil {
		b.t.Fatalf("%v: %s", err, errOut.String())
	}
	return out.String()
}
