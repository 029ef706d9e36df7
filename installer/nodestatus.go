package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"fate-installer/installer/problem"
)

// nodeAnswers remembers from check to check how long each nodemanager has answered, or has not. Before eggroll 2.5
// nodemanagers send no heartbeats, so that a host without power stays HEALTHY in server_node for ever: every job is
// planned on it, hangs and cannot be stopped. On these releases the check of the clustermanager owns the status.
type nodeAnswers struct {
	Boot  string                 `json:"boot"` // another boot of this host: nothing holds
	Time  time.Time              `json:"time"` // of the last check
	Nodes map[string]*nodeAnswer `json:"nodes"`

	mu sync.Mutex
}

// nodeAnswer is how a nodemanager has behaved since it last changed.
type nodeAnswer struct {
	Answers bool      `json:"answers"`
	Since   time.Time `json:"since"` // of the first of Checks
	Checks  int       `json:"checks"`
}

// When the status of a node changes. A ready clustermanager is checked every 10 s, one that is not every second, and an
// attempt to reach a host without power takes until its time limit: a node is taken out about half a minute after its
// host went off. One that was restarted answers after 3 s.
const (
	silentAfter, silentChecks     = 20 * time.Second, 3
	answeringAfter, answersChecks = 5 * time.Second, 2
)

// lost is the status of a node that gets no work: the word that eggroll 2.5 writes.
const lost = "LOSS"

// starting is the status of a node of eggroll 2.5 until its second heartbeat, or until the check has seen the first.
const starting = "INIT"

// readNodeAnswers reads what the last check has kept. What cannot be read, is old, or is of another boot counts as
// nothing.
func readNodeAnswers(file, boot string, now time.Time) *nodeAnswers {
	empty := &nodeAnswers{Boot: boot, Nodes: map[string]*nodeAnswer{}}
	data, err := problem.ReadRegular(file, probeFileLimit)
	if err != nil {
		return empty
	}
	var a nodeAnswers
	if err := json.Unmarshal(data, &a); err != nil || a.Boot != boot || a.Nodes == nil {
		return empty
	}
	if age := now.Sub(a.Time); age < 0 || age > seenFor {
		return empty
	}
	return &a
}

// note takes down whether a nodemanager answers at this check.
func (a *nodeAnswers) note(node string, answers bool, now time.Time) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := a.Nodes[node]; last == nil || last.Answers != answers {
		a.Nodes[node] = &nodeAnswer{Answers: answers, Since: now}
	}
	a.Nodes[node].Checks++
}

// changes returns the new status of the nodes whose status is to change. The last node that is HEALTHY stays it:
// without any, eggroll 2.4 throws a NullPointerException for each job, and no job could run on another one. INIT was
// left by an eggroll 2.5 that was rolled back while the node started. Any other status was set by hand, and is left
// alone.
func (a *nodeAnswers) changes(rows map[string]serverNode, nodes []string, now time.Time) map[string]string {
	out := map[string]string{}
	healthyLeft := 0
	for _, node := range nodes {
		seen, row := a.Nodes[node], rows[node]
		if (row.status == lost || row.status == starting) && seen != nil &&
			seen.lasts(true, answeringAfter, answersChecks, now) {
			out[node] = healthy
		}
		if row.status == healthy || out[node] == healthy {
			healthyLeft++
		}
	}
	for _, node := range nodes {
		seen, row := a.Nodes[node], rows[node]
		if row.status == healthy && healthyLeft > 1 && seen != nil &&
			seen.lasts(false, silentAfter, silentChecks, now) {
			out[node] = lost
			healthyLeft--
		}
	}
	return out
}

// lasts reports whether the node has answered, or been silent, for long enough and often enough.
func (s *nodeAnswer) lasts(answers bool, long time.Duration, checks int, now time.Time) bool {
	return s.Answers == answers && s.Checks >= checks && now.Sub(s.Since) >= long
}

// write keeps what was seen for the next check.
func (a *nodeAnswers) write(file string, now time.Time) error {
	a.Time = now
	if err := writeProbeState(file, a); err != nil {
		return fmt.Errorf("cannot keep which nodemanagers answer: %w", err)
	}
	return nil
}

// probeFileLimit is the longest file that a probe reads, in bytes: settings of programs, and what probes keep.
const probeFileLimit = 1 << 20

// writeProbeState replaces the file in which a probe keeps what it has seen.
func writeProbeState(file string, state any) error {
	data, err := json.Marshal(state)
	if err == nil {
		err = os.WriteFile(file+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	return err
}

// setNodeStatus writes the status of nodes, each only where the row still has the status that was read. The time of the
// last heartbeat stays: the column would take the time of any change by itself, and in the server's time zone.
func setNodeStatus(ctx context.Context, db *sql.DB, rows map[string]serverNode, changes map[string]string) error {
	var errs []error
	for _, node := range slices.Sorted(maps.Keys(changes)) {
		status := changes[node]
		host, port, err := net.SplitHostPort(node)
		if err == nil {
			_, err = db.ExecContext(ctx, `UPDATE server_node
				SET status = ?, last_heartbeat_at = last_heartbeat_at
				WHERE node_type = 'NODE_MANAGER' AND host = ? AND port = ? AND status = ?`,
				status, host, port, rows[node].status)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot set the status of nodemanager %s to %s: %w", node, status, err))
			continue
		}
		rows[node] = serverNode{status: status, heartbeat: rows[node].heartbeat}
	}
	return errors.Join(errs...)
}
