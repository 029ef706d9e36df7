package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWorkerState: a success holds for a minute; only a FATE-Flow that has no free worker for long enough is restarted.
func TestWorkerState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "worker.json")
	now, boot := time.Now(), "a"
	const free, none, deaf = "free", "none", "deaf"
	for i, step := range []struct {
		after     time.Duration
		seen      string // blank: the last success must hold
		exhausted bool
	}{
		{0, free, false}, {59 * time.Second, "", false}, {2 * time.Second, free, false},
		{time.Minute, none, false}, {25 * time.Second, none, false}, {25 * time.Second, none, false},
		{25 * time.Second, none, false},
		{25 * time.Second, none, false}, {25 * time.Second, none, true}, // two minutes since the first
		{5 * time.Second, deaf, false}, {5 * time.Second, none, false}, // counts from here again
		{time.Minute, none, false}, {29 * time.Second, none, false}, // the checks were too far apart
		{5 * time.Second, free, false},
	} {
		now = now.Add(step.after)
		s := readWorkerState(file, boot, now)
		if s.holds(now) != (step.seen == "") {
			t.Fatalf("step %d: the last success holds: %v", i, s.holds(now))
		}
		if step.seen == "" {
			continue
		}
		s.note(step.seen == none, step.seen == free, now)
		if err := writeProbeState(file, s); err != nil {
			t.Fatal(err)
		}
		if long, ok := readWorkerState(file, boot, now).exhausted(now); ok != step.exhausted {
			t.Errorf("step %d: without a free worker for %s, restart: %v", i, long, ok)
		}
	}
	if readWorkerState(file, "another boot", now).holds(now) {
		t.Error("what was seen before a reboot holds")
	}
	if readWorkerState(file, boot, now.Add(-time.Hour)).holds(now.Add(-time.Hour)) {
		t.Error("what was seen in the future holds")
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if readWorkerState(file, boot, now).holds(now) {
		t.Error("a file that is cut off holds")
	}
}

// TestProbeWorkerWithoutFlow: what cannot be asked is an error that names the address, and is kept as no success.
func TestProbeWorkerWithoutFlow(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close() //nolint:errcheck // nothing was written
	_, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	conf, state := filepath.Join(dir, "service_conf.yaml"), filepath.Join(dir, "state.json")
	if err := os.WriteFile(conf, []byte("fateflow: {host: 127.0.0.1, grpc_port: "+port+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := runProbeWorker(t.Context(), conf, state); err == nil ||
			!strings.Contains(err.Error(), "FATE-Flow at "+addr) {
			t.Errorf("error %v", err)
		}
	}
	if s := readWorkerState(state, bootID(), bootClock()); s.Answered || s.Checked.IsZero() || !s.NoneFree.IsZero() {
		t.Errorf("state %+v", s)
	}
	if err := os.WriteFile(conf, []byte("fateflow: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runProbeWorker(t.Context(), conf, state); err == nil ||
		!strings.Contains(err.Error(), "no fateflow.host") {
		t.Errorf("error %v", err)
	}
}

// TestProbeAsksTheDatabase: while a worker's answer holds, the database is asked all the same.
func TestProbeAsksTheDatabase(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close() //nolint:errcheck // nothing was written
	_, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	conf, state := filepath.Join(dir, "service_conf.yaml"), filepath.Join(dir, "state.json")
	text := "fateflow: {host: 127.0.0.1, grpc_port: 1}\ndatabase: {name: fate_flow, user: fate, passwd: s3cret, " +
		"host: 127.0.0.1, port: " + port + "}\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := readWorkerState(state, bootID(), bootClock())
	s.note(false, true, bootClock())
	if err := writeProbeState(state, s); err != nil {
		t.Fatal(err)
	}
	err = runProbeWorker(t.Context(), conf, state)
	if err == nil || !strings.Contains(err.Error(), "its database at "+addr+" does not answer, and no job can start") ||
		strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v", err)
	}
}
