package database

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Flavour is the kind of a database server. The kinds speak one protocol and differ in how they are initialised and in
// how accounts are written.
type Flavour string

// The flavours, by the names of their payload components.
const (
	FlavourMySQL   Flavour = "mysql"
	FlavourMariaDB Flavour = "mariadb"
)

// Server says where the server's programs and data are and as whom it runs.
type Server struct {
	Flavour     Flavour
	Home        string   // basedir, the unpacked component
	Program     string   // the server below Home, the one that the supervisor starts
	Data        string   // datadir
	User, Group string   // who the server runs as; blank: as this process
	LibraryPath []string // directories below Home that its programs need on LD_LIBRARY_PATH
	Env         []string // NAME=value, added to the environment of its programs

	// Format lists options, such as --innodb-page-size=8192, that a data directory keeps for all of its life: it is
	// made with them, and no server without them can use it.
	Format []string
}

// first gives the first of the candidates below Home that exists.
func (s Server) first(h *host.Host, candidates ...string) (string, bool) {
	for _, c := range candidates {
		if file := path.Join(s.Home, c); h.Exists(file) {
			return file, true
		}
	}
	return "", false
}

// command prepares the server program with the arguments that every use of it shares. Option files are not read: an
// /etc/my.cnf that is left on the machine would otherwise change what is initialised.
func (s Server) command(h *host.Host, data string, args ...string) (host.Cmd, error) {
	program, ok := s.first(h, s.Program)
	if !ok {
		return host.Cmd{}, engine.WithRepeat(fmt.Errorf("cannot find the %s server %s", s.Flavour,
			path.Join(s.Home, s.Program)), "the component is unpacked by an earlier step;", "")
	}
	cmd := host.Cmd{Args: []string{program, "--no-defaults", "--basedir=" + s.Home, "--datadir=" + data}, Dir: s.Home}
	if dir, ok := s.first(h, "share/mysql/english", "share/mariadb/english", "share/english"); ok {
		cmd.Args = append(cmd.Args, "--lc-messages-dir="+path.Dir(dir))
	}
	if dir, ok := s.first(h, "lib/plugin", "lib64/plugin", "lib/mysql/plugin", "lib64/mysql/plugin"); ok {
		cmd.Args = append(cmd.Args, "--plugin-dir="+dir)
	}
	// A server that starts removes all temporary tables in its directory for them, also those of another server.
	temporary := data
	if staging := path.Dir(data); strings.HasSuffix(staging, stagingSuffix) {
		temporary = staging
	}
	cmd.Args = append(cmd.Args, "--tmpdir="+temporary)
	if s.Flavour == FlavourMySQL {
		// X plugin off, which 5.7 does not have. Distributions compile in a directory for exports that their packages
		// would have made.
		cmd.Args = append(cmd.Args, "--loose-mysqlx=OFF", "--secure-file-priv=NULL")
		// Nothing asks a server that runs for some seconds for statistics, and it starts faster without.
		cmd.Args = append(cmd.Args, "--loose-performance-schema=OFF")
	}
	cmd.Args = append(cmd.Args, s.Format...)
	cmd.Args = append(cmd.Args, args...)
	cmd.Env = s.Env
	if len(s.LibraryPath) > 0 {
		dirs := make([]string, len(s.LibraryPath))
		for i, dir := range s.LibraryPath {
			dirs[i] = path.Join(s.Home, dir)
		}
		cmd.Env = append([]string{"LD_LIBRARY_PATH=" + strings.Join(dirs, ":")}, cmd.Env...)
	}
	err := s.runAs(h, &cmd)
	return cmd, err
}

// owner is the end of a description that says whose the server's files are.
func (s Server) owner() string {
	if s.User == "" && s.Group == "" {
		return ""
	}
	return fmt.Sprintf(", owner %s:%s", s.User, s.Group)
}

// runAs makes the command run as the server's user. The servers refuse to run as root unless an option names it.
func (s Server) runAs(h *host.Host, cmd *host.Cmd) error {
	if s.User == "" {
		cmd.Args = append(cmd.Args, "--user="+superuser)
		return nil
	}
	uid, gid, err := s.ids(h)
	if err != nil {
		return err
	}
	cmd.Credential = &host.Credential{UID: uint32(uid), GID: uint32(gid)}
	return nil
}

const superuser = "root"

func (s Server) ids(h *host.Host) (uid, gid int, err error) {
	u, err := h.LookupUser(s.User)
	if err != nil {
		return 0, 0, err
	}
	gid = u.GID
	if s.Group != "" {
		_, gid, err = h.IDs("", s.Group)
	}
	return u.UID, gid, err
}

// initialise fills the empty directory data with a new database whose administrator has no password.
func (s Server) initialise(ctx context.Context, h *host.Host, data string, log io.Writer) error {
	args := []string{"--initialize-insecure"}
	var input io.Reader
	if s.Flavour == FlavourMariaDB {
		script, err := s.systemTables(h)
		if err != nil {
			return err
		}
		// The options of mariadb-install-db, which does the same with a shell, sed and hostname from the machine.
		args = []string{"--bootstrap", "--log-warnings=0", "--enforce-storage-engine=", "--max-allowed-packet=8M",
			"--net-buffer-length=16K"}
		input = bytes.NewReader(script)
	}
	cmd, err := s.command(h, data, args...)
	if err != nil {
		return err
	}
	tail := &tailWriter{out: log}
	cmd.In, cmd.Output = input, tail
	child, err := h.Start(cmd)
	if err != nil {
		return err
	}
	ctx, enough := whileRoom(ctx, h, data)
	defer enough()
	select {
	case <-child.Done():
	case <-ctx.Done():
		child.Kill()
		return fmt.Errorf("cannot initialise the database: %w", context.Cause(ctx))
	}
	if err := child.Err(); err != nil {
		return tail.explain(fmt.Errorf("cannot initialise the database: %w", err))
	}
	return nil
}

// systemTables is the SQL that makes MariaDB's own tables, in the order of mariadb-install-db. Lines about the present
// host name are left out, as for a "cross bootstrap": the database must not depend on what a machine is called.
func (s Server) systemTables(h *host.Host) ([]byte, error) {
	first, ok := s.first(h, "share/mysql/mysql_system_tables.sql", "share/mariadb/mysql_system_tables.sql",
		"share/mysql_system_tables.sql",
		"share/mariadb/mariadb_system_tables.sql", "share/mysql/mariadb_system_tables.sql",
		"share/mariadb_system_tables.sql")
	if !ok {
		return nil, fmt.Errorf("cannot find mariadb_system_tables.sql or mysql_system_tables.sql below %s/share",
			s.Home)
	}
	prefix := strings.TrimSuffix(path.Base(first), "system_tables.sql") // mysql_, and mariadb_ in newer releases
	script := []byte("CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n")
	for _, part := range []struct {
		name     string
		optional bool // not in every version
	}{
		{prefix + "system_tables.sql", false}, {prefix + "performance_tables.sql", true},
		{prefix + "system_tables_data.sql", false},
		{"fill_help_tables.sql", true}, {"maria_add_gis_sp_bootstrap.sql", true}, {prefix + "sys_schema.sql", true},
	} {
		text, err := h.ReadFile(path.Join(path.Dir(first), part.name))
		if errors.Is(err, fs.ErrNotExist) && part.optional {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the system tables of the database: %w", err)
		}
		for line := range bytes.Lines(text) {
			if !bytes.Contains(line, []byte("@current_hostname")) {
				script = append(script, line...)
			}
		}
	}
	return script, nil
}

// Names inside a data directory while a temporary server runs on it. They are relative, and so reach any depth: the
// address of a socket has room for about a hundred characters only.
const (
	temporarySocket = "fate-installer.sock"
	temporaryPID    = "fate-installer.pid"
)

// withServer runs a server on data that only this process can reach, calls use with a connection to it as an
// administrator without password, and shuts it down cleanly. The extra arguments go to the server.
func (s Server) withServer(ctx context.Context, h *host.Host, data string, log io.Writer, timeout time.Duration,
	use func(context.Context, *sql.DB) error, extra ...string) (err error) {
	args := []string{"--skip-networking", "--skip-name-resolve", "--socket=" + temporarySocket,
		"--pid-file=" + temporaryPID}
	if s.Flavour == FlavourMySQL {
		args = append(args, "--disable-log-bin")
	}
	cmd, err := s.command(h, data, append(args, extra...)...)
	if err != nil {
		return err
	}
	tail := &tailWriter{out: log}
	cmd.Output = tail
	server, err := h.Start(cmd)
	if err != nil {
		return err
	}
	ctx, enough := whileRoom(ctx, h, data)
	defer enough()
	ready := false
	defer func() {
		if server.Err() != nil && err != nil { // it died, and err has the reason
			return
		}
		if !ready { // err has the reason
			_ = server.Stop(context.WithoutCancel(ctx), min(timeout, startTimeout))
			return
		}
		// Also after an error or an interruption: what use has done should not be left to crash recovery. On a full
		// file system a server does not end by itself.
		var full *FullError
		if errors.As(context.Cause(ctx), &full) {
			_ = server.Stop(context.WithoutCancel(ctx), min(timeout, fullTimeout))
			err = errors.Join(err, full)
			return
		}
		stopErr := server.Stop(context.WithoutCancel(ctx), timeout)
		if stopErr != nil {
			stopErr = tail.explain(fmt.Errorf("cannot shut down the temporary database server: %w", stopErr))
		}
		err = errors.Join(err, stopErr)
	}()
	db, err := open(h, Address{Socket: path.Join(data, temporarySocket)}, rootAccount, "", "")
	if err != nil {
		return err
	}
	defer db.Close()
	starting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := waitReady(starting, db, server); err != nil {
		return tail.explain(fmt.Errorf("cannot start a temporary database server: %w", err))
	}
	ready = true
	return use(ctx, db)
}

// startTimeout is for the end of a server that is still starting. MariaDB, asked to end in the wrong moment, waits for
// itself for ever. Nothing of ours is in its data by then, and what it has written it recovers from its log.
const startTimeout = 3 * time.Second

// pollInterval is short, because a start takes about a second and nothing else can be done until then.
const pollInterval = 50 * time.Millisecond

// waitReady waits until the server answers a query. An open socket is not enough: it exists before the server is ready.
func waitReady(ctx context.Context, db *sql.DB, server *host.Child) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-server.Done():
			return fmt.Errorf("it ended at once: %w", errors.Join(server.Err(), err))
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// tailWriter hands output on and remembers its last lines, since the reason of a failure is nearly always there.
type tailWriter struct {
	mu   sync.Mutex
	out  io.Writer
	last []byte
}

// tailSize is enough for some ten log lines.
const tailSize = 4 << 10

func (t *tailWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if len(t.last) > tailSize {
		t.last = append([]byte(nil), t.last[len(t.last)-tailSize:]...)
	}
	if t.out == nil {
		return len(p), nil
	}
	return t.out.Write(p)
}

// tailLines is how much of the log an error shows.
const tailLines = 10

// explain adds the last lines of the output to err.
func (t *tailWriter) explain(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.last)), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	if len(lines) == 1 && lines[0] == "" {
		return err
	}
	return fmt.Errorf("%w\nits last output:\n  %s", err, strings.Join(lines, "\n  "))
}
