package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// nodeRound is one check of the nodemanagers a, b (and others), some of which answer.
type nodeRound struct {
	after   time.Duration // since the check before
	answers string        // names that answer
	want    string        // the HEALTHY ones after it
}

// TestOwnNodeStatus: a node that is silent for long enough gets no work, and gets it again when it answers.
func TestOwnNodeStatus(t *testing.T) {
	const tick = 6 * time.Second
	silence := []nodeRound{{tick, "ab", "ab"}, {tick, "a", "ab"}, {tick, "a", "ab"}, {tick, "a", "ab"},
		{tick, "a", "ab"}, {tick, "a", "a"}}
	for name, tt := range map[string]struct {
		start  map[string]string
		rounds []nodeRound
	}{
		"all answer": {nil, []nodeRound{{tick, "ab", "ab"}, {tick, "ab", "ab"}}},
		"one lost probe": {nil, []nodeRound{{tick, "ab", "ab"}, {tick, "a", "ab"},
			{time.Minute, "ab", "ab"}}},
		"silent for 24 s":             {nil, silence},
		"silent, but looked at twice": {nil, []nodeRound{{tick, "a", "ab"}, {50 * time.Second, "a", "ab"}}},
		"restarted": {nil, []nodeRound{{tick, "ab", "ab"}, {time.Second, "a", "ab"},
			{time.Second, "a", "ab"}, {time.Second, "a", "ab"}, {time.Second, "ab", "ab"}}},
		"answers in between": {nil, []nodeRound{{tick, "a", "ab"}, {tick, "a", "ab"}, {tick, "ab", "ab"},
			{tick, "a", "ab"}, {tick, "a", "ab"}}},
		"back after a while": {nil, append(slices.Clone(silence), nodeRound{tick, "ab", "a"},
			nodeRound{time.Second, "ab", "a"}, nodeRound{tick, "ab", "ab"})},
		"back only for a moment": {nil, append(slices.Clone(silence), nodeRound{tick, "ab", "a"},
			nodeRound{time.Second, "a", "a"}, nodeRound{tick, "ab", "a"})},
		"the last one stays": {nil, append(slices.Clone(silence),
			nodeRound{tick, "", "a"}, nodeRound{tick, "", "a"}, nodeRound{tick, "", "a"}, nodeRound{tick, "", "a"},
			nodeRound{tick, "", "a"},
			nodeRound{tick, "b", "a"}, nodeRound{tick, "b", "b"})}, // b is back, and a may go
		"both at once: one stays": {nil, []nodeRound{{tick, "", "ab"}, {tick, "", "ab"}, {tick, "", "ab"},
			{tick, "", "ab"}, {tick, "", "b"}}},
		"LOSS of a later release": {map[string]string{"a": "LOSS", "b": "LOSS"},
			[]nodeRound{{0, "ab", ""}, {tick, "ab", "ab"}}},
		"INIT of a later release": {map[string]string{"a": "INIT", "b": "INIT"},
			[]nodeRound{{0, "a", ""}, {tick, "a", "a"}, {tick, "ab", "a"}, {tick, "ab", "ab"}}},
		"set by hand": {map[string]string{"b": "DRAINED"},
			[]nodeRound{{tick, "ab", "a"}, {tick, "ab", "a"}, {tick, "ab", "a"}}},
		"the checks were long ago": {nil, []nodeRound{{tick, "a", "ab"}, {tick, "a", "ab"}, {tick, "a", "ab"},
			{2 * time.Minute, "a", "ab"}, {tick, "a", "ab"}}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "answers.json")
			rows := map[string]serverNode{"a": {status: healthy}, "b": {status: healthy}}
			for node, status := range tt.start {
				rows[node] = serverNode{status: status}
			}
			now := time.Now()
			for i, r := range tt.rounds {
				now = now.Add(r.after)
				seen := readNodeAnswers(file, "boot", now)
				for _, node := range []string{"a", "b"} {
					seen.note(node, strings.Contains(r.answers, node), now)
				}
				for node, status := range seen.changes(rows, []string{"a", "b"}, now) {
					rows[node] = serverNode{status: status}
				}
				if err := seen.write(file, now); err != nil {
					t.Fatal(err)
				}
				got := ""
				for _, node := range []string{"a", "b"} {
					if rows[node].status == healthy {
						got += node
					}
				}
				if got != r.want {
					t.Fatalf("after check %d %q are HEALTHY, want %q", i, got, r.want)
				}
			}
		})
	}
	seen := &nodeAnswers{Boot: "one", Nodes: map[string]*nodeAnswer{}}
	file := filepath.Join(t.TempDir(), "answers.json")
	seen.note("a", false, time.Now())
	if err := seen.write(file, time.Now()); err != nil {
		t.Fatal(err)
	}
	if again := readNodeAnswers(file, "two", time.Now()); len(again.Nodes) != 0 {
		t.Errorf("what was seen before a reboot counts: %v", again.Nodes)
	}
}

// recordedExec is a table of nodes that keeps what it has to change.
type recordedExec struct {
	nodeTable
	executed *[]string
}

func (r recordedExec) Connect(context.Context) (driver.Conn, error) {
	return recordingConn{nodeConn{r.nodeTable}, r.executed}, nil
}

type recordingConn struct {
	nodeConn
	executed *[]string
}

func (c recordingConn) ExecContext(_ context.Context, statement string, args []driver.NamedValue) (driver.Result,
	error) {
	var words []string
	for _, a := range args {
		words = append(words, a.Value.(string))
	}
	*c.executed = append(*c.executed, strings.Join(words, " "))
	return driver.RowsAffected(strings.Count(statement, "UPDATE")), nil
}

// TestOwnStatusIsWritten: the statement names the node and the status that was read, and the check says what is so
// then.
func TestOwnStatusIsWritten(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	up := l.Addr().String()
	_, port, _ := net.SplitHostPort(up)
	const down = "127.0.0.1:1"
	long := bootClock().Add(-time.Minute)
	answers := &nodeAnswers{Nodes: map[string]*nodeAnswer{up: {true, long, 5}, down: {false, long, 5}}}
	var executed []string
	db := sql.OpenDB(recordedExec{nodeTable{{"127.0.0.1", port, "LOSS", ""}, {"127.0.0.1", "1", "HEALTHY", ""}},
		&executed})
	defer db.Close()
	err = checkNodes(t.Context(), db, []string{up, down}, nil, answers)
	want := []string{"LOSS 127.0.0.1 1 HEALTHY", "HEALTHY 127.0.0.1 " + port + " LOSS"}
	if !slices.Equal(executed, want) {
		t.Errorf("executed %q, want %q", executed, want)
	}
	if err == nil || !strings.HasPrefix(err.Error(), "nodemanager "+down+
		" does not answer, and no job is planned on it (LOSS)") || strings.Contains(err.Error(), up) {
		t.Errorf("error %v", err)
	}
}
