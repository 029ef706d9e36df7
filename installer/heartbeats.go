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

// nodeSeen is a nodemanager that answers.
type nodeSeen struct {
	Heartbeat string `json:"heartbeat"` // in its row when it was first seen to answer
	Announced bool   `json:"announced"` // there was another one since
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
// since it answers. Without a memory every nodemanager counts as announced.
func (h *heartbeats) note(node string, answers bool, heartbeat string) (announced bool) {
	if h == nil {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !answers {
		delete(h.Nodes, node)
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

// write keeps what was seen for the next check.
func (h *heartbeats) write(file string, now time.Time) error {
	h.Time = now
	if err := writeProbeState(file, h); err != nil {
		return fmt.Errorf("cannot keep the heartbeats that were seen: %w", err)
	}
	return nil
}
