//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/database"
	"fate-installer/scripts/lab/lab"
	"fate-installer/scripts/mysqlserver"
)

const (
	outsideHost  = "db" // of the database server of others
	serverTree   = "/opt/mysql"
	serverSocket = "/var/lib/mysql/mysqld.sock"
	clientFile   = "/root/sqlclient"
	outsideFile  = "/root/cluster.yaml"
)

// outsideCluster has a database that its own administrator runs, and no administrator's account on it.
const outsideCluster = `host:
  partyid: 10000
  ip: 192.168.0.1
  mysql: {type: outside, ips: [192.168.0.9], dbuser: fate, dbpasswd: 'Outside1!"party"'}
`

// administrator is an account at the outside server with which statements are run; password blank: none.
type administrator struct{ name, password string }

// root may do everything. dba may make the schemas and accounts of a party, and nothing else.
var (
	root = administrator{"root", ""}
	dba  = administrator{"dba", "Dba-1-of-the-bank"}
)

// rightsOfDBA are the least that one who makes the schemas and accounts of a party needs.
func rightsOfDBA(account string) []string {
	rights := strings.Join(database.ServiceRights(), ", ")
	return []string{
		"GRANT CREATE USER ON *.* TO " + account + ";",
		"GRANT " + rights + " ON `eggroll\\_meta`.* TO " + account + " WITH GRANT OPTION;",
		"GRANT " + rights + " ON `fate\\_flow`.* TO " + account + " WITH GRANT OPTION;",
	}
}

// TestOutsideServer has a party use an outside server of MySQL 8.0.15, Oracle's own build, with its defaults for
// accounts and TLS. Its administrator, who has no more rights than needed, runs the statements that config sql prints;
// then the installer gets an account with such rights.
func TestOutsideServer(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1", outsideHost+"=192.168.0.9")
	b.step("a server of others", func(b bench) {
		b.startServer(outsideHost)
		create := "CREATE USER dba@localhost IDENTIFIED BY '" + dba.password + "';"
		b.sql(root, append([]string{create}, rightsOfDBA("dba@localhost")...)...)
	})
	b.step("the administrator makes the account", func(b bench) { b.outsideByStatements() })
	b.step("install", func(b bench) { b.outsideInstall() })
	b.step("the server goes away and comes back", func(b bench) { b.outsideAway() })
	b.step("uninstall names what stays on the server", func(b bench) { b.outsideUninstalled() })
	b.step("the administrator gives an account", func(b bench) { b.outsideByAccount() })
}

// outsideByStatements has the administrator make the service's account.
func (b bench) outsideByStatements() {
	b.write("host", outsideFile, outsideCluster)
	out, code, err := b.try("host", installerFile, "check", "--config", outsideFile)
	if err != nil || code != 3 || !strings.Contains(out, "config sql --for-dba") ||
		!strings.Contains(out, "Host '192.168.0.1' is not allowed to connect") {
		b.t.Errorf("check before the account is there: exit status %d, %v\n%s", code, err, out)
	}
	b.t.Logf("check\n%s", out)
	statements := b.run("host", installerFile, "config", "sql", "--for-dba", "--show-secrets", "--config", outsideFile)
	b.t.Logf("config sql --for-dba\n%s", strings.ReplaceAll(statements, `Outside1!"party"`, "PASSWORD OF fate"))
	b.t.Logf("the administrator's rights\n%s", b.sql(dba, "SHOW GRANTS;"))
	b.sql(dba, statements)
	grants := b.sql(root, "SHOW GRANTS FOR fate@'192.168.0.1';")
	b.t.Logf("the service's rights\n%s", grants)
	if strings.Contains(grants, "ALL PRIVILEGES") || strings.Contains(grants, "GRANT OPTION") ||
		!strings.Contains(grants, "GRANT USAGE ON *.*") {
		b.t.Error("the account has more rights than the party needs")
	}
}

// outsideInstall installs without any account but the service's.
func (b bench) outsideInstall() {
	b.shows("host", []string{"8.0.15, as fate@192.168.0.1, encrypted with TLS", "max_connections 151",
		"enough; there already: fate@192.168.0.1", "0 refused"}, installerFile, "check", "--all",
		"--config", outsideFile)
	b.install("host", "--config", outsideFile)
	b.checkReady("host", withoutDatabase()...)
	b.toy("host")
	if out := b.run("host", installerFile, "--config", outsideFile); !strings.Contains(out, "nothing to do") {
		b.t.Errorf("the same command again:\n%s", out)
	}
	accounts := b.sql(root, "SELECT host FROM mysql.user WHERE user = 'fate';")
	if strings.TrimSpace(accounts) != "192.168.0.1" {
		b.t.Errorf("accounts at the outside server:\n%s", accounts)
	}
}

// outsideAway stops the server and starts it again. It then knows no account's password from an earlier login.
func (b bench) outsideAway() {
	b.run(outsideHost, "systemctl", "stop", "outside-mysql")
	b.await("svc status says that the party cannot work", func() bool {
		_, code := b.status("host")
		return code == 3
	})
	b.serve(outsideHost)
	b.awaitReady("host", withoutDatabase()...)
	b.toy("host")
}

// outsideUninstalled removes the party, and by what that prints what is left of it at the server.
func (b bench) outsideUninstalled() {
	dropped := b.run("host", "fate-installer", "config", "sql", "--drop")
	out := b.run("host", "fate-installer", "uninstall", "--yes", "--purge-data")
	b.t.Logf("uninstall\n%s", out)
	for line := range strings.Lines(dropped) {
		if !strings.Contains(out, strings.TrimSpace(line)) {
			b.t.Errorf("uninstall does not print %s", line)
		}
	}
	if jobs := strings.TrimSpace(b.sql(root, "SELECT COUNT(*) > 0 FROM fate_flow.t_job;")); jobs != "1" {
		b.t.Errorf("jobs on the server: %q", jobs)
	}
	b.sql(dba, dropped)
	left := b.sql(root,
		"SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ('fate_flow', 'eggroll_meta');",
		"SELECT user FROM mysql.user WHERE user = 'fate';")
	if left != "" {
		b.t.Errorf("left on the server:\n%s", left)
	}
}

// outsideByAccount installs with an account of least rights, which may not read the server's table of accounts.
func (b bench) outsideByAccount() {
	const account = "'installer'@'192.168.0.1'"
	b.sql(root, append([]string{"CREATE USER " + account + " IDENTIFIED BY 'Installer-1';"},
		rightsOfDBA(account)...)...)
	b.write("host", outsideFile, outsideCluster+"mysql: {user: installer, passwd: Installer-1}\n")
	b.shows("host", []string{"8.0.15, as installer@192.168.0.1, encrypted with TLS", "enough; there already: none"},
		installerFile, "check", "--all", "--config", outsideFile)
	b.install("host", "--config", outsideFile)
	b.checkReady("host", withoutDatabase()...)
	b.toy("host")
	b.run("host", "fate-installer", "uninstall", "--yes", "--purge-data")
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
	extract := []string{"tar", "--extract", "--no-same-owner", "--directory", serverTree}
	if err := b.Run(b.t.Context(), host, lab.Cmd{Args: extract, Stdin: out}); err != nil {
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
	b.run(host, "env", "LD_LIBRARY_PATH="+serverTree+"/"+mysqlserver.LibraryDir, serverTree+"/bin/mysqld",
		"--no-defaults",
		"--initialize-insecure", "--user=root", "--datadir=/var/lib/mysql/data")
	b.serve(host)
}

// serve starts the server and waits until its administrator can log in.
func (b bench) serve(host string) {
	b.t.Helper()
	b.run(host, "systemd-run", "--unit=outside-mysql", "--setenv=LD_LIBRARY_PATH="+serverTree+"/"+
		mysqlserver.LibraryDir,
		serverTree+"/bin/mysqld", "--no-defaults", "--user=root", "--datadir=/var/lib/mysql/data",
		"--socket="+serverSocket,
		"--skip-name-resolve", "--mysqlx=0")
	b.await("the outside server answers", func() bool {
		err := b.Run(b.t.Context(), host, lab.Cmd{
			Args: []string{clientFile, "-socket", serverSocket}, Stdin: strings.NewReader("SELECT 1;\n"),
		})
		return err == nil
	})
}

// sql carries out statements at the outside server, on its own host, and returns the rows.
func (b bench) sql(who administrator, statements ...string) string {
	b.t.Helper()
	var out, errOut strings.Builder
	err := b.Run(b.t.Context(), outsideHost, lab.Cmd{
		Args:  []string{clientFile, "-socket", serverSocket, "-user", who.name, "-password", who.password},
		Stdin: strings.NewReader(strings.Join(statements, "\n") + "\n"), Stdout: &out, Stderr: &errOut,
	})
	if err != nil {
		b.t.Fatalf("%s at the outside server: %v: %s", who.name, err, errOut.String())
	}
	return out.String()
}
