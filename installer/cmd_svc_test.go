package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/state"
	"fate-installer/supervisor"
)

// svc runs a command line and returns its output and exit code.
func svc(t *testing.T, base string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	code = execute(context.Background(), g, append([]string{"--base", base, "svc"}, args...))
	return out.String(), errs.String(), code
}

func TestSvcWithoutSupervisor(t *testing.T) {
	base := t.TempDir()
	for _, args := range [][]string{
		{"status"}, {"start", "all"}, {"stop", "mysql"}, {"restart", "mysql"}, {"logs", "mysql"}, {"update"},
		{"reload"},
		{"why", "mysql"}, {"shutdown"}, {"upgrade-self"}, {"metrics"},
	} {
		_, stderr, code := svc(t, base, args...)
		if code != 4 || !strings.Contains(stderr, "the supervisor is not running") ||
			!strings.Contains(stderr, "hint: systemctl start fate-supervisor") {
			t.Errorf("svc %v: exit %d\n%s", args, code, stderr)
		}
	}
	for _, args := range [][]string{{"start"}, {"stop"}, {"restart"}, {"logs"}, {"logs", "a", "b"}, {"why"},
		{"reload", "x"}, {"shutdown", "x"}} {
		if _, stderr, code := svc(t, base, args...); code != 2 {
			t.Errorf("svc %v: exit %d, want 2 for wrong usage\n%s", args, code, stderr)
		}
	}
}

func TestSvcRunCheck(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "projects/common/supervisord")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "supervisord.conf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[program:a]\ncommand=/bin/true\nstartsec=1\n")
	out, stderr, code := svc(t, base, "run", "--check")
	if code != 0 || !strings.Contains(out,
		"supervisord.conf:3: [program:a] startsec is not a key that means anything here; did you mean startsecs?") ||
		!strings.Contains(out, "1 program, no problems") {
		t.Errorf("exit %d\n%s%s", code, out, stderr)
	}
	write("[program:a]\ncommand=/bin/true\ndepends_on=b\n")
	if _, stderr, code := svc(t, base, "run", "--check"); code != 2 ||
		!strings.Contains(stderr, "program a depends on b, which is not defined") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func someStatuses(now time.Time) []supervisor.Status {
	return []supervisor.Status{
		{Name: "fate-mysql", Group: "fate-mysql", State: supervisor.Running, Ready: true, PID: 4242, Started: now,
			UpSeconds: 50 * 3600,
			Ports:     []int{3306}, Memory: 400 << 20, Restarts: 1},
		{Name: "fate-flow", Group: "fate", State: supervisor.Waiting, Since: now, StateSeconds: 90,
			Why: "waits for fate-mysql", Changed: true},
	}
}

func TestWriteStatuses(t *testing.T) {
	now := time.Now()
	var b bytes.Buffer
	if err := writeStatuses(&globals{Stdout: &b}, someStatuses(now)); err != nil {
		t.Fatal(err)
	}
	want := `NAME            STATE    READY  PID   SINCE  RESTARTS  PORTS  MEMORY   WHY
fate-mysql      RUNNING  yes    4242  2d2h   1         3306   400 MiB  -
fate:fate-flow  WAITING  no     -     1m30s  0         -      -        waits for fate-mysql; its definition has changed: fate-installer svc update
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestStatusJSON holds the names scripts rely on.
func TestStatusJSON(t *testing.T) {
	var out bytes.Buffer
	g := &globals{Output: "json", Stdout: &out}
	if err := printStatuses(g, svcStatusReport{Programs: someStatuses(time.Now()), Phase: state.Upgrading,
		Interrupted: "an upgrade was interrupted"}); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Programs           []map[string]any `json:"programs"`
		Phase, Interrupted string
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil || len(doc.Programs) != 2 {
		t.Fatalf("%v: %s", err, out.String())
	}
	for _, key := range []string{"name", "group", "state", "ready", "pid", "since", "restarts", "ports", "why"} {
		if _, ok := doc.Programs[1][key]; !ok {
			t.Errorf("%s is missing: %v", key, doc.Programs[1])
		}
	}
	if doc.Phase != "upgrading" || doc.Interrupted == "" {
		t.Errorf("the interrupted change is missing: %s", out.String())
	}
	if doc.Programs[0]["state"] != "RUNNING" {
		t.Errorf("%v", doc.Programs[0]["state"])
	}
	checkDocument(t, []string{"svc", "status"}, out.String())
}

func TestWriteFindings(t *testing.T) {
	var b bytes.Buffer
	g := &globals{Stdout: &b, Base: "/srv/x"}
	advice := "stop it: fate-installer svc stop x"
	writeFindings(g, []supervisor.Finding{
		{Name: "fate-flow", Text: "waits to be started; it depends on fate-mysql, which is not ready"},
		{Name: "fate-mysql", Text: "has failed 4 times in a row and was given up: exited with status 1",
			Exit:    "exited with status 1 at 12:00",
			LogFile: "/data/logs/x", LastLog: []string{"cannot bind"}, Advice: advice, Root: true,
			Ports: []supervisor.PortOwner{{Port: 3306, PID: 7, Command: "mysqld"}, {Port: 1, Program: "p", PID: 8},
				{Port: 2},
				{Port: 3, PID: 9, Command: "curl", Peer: "10.0.0.2:443"}}},
	})
	want := `fate-flow waits to be started; it depends on fate-mysql, which is not ready
  fate-mysql has failed 4 times in a row and was given up: exited with status 1
    last process: exited with status 1 at 12:00
    port 3306: held by pid 7: mysqld
    port 1: held by the program p, pid 8
    port 2: held by a process that only root can see
    port 3: held by pid 9: curl, for a connection to 10.0.0.2:443
    last lines (/data/logs/x):
      | cannot bind
    what to do: ` + g.runnable(advice) + "\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestShortDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 12 * time.Second: "12s", 200 * time.Second: "3m20s", 302 * time.Minute: "5h2m",
		195 * time.Hour: "8d3h",
	} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// TestSvcInstallIntoTree writes the boot unit into a directory tree and takes it out again.
func TestSvcInstallIntoTree(t *testing.T) {
	root := t.TempDir()
	var out, errs bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	if code := execute(context.Background(), g, []string{"--root", root, "--base",
		"/srv/x", "svc", "install"}); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	unit := filepath.Join(root, supervisor.SystemdPath)
	data, err := os.ReadFile(unit)
	if err != nil || !strings.Contains(string(data),
		"ExecStart=/usr/local/bin/fate-installer --base /srv/x svc run\n") ||
		!strings.Contains(string(data), "KillMode=process\n") {
		t.Errorf("%v\n%s", err, data)
	}
	for range 2 {
		if code := execute(context.Background(), g, []string{"--root", root, "svc", "uninstall"}); code != 0 {
			t.Errorf("uninstall: exit %d: %s", code, errs.String())
		}
	}
	if _, err := os.Stat(unit); !os.IsNotExist(err) {
		t.Errorf("the unit is still there: %v", err)
	}
	if code := execute(context.Background(), g, []string{"--root", root, "svc", "status"}); code != 2 {
		t.Errorf("status in a tree: exit %d", code)
	}
}
