package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nodeTable is a database with the rows of server_node.
type nodeTable [][4]string

func (n nodeTable) Connect(context.Context) (driver.Conn, error) { return nodeConn{n}, nil }
func (n nodeTable) Driver() driver.Driver                        { return nil }

type nodeConn struct{ rows nodeTable }

func (nodeConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }
func (nodeConn) Close() error                        { return nil }
func (nodeConn) Begin() (driver.Tx, error)           { return nil, driver.ErrSkip }

func (c nodeConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &nodeRows{left: c.rows}, nil
}

type nodeRows struct{ left nodeTable }

func (*nodeRows) Columns() []string { return []string{"host", "port", "status", "last_heartbeat_at"} }
func (*nodeRows) Close() error      { return nil }

func (r *nodeRows) Next(dest []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	for i, v := range r.left[0] {
		dest[i] = v
	}
	r.left = r.left[1:]
	return nil
}

// TestProbeNodes: every nodemanager that is expected has to be HEALTHY and to answer; each that is not is named.
func TestProbeNodes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	up := l.Addr().String()
	_, port, _ := net.SplitHostPort(up)
	const down = "127.0.0.1:1"
	for name, tt := range map[string]struct {
		rows  nodeTable
		nodes []string
		want  []string // in the error; none: all is well
	}{
		"registered": {nodeTable{{"127.0.0.1", port, "HEALTHY", ""}}, []string{up}, nil},
		"an old row next to it": {nodeTable{{"127.0.0.1", port, "LOSS", ""}, {"127.0.0.1", port, "HEALTHY", ""}},
			[]string{up}, nil},
		"another node is lost": {nodeTable{{"127.0.0.1", port, "HEALTHY", ""}, {"192.0.2.9", "4671", "LOSS", ""}},
			[]string{up}, nil},
		"no row": {nil, []string{up}, []string{"nodemanager " + up + " is not registered"}},
		"announced": {nodeTable{{"127.0.0.1", port, "INIT", ""}}, []string{up},
			[]string{"nodemanager " + up + " is INIT"}},
		"lost": {nodeTable{{"127.0.0.1", port, "LOSS", ""}}, []string{up}, []string{" is LOSS"}},
		"no status": {nodeTable{{"127.0.0.1", port, "", ""}}, []string{up},
			[]string{" is without a status"}},
		"HEALTHY and without power": {nodeTable{{"127.0.0.1", "1", "HEALTHY", ""}}, []string{down},
			[]string{"nodemanager " + down + " does not answer"}},
		"one of two": {nodeTable{{"127.0.0.1", port, "HEALTHY", ""}}, []string{up, down},
			[]string{"nodemanager " + down + " is not registered"}},
		"both, each with its reason": {nodeTable{{"127.0.0.1", port, "INIT", ""}}, []string{up, down},
			[]string{up + " is INIT", down + " is not registered"}},
	} {
		t.Run(name, func(t *testing.T) {
			db := sql.OpenDB(tt.rows)
			defer db.Close()
			err := checkNodes(t.Context(), db, tt.nodes, nil, nil)
			if err == nil != (len(tt.want) == 0) {
				t.Fatalf("error %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %q does not say %q in one line", err, want)
				}
			}
		})
	}
}

// TestProbeWantsAHeartbeat: the row of a nodemanager that was killed says HEALTHY until the next one announces itself.
func TestProbeWantsAHeartbeat(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seen.json")
	now := time.Now()
	boot, own := "a", "fate-nodemanager:2:10"
	check := func(answers bool, heartbeat string) bool {
		beats := readHeartbeats(file, boot, ownNode("fate-fateflow:5:1,"+own), now)
		announced := beats.note("n:1", answers, heartbeat)
		if err := beats.write(file, now); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
		return announced
	}
	for i, tt := range []struct {
		before    func()
		answers   bool
		heartbeat string
		want      bool
	}{
		{nil, true, "10:00:00", false}, // of the one that was killed, for all that is known
		{nil, true, "10:00:00", false},
		{nil, true, "10:00:10", true},
		{nil, true, "10:00:10", true},
		{nil, false, "10:00:10", false}, // killed
		{nil, true, "10:00:10", false},  // the next one answers and has not announced itself
		{nil, true, "10:00:30", true},
		{func() { boot = "b" }, true, "10:00:30", false}, // the host was switched off and on
		{nil, true, "10:00:40", true},
		// it was killed with the clustermanager, and listens again
		{func() { own = "fate-nodemanager:4:50" }, true, "10:00:40", false},
		{nil, true, "10:00:45", true},
		{func() { own += ",fate-rollsite:6:60" }, true, "10:00:45", true}, // what others do makes no difference
		{func() { now = now.Add(2 * seenFor) }, true, "10:00:45", false},  // the clustermanager was stopped
		{nil, true, "10:00:50", true},
		{func() { now = now.Add(-time.Hour) }, true, "10:00:50", false}, // the clock was set back
		{func() { must0(t, os.WriteFile(file, []byte("{"), 0o600)) }, true, "10:00:50", false},
	} {
		if tt.before != nil {
			tt.before()
		}
		if got := check(tt.answers, tt.heartbeat); got != tt.want {
			t.Errorf("check %d: announced is %v", i, got)
		}
	}
	if !(*heartbeats)(nil).note("n:1", true, "") {
		t.Error("without a memory a heartbeat is wanted")
	}
}

// TestFirstHeartbeatMakesHealthy: a nodemanager of eggroll 2.5 can be given work from its first heartbeat on, and says
// so in its row by the second only, 10 s later.
func TestFirstHeartbeatMakesHealthy(t *testing.T) {
	const host = "127.7.9.11" // where nothing else gets the port while it is closed
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	type seen struct {
		answers           bool
		status, heartbeat string // of its row; no status: no row
	}
	for name, tt := range map[string]struct {
		checks  []seen // of one nodemanager
		changes int    // how many checks make it HEALTHY
	}{
		"a new one": {[]seen{{false, "INIT", ""}, {true, "INIT", ""}, {true, "INIT", "10:00:00"}}, 1},
		"one that answers and has announced itself": {[]seen{{false, "INIT", ""}, {true, "INIT", "10:00:00"}}, 1},
		"restarted": {[]seen{{false, "HEALTHY", "10:00:00"}, {true, "HEALTHY", "10:00:00"},
			{true, "INIT", "10:00:20"}}, 1},
		"stopped and started":           {[]seen{{false, "LOSS", "10:00:00"}, {true, "INIT", "10:00:20"}}, 1},
		"nothing is known of before":    {[]seen{{true, "INIT", "10:00:00"}, {true, "INIT", "10:00:00"}}, 0},
		"no heartbeat":                  {[]seen{{false, "INIT", ""}, {true, "INIT", ""}}, 0},
		"one that died after it":        {[]seen{{false, "INIT", ""}, {false, "INIT", "10:00:00"}}, 0},
		"its heartbeat made the row":    {[]seen{{false, "", ""}, {true, "INIT", "10:00:00"}}, 0},
		"the heartbeat after that":      {[]seen{{false, "", ""}, {true, "INIT", "10:00:00"}, {true, "INIT", "10:00:10"}}, 1},
		"its own second heartbeat":      {[]seen{{false, "INIT", ""}, {true, "HEALTHY", "10:00:10"}}, 0},
		"a status that was set by hand": {[]seen{{false, "INIT", ""}, {true, "LOSS", "10:00:10"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			beats := readHeartbeats(filepath.Join(t.TempDir(), "none"), "a", "", time.Now())
			var executed []string
			ready := false
			for _, c := range tt.checks {
				var rows nodeTable
				if c.status != "" {
					rows = nodeTable{{host, port, c.status, c.heartbeat}}
				}
				l.Close() // the row has one address; whether it answers is what changes
				if c.answers {
					if l, err = net.Listen("tcp", host+":"+port); err != nil {
						t.Fatal(err)
					}
				}
				db := sql.OpenDB(recordedExec{rows, &executed})
				ready = checkNodes(t.Context(), db, []string{host + ":" + port}, beats, nil) == nil
				db.Close()
			}
			if len(executed) != tt.changes {
				t.Errorf("%d changes: %q", len(executed), executed)
			}
			if tt.changes == 1 && (executed[0] != "HEALTHY "+host+" "+port+" INIT" || !ready) {
				t.Errorf("executed %q, ready %v", executed, ready)
			}
		})
	}
}

// TestRowsAreReadLast: between the attempt to reach a nodemanager and the reading of its row it may send its last
// heartbeat and die, and that one counts for nothing.
func TestRowsAreReadLast(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	reached := false
	db := sql.OpenDB(queried{nodeTable{{host, port, "HEALTHY", ""}}, func() {
		must0(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(5*time.Second)))
		conn, err := l.Accept()
		if reached = err == nil; reached {
			conn.Close()
		}
	}})
	defer db.Close()
	if err := checkNodes(t.Context(), db, []string{l.Addr().String()}, nil, nil); err != nil || !reached {
		t.Errorf("the nodemanager was reached before its row was read: %v; %v", reached, err)
	}
}

// queried is a table of nodes that calls a function before it is read.
type queried struct {
	nodeTable
	before func()
}

func (q queried) Connect(context.Context) (driver.Conn, error) {
	return queriedConn{nodeConn{q.nodeTable}, q.before}, nil
}

type queriedConn struct {
	nodeConn
	before func()
}

func (c queriedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.before()
	return c.nodeConn.QueryContext(ctx, query, args)
}

func must0(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMetaDatabase(t *testing.T) {
	const text = `[eggroll]
# a comment = 1
eggroll.resourcemanager.clustermanager.jdbc.url=jdbc:mysql://192.168.0.3:3307/eggroll_meta?useSSL=false&serverTimezone=UTC
eggroll.resourcemanager.clustermanager.jdbc.username=fate
eggroll.resourcemanager.clustermanager.jdbc.password=a=b#c
`
	c, err := metaDatabase([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if c.Addr != "192.168.0.3:3307" || c.DBName != "eggroll_meta" || c.User != "fate" || c.Passwd != "a=b#c" {
		t.Errorf("%s@%s/%s with password %q", c.User, c.Addr, c.DBName, c.Passwd)
	}
	if c, err = metaDatabase([]byte(strings.Replace(text, ":3307", "", 1))); err != nil ||
		c.Addr != "192.168.0.3:3306" {
		t.Errorf("without a port: %v, %v", c, err)
	}
	for _, bad := range []string{"", strings.Replace(text, "jdbc:mysql", "jdbc:h2", 1),
		strings.Replace(text, "/eggroll_meta", "", 1)} {
		if _, err := metaDatabase([]byte(bad)); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}
