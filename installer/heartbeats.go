package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/problem"
)

// heartbeats remembers from check to check what was seen of nodemanagers. A row of server_node stays HEALTHY when its
// nodemanager is killed, and when the next one listens before it announces itself: only a heartbeat that came since it
// began to answer tells that the row is its own. Times are compared for equality only, so that no clock and no time
// zone matters.
type heartbeats struct {
	Boot string    `json:"boot"` // another boot of this host: nothing holds any more
	Time time.Time `json:"time"` // of the last check
	// OwnNode identifies the process of this host's nodemanager: with another one nothing holds. A nodemanager that is
	// killed together with its clustermanager listens again before anything asks.
	OwnNode string               `json:"own_node"`
	Nodes   map[string]*nodeSeen `json:"nodes"`

	mu sync.Mutex
}

// nodeSeen is a nodemanager that has a row.
type nodeSeen struct {
	Heartbeat string `json:"heartbeat"` // in its row when it last did not answer, or was first seen to
	Announced bool   `json:"announced"` // it answers, and there was another heartbeat since
}

// seenFor is how long a check holds for the next one. A nodemanager cannot be killed, started and be HEALTHY again
// unseen between two checks of a clustermanager that runs, which are 10 s apart.
const seenFor = time.Minute

// readHeartbeats reads what the last check has seen. What cannot be read, is old, or is of another boot or of
// another process of the own nodemanager counts as nothing.
func readHeartbeats(file, boot, ownNode string, now time.Time) *heartbeats {
	empty := &heartbeats{Boot: boot, OwnNode: ownNode, Nodes: map[string]*nodeSeen{}}
	data, err := problem.ReadRegular(file, probeFileLimit)
	if err != nil {
		return empty
	}
	var h heartbeats
	if err := json.Unmarshal(data, &h); err != nil || h.Boot != boot || h.OwnNode != ownNode || h.Nodes == nil {
		return empty
	}
	if age := now.Sub(h.Time); age < 0 || age > seenFor {
		return empty
	}
	return &h
}

// ownNode finds the process of this host's nodemanager in a value of [supervisor.DependantsVar]; blank when it has
// none.
func ownNode(dependants string) string {
	for _, process := range strings.Split(dependants, ",") {
		if strings.HasPrefix(process, cluster.NodeManager.Program()+":") {
			return process
		}
	}
	return ""
}

// bootID identifies the boot of this host; blank when the kernel does not tell.
func bootID() string {
	data, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data))
}

// note takes down whether a nodemanager answers and the heartbeat in its row, and reports whether there was a heartbeat
// since it began to answer. A nodemanager listens before it sends its first one, so that a heartbeat that was not there
// while it was silent is its own. Without a memory every nodemanager counts as announced.
func (h *heartbeats) note(node string, answers bool, heartbeat string) (announced bool) {
	if h == nil {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !answers {
		h.Nodes[node] = &nodeSeen{Heartbeat: heartbeat}
		return false
	}
	seen := h.Nodes[node]
	if seen == nil {
		seen = &nodeSeen{Heartbeat: heartbeat}
		h.Nodes[node] = seen
	}
	seen.Announced = seen.Announced || heartbeat != seen.Heartbeat
	return seen.Announced
}

// forget drops what was seen of a nodemanager that has no row. The heartbeat that makes its row is not the one by which
// it learns the row's ID.
func (h *heartbeats) forget(node string) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.Nodes, node)
}

// announcedNodes are nodemanagers that answer and have sent a heartbeat since they do.
type announcedNodes map[string]bool

// announced notes what a check has seen, and returns which nodemanagers are announced.
func (h *heartbeats) announced(rows map[string]serverNode, nodes []string, refused []error) announcedNodes {
	out := announcedNodes{}
	for i, node := range nodes {
		if row, registered := rows[node]; registered {
			out[node] = h.note(node, refused[i] == nil, row.heartbeat)
		} else {
			h.forget(node)
		}
	}
	return out
}

// changes makes nodemanagers HEALTHY that are announced and INIT: with its first heartbeat a nodemanager has learned
// its ID and registered what it offers, and the second, which would say HEALTHY, does no more. It comes 10 s later.
func (a announcedNodes) changes(rows map[string]serverNode) map[string]string {
	out := map[string]string{}
	for node, announced := range a {
		if announced && rows[node].status == starting {
			out[node] = healthy
		}
	}
	return out
}

// write keeps what was seen for the next check.
func (h *heartbeats) write(file string, now time.Time) error {
	h.Time = now
	if err := writeProbeState(file, h); err != nil {
		return fmt.Errorf("cannot keep the heartbeats that were seen: %w", err)
	}
	return nil
}
