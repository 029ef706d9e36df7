package render

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"fate-installer/installer/database"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/scripts/cache"
	"fate-installer/scripts/maven"
	"fate-installer/scripts/mysqlserver"

	"github.com/go-sql-driver/mysql"
)

// allServersVariable makes TestDatabaseServers try every server that can be had, which takes minutes and a network the
// first time; otherwise it tries those that are at hand on most machines.
const allServersVariable = "FATE_TEST_ALL_DATABASES"

// serverRun has the measurements of TestDatabaseServers for one server.
type serverRun struct {
	server                 mysqlserver.Server
	made, started, filled  time.Duration
	charsets, plugin       string
	goClient, python, java string
}

// TestDatabaseServers makes a database with the product's own steps, starts the real server as it is rendered to be
// started, fills it, and logs in with the drivers of FATE.
func TestDatabaseServers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts database servers")
	}
	all := os.Getenv(allServersVariable) != ""
	var runs []serverRun
	for _, source := range mysqlserver.Sources() {
		t.Run(source.Name, func(t *testing.T) {
			if !all && !strings.Contains(source.Name, "this machine") {
				t.Skipf("long; make test-mysql, which sets %s, runs it", allServersVariable)
			}
			runs = append(runs, tryServer(t, source.ForTest(t)))
		})
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVER\tMADE\tSTARTED\tFILLED\tCHARACTER SETS\tPASSWORDS\tTLS OF GO\tPyMySQL\tConnector/J")
	for _, r := range runs {
		fmt.Fprintf(w, "%s\t%.1f s\t%.1f s\t%.1f s\t%s\t%s\t%s\t%s\t%s\n", r.server.Name, r.made.Seconds(),
			r.started.Seconds(), r.filled.Seconds(), r.charsets, r.plugin, r.goClient, r.python, r.java)
	}
	w.Flush()
	t.Logf("database servers:\n%s", &table)
}

// serverParty is a party whose database is the server, on this machine's loopback interface and below a short
// directory, since the path of a socket has room for about a hundred characters.
type serverParty struct {
	spec *cluster.Spec
	db   Database
	env  *engine.Env
}

func newServerParty(t *testing.T, server mysqlserver.Server) *serverParty {
	t.Helper()
	base, err := os.MkdirTemp("", "fate-db-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	engineName, user := "mysql", fmt.Sprint(os.Getuid())
	if server.MariaDB {
		engineName = "mariadb"
	}
	if os.Getuid() == 0 {
		user = "nobody"
	}
	spec := databaseSpecOf(t, engineName, server.Version,
		fmt.Sprintf("host: {partyid: 10000, ip: 192.168.0.1, mysql: {port: %d}}\n", mysqlserver.FreePort(t)))
	spec.Layout, spec.User, spec.Group = cluster.Layout{Base: base}, user, ""
	spec.LibraryPaths = map[string][]string{engineName: server.LibraryPath}
	spec.Side.MySQL.IPs = []string{"127.0.0.2"} // the server also listens at 127.0.0.1
	h, err := host.New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	db, ok := DatabaseOf(spec)
	if !ok {
		t.Fatal("the party has no database")
	}
	p := &serverParty{spec, db, &engine.Env{Host: h}}
	p.place(t, server)
	return p
}

// place puts the server and the files of the party where an installation has them.
func (p *serverParty) place(t *testing.T, server mysqlserver.Server) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.db.Home), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(server.Home, p.db.Home); err != nil {
		t.Fatal(err)
	}
	mode := host.FileMode{Perm: 0o755, Owner: p.spec.User}
	for _, dir := range []string{filepath.Dir(p.db.Socket), p.db.Logs, filepath.Dir(p.db.Data),
		p.spec.Layout.DatabaseTemp()} {
		if err := p.env.Host.MkdirAll(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("../../../scripts/fatesim/eggroll/conf/create-eggroll-meta-tables.sql")
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{p.db.Config: myCnf(p.spec), p.spec.Layout.MetaSchema(): script} {
		if err := p.env.Host.MkdirAll(filepath.Dir(file), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// apply carries a step out, looks whether that was enough, and returns the time it took.
func (p *serverParty) apply(t *testing.T, s engine.Step) time.Duration {
	t.Helper()
	begin := time.Now()
	if err := s.Apply(t.Context(), p.env); err != nil {
		t.Fatalf("%v\n%s", err, p.logs())
	}
	took := time.Since(begin)
	if finding, err := s.Check(t.Context(), p.env); err != nil || !finding.Done {
		t.Fatalf("%s: %+v, %v", s.ID(), finding, err)
	}
	return took
}

// logs are the server's, for a failed test.
func (p *serverParty) logs() string {
	var out strings.Builder
	_ = fs.WalkDir(os.DirFS(p.db.Logs), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := os.ReadFile(filepath.Join(p.db.Logs, name))
			fmt.Fprintf(&out, "--- %s\n%s", name, data)
		}
		return nil
	})
	return out.String()
}

func (p *serverParty) init() database.Init {
	return database.Init{
		Server: database.Server{
			Flavour: database.Flavour(p.db.Engine), Home: p.db.Home, Program: cluster.DatabaseServer(p.db.Engine),
			Data: p.db.Data, User: p.spec.User,
			LibraryPath: p.spec.LibraryPaths[p.db.Engine],
		},
		RootPassword: database.Password(p.db.AdminPassword.Reveal()), Accounts: DatabaseAccounts(p.db),
		Socket: p.db.Socket, Log: filepath.Join(p.db.Logs, "init.log"),
	}
}

func (p *serverParty) fill() database.Contents {
	return database.Contents{
		Address: database.Address{Socket: p.db.Socket}, Admin: p.db.AdminUser,
		AdminPassword: database.Password(p.db.AdminPassword.Reveal()),
		Schemas:       databaseSchemas(p.db), Accounts: DatabaseAccounts(p.db),
	}
}

// start runs the program that the supervisor would run, and waits until the service account can log in. The server ends
// with the test, or with the returned function.
func (p *serverParty) start(t *testing.T) (took time.Duration, stop func()) {
	t.Helper()
	program := databaseProgram(p.spec)
	cmd := exec.Command(program.Command[0], program.Command[1:]...)
	cmd.Dir = program.Directory
	for name, value := range program.Environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if os.Getuid() == 0 {
		account, err := p.env.Host.LookupUser(p.spec.User)
		if err != nil {
			t.Fatal(err)
		}
		credential := &syscall.Credential{Uid: uint32(account.UID), Gid: uint32(account.GID)}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v\n%s%s", err, &output, p.logs())
		}
	})
	user := p.db.Users[0]
	for {
		err := database.CheckLogin(context.Background(), p.env.Host, database.Address{Socket: p.db.Socket}, user.Name,
			database.Password(user.Password.Reveal()))
		if err == nil {
			t.Cleanup(stop)
			return time.Since(begin), stop
		}
		select {
		case e := <-ended:
			t.Fatalf("the server ended: %v, %v\n%s%s", e, err, &output, p.logs())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func tryServer(t *testing.T, server mysqlserver.Server) serverRun {
	p := newServerParty(t, server)
	r := serverRun{server: server}
	r.made = p.apply(t, p.init())
	r.started, _ = p.start(t)
	r.filled = p.apply(t, p.fill())
	for _, word := range []string{"unknown variable", "Unknown character set", "deprecated"} {
		for line := range strings.Lines(p.logs()) {
			if strings.Contains(line, word) {
				t.Logf("%s: %s", server.Name, strings.TrimSpace(line))
			}
		}
	}
	user := p.db.Users[0]
	tcp := database.Contents{
		Address: database.Address{Host: p.db.Host, Port: p.db.Port}, Admin: user.Name,
		AdminPassword: database.Password(user.Password.Reveal()),
	}
	facts := tcp.Ask(t.Context(), p.env.Host)
	if facts.Error != "" {
		t.Errorf("Go's driver over TCP: %s", facts.Error)
	}
	r.goClient = facts.Encryption
	p.inspect(t, &r)
	r.python = p.python(t)
	r.java = p.java(t)
	return r
}

// inspect asks the server for what the table shows.
func (p *serverParty) inspect(t *testing.T, r *serverRun) {
	t.Helper()
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr = "root", p.db.AdminPassword.Reveal(), "unix", p.db.Socket
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	const schema = "(SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = "
	row := db.QueryRow("SELECT CONCAT_WS(' ', @@character_set_server, " + schema + "'eggroll_meta'), " + schema +
		"'fate_flow')), " +
		"(SELECT MIN(plugin) FROM mysql.user WHERE user = 'fate')")
	if err := row.Scan(&r.charsets, &r.plugin); err != nil {
		t.Error(err)
	}
	if want := databaseCharset(p.spec); !strings.HasPrefix(r.charsets, want+" latin1 ") {
		t.Errorf("character sets %q, want %s for the server and latin1 for eggroll_meta", r.charsets, want)
	}
}

// python logs in with PyMySQL.
func (p *serverParty) python(t *testing.T) string {
	t.Helper()
	dir, err := pyMySQL(t.Context())
	if err != nil {
		t.Logf("no PyMySQL to test with: %v", err)
		return "not had"
	}
	user := p.db.Users[0]
	cmd := exec.Command("python3", "testdata/database/login.py")
	cmd.Env = append(os.Environ(), "PYTHONPATH="+dir)
	input := []string{p.db.Host, strconv.Itoa(p.db.Port), user.Name, user.Password.Reveal(), "fate_flow"}
	cmd.Stdin = strings.NewReader(strings.Join(input, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("PyMySQL: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// java logs in with Connector/J and the URL that is rendered for eggroll.
func (p *serverParty) java(t *testing.T) string {
	t.Helper()
	artifact, err := maven.Connector("8.0.28")
	if err != nil {
		t.Fatal(err)
	}
	jar, err := maven.Fetch(t.Context(), artifact)
	if err != nil {
		t.Logf("no Connector/J to test with: %v", err)
		return "not had"
	}
	files, err := renderEggroll(p.spec)
	if err != nil {
		t.Fatal(err)
	}
	url := ""
	for _, f := range files {
		for line := range strings.Lines(string(f.Content)) {
			if _, value, ok := strings.Cut(strings.TrimSpace(line), "clustermanager.jdbc.url="); ok {
				url = value
			}
		}
	}
	user := p.db.Users[0]
	cmd := exec.Command("java", "-XX:TieredStopAtLevel=1", "-cp", jar, "testdata/database/Login.java")
	cmd.Stdin = strings.NewReader(strings.Join([]string{url, user.Name, user.Password.Reveal()}, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("Connector/J with %s: %v\n%s", url, err, out)
	}
	return strings.TrimSpace(string(out))
}

// pyMySQL returns a directory of the cache with the release of PyMySQL that FATE has, and what it needs.
var pyMySQL = func(ctx context.Context) (string, error) {
	dir, err := cache.Dir("python")
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, "pymysql-0.9.3")
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	scratch := target + ".new"
	if err := os.RemoveAll(scratch); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "python3", "-m", "pip", "install", "-q", "--target", scratch, "PyMySQL==0.9.3",
		"cryptography")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("pip: %w: %s", err, out)
	}
	return target, os.Rename(scratch, target)
}
