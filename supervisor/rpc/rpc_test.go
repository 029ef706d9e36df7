package rpc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ochinchina/supervisord/faults"

	"fate-installer/supervisor"
)

func TestClient(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string {
		return d.program("fate-a") + d.program("fate-b", "autostart=false", "depends_on=fate-a") +
			d.program("bad", "autostart=false", "directory=/no/such") +
			"[group:pair]\nprograms=fate-a,fate-b\n"
	})
	ctx := testContext(t)
	d.untilReady("a")
	if names, err := d.client.Resolve(ctx, "pair"); err != nil || !slices.Equal(names, []string{"fate-a", "fate-b"}) {
		t.Errorf("Resolve: %v %v", names, err)
	}
	if out, err := d.client.Start(ctx, []string{"b"}, true); err != nil || len(out.Failed) != 0 {
		t.Fatalf("Start: %+v %v", out, err)
	}
	statuses, err := d.client.Status(ctx, "pair:*")
	if err != nil || len(statuses) != 2 || !statuses[1].Ready || statuses[1].PID == 0 || statuses[1].Group != "pair" ||
		statuses[1].Memory == 0 {
		t.Errorf("Status: %+v %v", statuses, err)
	}
	out, err := d.client.Start(ctx, []string{"bad"}, true)
	if err != nil || len(out.Failed) != 1 || !strings.Contains(out.Failed[0].Text,
		"cannot change to the directory /no/such") {
		t.Errorf("Start of a bad program: %+v %v", out, err)
	}
	_, err = d.client.Start(ctx, []string{"nosuch"}, true)
	wantFault(t, err, faults.BadName)
	var log bytes.Buffer
	if err := d.client.Log(ctx, &log, "fate-a", "stdout", 1, false); err != nil || log.String() != "open\n" {
		t.Errorf("Log: %q %v", log.String(), err)
	}
	log.Reset()
	if err := d.client.Metrics(ctx, &log); err != nil || !strings.Contains(log.String(),
		`fate_program_ready{name="fate-a",group="pair"} 1`) {
		t.Errorf("Metrics: %s %v", log.String(), err)
	}
	last, err := d.client.LastEvent(ctx)
	if err != nil || last == 0 {
		t.Errorf("LastEvent: %d %v", last, err)
	}
	if out, err := d.client.Stop(ctx, []string{"b"}, true); err != nil || len(out.Failed) != 0 {
		t.Errorf("Stop: %+v %v", out, err)
	}
	events, next, err := d.client.Events(ctx, last, 0)
	if err != nil || next <= last || len(events) == 0 || events[len(events)-1].State != supervisor.Stopped {
		t.Errorf("Events: %+v %d %v", events, next, err)
	}
	chain, err := d.client.Why(ctx, "b")
	if err != nil || len(chain) != 1 || chain[0].State != supervisor.Stopped || chain[0].Advice == "" {
		t.Errorf("Why: %+v %v", chain, err)
	}
}

func TestUpdate(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string {
		return d.program("keep") + d.program("change") +
			d.program("drop")
	})
	d.untilReady("all")
	ctx := testContext(t)
	before, _ := d.client.Status(ctx)
	d.write(d.program("keep", "ready_log=open", "priority=5") + d.program("change", "environment=X=1") +
		d.program("new"))
	changes, err := d.client.Update(ctx)
	if err != nil || changes.String() != "added new; changed change, keep; removed drop" {
		t.Fatalf("%s %v", changes, err)
	}
	d.untilReady("all")
	after, _ := d.client.Status(ctx)
	pid := func(statuses []supervisor.Status, name string) int {
		for _, st := range statuses {
			if st.Name == name {
				return st.PID
			}
		}
		return 0
	}
	if pid(before, "keep") != pid(after, "keep") {
		t.Error("keep was restarted although its process would be the same")
	}
	if pid(before, "change") == pid(after, "change") || pid(after, "drop") != 0 || pid(after, "new") == 0 {
		t.Errorf("after: %+v", after)
	}
	d.write("[program:x\n")
	_, err = d.client.Update(ctx)
	wantFault(t, err, faults.CantReRead)
	if now, _ := d.client.Status(ctx); len(now) != 3 {
		t.Errorf("a broken configuration has changed something: %+v", now)
	}
}

// TestHangup applies a changed configuration on SIGHUP, and survives one that cannot be used.
func TestHangup(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string { return d.program("old") })
	d.untilReady("old")
	hangup := func(config string) {
		d.write(config)
		if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangup("[program:x\n")
	d.untilLogged("cannot apply the configuration; the old one stays in force")
	d.untilReady("old")
	hangup(d.program("new"))
	d.untilLogged("configuration applied: added new; removed old")
	d.untilReady("new")
}

// TestWhyPortTaken has a program fail because its port is taken, and another wait for it.
func TestWhyPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().String()
	port := l.Addr().(*net.TCPAddr).Port
	d := startDaemon(t, "", func(d *daemon) string {
		return d.program("db", "environment=LISTEN=\""+addr+"\"", "startretries=1", "startsecs=5", "ready_tcp="+addr) +
			d.program("top", "depends_on=db")
	})
	ctx := testContext(t)
	deadline := time.Now().Add(60 * time.Second)
	for {
		chain, err := d.client.Why(ctx, "top")
		if err != nil {
			t.Fatal(err)
		}
		if len(chain) == 2 && chain[1].State == supervisor.Fatal {
			root := chain[1]
			if !root.Root || chain[0].Root || len(root.Ports) != 1 || root.Ports[0].Port != port ||
				root.Ports[0].PID != os.Getpid() {
				t.Errorf("%+v", chain)
			}
			if !strings.Contains(root.Advice, fmt.Sprintf("port %d is held by pid %d", port, os.Getpid())) ||
				!strings.Contains(strings.Join(root.LastLog, "\n"), "address already in use") {
				t.Errorf("%+v", root)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", chain)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestCleanLogs: the lines of logs that a program printed pass through the client's filter, whatever asks for them.
func TestCleanLogs(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string {
		return strings.Replace(d.program("leaky", "autostart=false", "startretries=1", "startsecs=5"),
			"command = ", "command = /bin/sh -c 'echo password=hunter2; exit 3' ", 1)
	})
	d.client.CleanLogs(func(lines []string) []string {
		return strings.Split(strings.ReplaceAll(strings.Join(lines, "\n"), "hunter2", "***"), "\n")
	})
	ctx := testContext(t)
	outcome, err := d.client.Start(ctx, []string{"leaky"}, true)
	if err != nil || len(outcome.Failed) != 1 {
		t.Fatalf("%+v, %v", outcome, err)
	}
	statuses, err := d.client.Status(ctx)
	if err != nil || len(statuses) != 1 {
		t.Fatalf("%+v, %v", statuses, err)
	}
	chain, err := d.client.Why(ctx, "leaky")
	if err != nil || len(chain) != 1 {
		t.Fatalf("%+v, %v", chain, err)
	}
	for from, lines := range map[string][]string{"Start": outcome.Failed[0].Status.LastLog,
		"Status": statuses[0].LastLog, "Why": chain[0].LastLog} {
		if text := strings.Join(lines, "\n"); text != "password=***" {
			t.Errorf("%s: %q", from, text)
		}
	}
}

func TestFollowLog(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string { return d.program("a", "environment=GATE=\""+d.dir+"/gate\"") })
	ctx, cancel := context.WithCancel(testContext(t))
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- d.client.Log(ctx, w, "a", "stdout", 10, true)
		w.Close()
	}()
	buf := make([]byte, 100)
	n, err := r.Read(buf)
	if err != nil || string(buf[:n]) != "hello from a\n" {
		t.Fatalf("%q %v", buf[:n], err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "gate"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err = r.Read(buf); err != nil || string(buf[:n]) != "open\n" {
		t.Fatalf("%q %v", buf[:n], err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestUpgradeDaemon executes the daemon in its own place, which keeps its pid and its programs. When the call returns,
// it is the new version that answers.
func TestUpgradeDaemon(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string { return d.program("a") })
	d.untilReady("a")
	ctx := testContext(t)
	before, err := d.client.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		began, err := d.client.began(ctx)
		if err == nil {
			err = d.client.Upgrade(ctx, "")
		}
		if err != nil {
			t.Fatal(err)
		}
		if now, err := d.client.began(ctx); err != nil || now == began {
			t.Errorf("the daemon began at %s, before at %s: %v", now, began, err)
		}
		if pid, err := d.client.PID(ctx); err != nil || pid != d.cmd.Process.Pid {
			t.Errorf("the daemon's pid is %d, was %d: %v", pid, d.cmd.Process.Pid, err)
		}
		d.untilReady("a")
		if after, err := d.client.Status(ctx); err != nil || after[0].PID != before[0].PID || after[0].Restarts != 0 {
			t.Errorf("the program was %+v, is %+v: %v", before, after, err)
		}
	}
	if err := d.client.Upgrade(ctx, "/no/such/version"); err == nil ||
		!strings.Contains(err.Error(), "cannot find the program /no/such/version") {
		t.Errorf("upgrade to a file that is not there: %v", err)
	}
}

// TestRestartDaemon rereads everything, on the same socket.
func TestRestartDaemon(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string { return d.program("a") })
	d.untilReady("a")
	before, _ := d.client.Status(testContext(t))
	if err := d.client.Call(testContext(t), nil, "supervisor.restart"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		after, err := d.client.Status(testContext(t))
		if err == nil && len(after) == 1 && after[0].Ready && after[0].PID != before[0].PID {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v %v", after, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
