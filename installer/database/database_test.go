package database

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// A real server is needed for these tests: the directory of an unpacked one is given by the environment, or a program
// is found on the usual path, as distributions install it.
const (
	mariaDBHomeVariable = "FATE_TEST_MARIADB_BASEDIR"
	mySQLHomeVariable   = "FATE_TEST_MYSQL_BASEDIR"
)

// servers lists the servers to test with, and skips the test when there is none.
func servers(t *testing.T) map[Flavour]Server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a server as another user")
	}
	found := map[Flavour]Server{}
	for flavour, v := range map[Flavour]struct{ variable, program string }{
		FlavourMariaDB: {mariaDBHomeVariable, "mariadbd"},
		FlavourMySQL:   {mySQLHomeVariable, "mysqld"},
	} {
		home, program := os.Getenv(v.variable), "bin/"+v.program
		if home == "" {
			file := lookServer(v.program)
			if file == "" {
				continue
			}
			home = filepath.Dir(filepath.Dir(file))
			program, _ = filepath.Rel(home, file)
		}
		found[flavour] = Server{Flavour: flavour, Home: home, Program: program}
	}
	if len(found) == 0 {
		t.Skipf("no mariadbd and no mysqld on this machine; install mariadb-server-core, or set %s or %s",
			mariaDBHomeVariable, mySQLHomeVariable)
	}
	return found
}

// lookServer looks in the sbin directories, too, which PATH often lacks. A mysqld that is MariaDB under its old name is
// not another flavour.
func lookServer(program string) string {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		file := filepath.Join(dir, program)
		if target, err := filepath.EvalSymlinks(file); err == nil && filepath.Base(target) == program {
			return file
		}
	}
	return ""
}

// eachServer runs a test against every server found. When the tests run as root, the servers run as nobody, so that
// changing the user is tested, too.
func eachServer(t *testing.T, test func(t *testing.T, s Server, env *engine.Env)) {
	for flavour, s := range servers(t) {
		t.Run(string(flavour), func(t *testing.T) { onServer(t, s, test) })
	}
}

// onServer runs a test against one server.
func onServer(t *testing.T, s Server, test func(t *testing.T, s Server, env *engine.Env)) {
	t.Helper()
	dir := t.TempDir()
	if os.Getuid() == 0 {
		s.User = "nobody"
		for at := dir; at != filepath.Dir(at) && at != os.TempDir(); at = filepath.Dir(at) {
			if err := os.Chmod(at, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	} else {
		s.User = fmt.Sprint(os.Getuid())
	}
	s.Data = filepath.Join(dir, "db", "mysql")
	h, err := host.New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	test(t, s, &engine.Env{Host: h})
}

const (
	testRootPassword = Password(`p:a#s"s'\w?` + "`rd")
	testUserPassword = Password(`fate'--\';DROP`)
)

func testInit(s Server) Init {
	return Init{
		Server:       s,
		RootPassword: testRootPassword,
		Accounts:     []Account{{Name: "probe", Hosts: []string{"localhost"}, Password: "probe"}},
		Log:          filepath.Join(filepath.Dir(s.Data), "logs", "init.log"),
	}
}

// applied runs a step as the engine does, and fails when it is not done afterwards.
func applied(t *testing.T, env *engine.Env, s engine.Step) {
	t.Helper()
	finding, err := s.Check(context.Background(), env)
	if err != nil || finding.Done {
		t.Fatalf("before: %+v, %v", finding, err)
	}
	if err := s.Apply(context.Background(), env); err != nil {
		t.Fatal(err)
	}
	isDone(t, env, s)
}

func isDone(t *testing.T, env *engine.Env, s engine.Step) {
	t.Helper()
	finding, err := s.Check(context.Background(), env)
	if err != nil || !finding.Done {
		t.Fatalf("%s is not done: %+v, %v", s.ID(), finding, err)
	}
}

// running starts a server on a finished data directory, with networking off unless options say how, and returns its
// socket.
func running(t *testing.T, env *engine.Env, s Server, options ...string) string {
	t.Helper()
	socket, _ := startServer(t, env, s, testRootPassword, options...)
	return socket
}

// startServer is running for an administrator with any password; a blank one makes do with a refusal. The server is
// stopped when the test ends, or by the returned function.
func startServer(t *testing.T, env *engine.Env, s Server, root Password, options ...string) (socket string,
	stop func()) {
	t.Helper()
	socket = filepath.Join(s.Data, "s.sock")
	var log bytes.Buffer
	if len(options) == 0 {
		options = []string{"--skip-networking"}
	}
	cmd, err := s.command(env.Host, s.Data, append(options, "--socket=s.sock", "--pid-file=pid")...)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Output = &log
	child, err := env.Host.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		if err := child.Stop(context.Background(), time.Minute); err != nil {
			t.Errorf("%v\n%s", err, log.String())
		}
	})
	t.Cleanup(stop)
	db := login(t, env, socket, rootAccount, root)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if err == nil || root == "" && serverError(err, errAccessDenied, errAccessNoPassword) {
			return socket, stop
		}
		select {
		case <-child.Done():
			t.Fatalf("the server ended: %v\n%s", err, log.String())
		case <-ctx.Done():
			child.Kill()
			t.Fatalf("%v\n%s", err, log.String())
		case <-time.After(pollInterval):
		}
	}
}

func login(t *testing.T, env *engine.Env, socket, user string, password Password) *sql.DB {
	t.Helper()
	db, err := open(env.Host, Address{Socket: socket}, user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestInit(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		d := testInit(s)
		applied(t, env, d)
		if err := d.Apply(context.Background(), env); err != nil {
			t.Errorf("applying it again: %v", err)
		}
		for _, name := range []string{temporarySocket, temporaryPID, temporarySocket + ".lock"} {
			if env.Host.Exists(filepath.Join(s.Data, name)) {
				t.Errorf("the temporary server left %s", name)
			}
		}
		if env.Host.Exists(s.Data + stagingSuffix) {
			t.Error("the staging directory is still there")
		}
		checkModes(t, s)

		socket := running(t, env, s)
		if err := login(t, env, socket, rootAccount, "").Ping(); !serverError(err, errAccessDenied,
			errAccessNoPassword) {
			t.Errorf("root without password: %v", err)
		}
		if err := login(t, env, socket, "probe", "probe").Ping(); err != nil {
			t.Errorf("the extra account: %v", err)
		}
		root := login(t, env, socket, rootAccount, testRootPassword)
		var zone string
		if err := root.QueryRow("SELECT @@session.time_zone").Scan(&zone); err != nil || zone != "+00:00" {
			t.Errorf("a session has time zone %q, want +00:00, which eggroll's sessions have (%v)", zone, err)
		}
		admin, err := inspectServer(context.Background(), root)
		if err != nil {
			t.Fatal(err)
		}
		accounts, err := admin.names(context.Background(),
			"SELECT CONCAT(user, '@', host) FROM mysql.user WHERE user NOT LIKE 'mysql.%' AND user NOT LIKE "+
				"'mariadb.%' ORDER BY 1")
		if want := []string{"probe@localhost", "root@localhost"}; err != nil || !slices.Equal(accounts, want) {
			t.Errorf("accounts %q, want %q (%v)", accounts, want, err)
		}
	})
}

// checkModes makes sure that only the server's user can read the database, and that no file has a password.
func checkModes(t *testing.T, s Server) {
	t.Helper()
	info, err := os.Stat(s.Data)
	if err != nil || info.Mode().Perm() != datadirMode {
		t.Errorf("data directory: %v, %v", info.Mode(), err)
	}
	logs, err := filepath.Glob(filepath.Join(filepath.Dir(s.Data), "logs", "*"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs: %q, %v", logs, err)
	}
	for _, file := range append(logs, filepath.Join(s.Data, datadirMark)) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(testRootPassword)) {
			t.Errorf("%s contains the password", file)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s is open to everybody: %v, %v", file, info.Mode(), err)
		}
	}
}

// TestInitTakesKeptDataUp installs over data that an uninstall has kept, with another password.
func TestInitTakesKeptDataUp(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		first := testInit(s)
		first.RootPassword = "The former one 1!"
		applied(t, env, first)
		d := testInit(s)
		if finding, err := d.Check(context.Background(), env); err != nil ||
			!strings.Contains(finding.Why, "another password") {
			t.Errorf("%+v, %v", finding, err)
		}
		applied(t, env, d)
		running(t, env, s)
		isDone(t, env, first) // while a server runs, the data directory is not to be touched
		if err := first.Apply(context.Background(), env); err != nil {
			t.Error(err)
		}
	})
}

// TestInitInterrupted ends the context at every stage that the log shows, and finds nothing half-done.
func TestInitInterrupted(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		if err := os.MkdirAll(s.Data, 0o755); err != nil { // an empty one may be there already
			t.Fatal(err)
		}
		interrupt(t, env, s, 10*time.Millisecond, "it is empty")
	})
}

// interrupt ends attempts to make a database after longer and longer times, until one is complete. However long an
// attempt takes, each is cut off at another point, and leaves nothing half-done: the data directory is as at first.
func interrupt(t *testing.T, env *engine.Env, s Server, delay time.Duration, asAtFirst string) {
	t.Helper()
	d := testInit(s)
	for ; ; delay *= 2 {
		ctx, cancel := context.WithTimeout(context.Background(), delay)
		err := d.Apply(ctx, env)
		cancel()
		if err == nil {
			break
		}
		if finding, checkErr := d.Check(context.Background(), env); checkErr != nil || finding.Done ||
			finding.Why != asAtFirst {
			t.Fatalf("after %v (%v): %+v, %v", delay, err, finding, checkErr)
		}
	}
	isDone(t, env, d)
	running(t, env, s)
}

// TestInitKilled kills a process while it applies the step; the next attempt must not mind what it left.
func TestInitKilled(t *testing.T) {
	if data := os.Getenv("FATE_TEST_INIT_DATA"); data != "" {
		applyAsChild(t, data)
		return
	}
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		d := testInit(s)
		for delay := 20 * time.Millisecond; ; delay *= 2 {
			child := exec.Command(os.Args[0], "-test.run=^TestInitKilled$")
			child.Env = append(os.Environ(), "FATE_TEST_INIT_DATA="+s.Data, "FATE_TEST_INIT_FLAVOUR="+string(s.Flavour),
				"FATE_TEST_INIT_HOME="+s.Home,
				"FATE_TEST_INIT_USER="+s.User, "FATE_TEST_INIT_PROGRAM="+s.Program)
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(delay, func() { _ = child.Process.Signal(syscall.SIGKILL) })
			err := child.Wait()
			timer.Stop()
			if _, statErr := os.Stat(filepath.Join(s.Data, datadirMark)); err != nil && os.IsNotExist(statErr) {
				if env.Host.Exists(s.Data) {
					t.Fatalf("killed after %v: a data directory without mark", delay)
				}
				continue
			}
			break
		}
		if finding, err := d.Check(context.Background(), env); err != nil || !finding.Done {
			if err := d.Apply(context.Background(), env); err != nil {
				t.Fatal(err)
			}
		}
		isDone(t, env, d)
		running(t, env, s)
	})
}

func applyAsChild(t *testing.T, data string) {
	h, err := host.New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	d := testInit(Server{
		Flavour: Flavour(os.Getenv("FATE_TEST_INIT_FLAVOUR")), Home: os.Getenv("FATE_TEST_INIT_HOME"),
		Program: os.Getenv("FATE_TEST_INIT_PROGRAM"), User: os.Getenv("FATE_TEST_INIT_USER"), Data: data,
	})
	if err := d.Apply(context.Background(), &engine.Env{Host: h}); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
