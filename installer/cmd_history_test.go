package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/audit"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor"
)

// TestHistoryOfRequests lists what the supervisor was asked for, by whom, and how it ended.
func TestHistoryOfRequests(t *testing.T) {
	base := t.TempDir()
	l := cluster.Layout{Base: base}
	record := recordRequest(l, func(err error) { t.Error(err) })
	// nothing is installed: no history, no error
	record(supervisor.Requester{UID: 0, User: "root"}, "stop fate-mysql")(nil)
	if err := os.MkdirAll(l.State(), 0o700); err != nil {
		t.Fatal(err)
	}
	who := supervisor.Requester{UID: 0, User: "root", Login: "alice", PID: 7, Command: "fate-installer svc stop mysql"}
	record(who, "stop fate-mysql")(nil)
	record(supervisor.Requester{UID: -1}, "restart fate-fateflow")(errors.New("fate-fateflow: is stopped"))
	record(who, "start all")
	var out bytes.Buffer
	run := func(args ...string) string {
		t.Helper()
		out.Reset()
		g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
		if code := execute(t.Context(), g, append([]string{"--base", base}, args...)); code != 0 {
			t.Fatalf("%v: exit %d\n%s", args, code, out.String())
		}
		return out.String()
	}
	text := run("history")
	for _, want := range []string{
		"root (alice)  done        supervisor: stop fate-mysql <- fate-installer svc stop mysql",
		"TCP           failed      supervisor: restart fate-fateflow",
		"root (alice)  unfinished  supervisor: start all <- fate-installer svc stop mysql",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("history does not say %q:\n%s", want, text)
		}
	}
	var doc struct {
		Entries []audit.Entry `json:"entries"`
	}
	if err := json.Unmarshal([]byte(run("history", "-n", "2", "-o", "json")), &doc); err != nil ||
		len(doc.Entries) != 2 {
		t.Fatalf("%+v, %v", doc, err)
	}
	if e := doc.Entries[0]; e.UID != -1 || e.Result != audit.Failed || e.Error != "fate-fateflow: is stopped" {
		t.Errorf("%+v", e)
	}
	if text := run("history", "show", doc.Entries[0].ID); !strings.Contains(text,
		"error:   fate-fateflow: is stopped") {
		t.Errorf("history show:\n%s", text)
	}
}

// TestRecordingOfAnInstallation begins when the installation has made its directory, and keeps what was printed before.
func TestRecordingOfAnInstallation(t *testing.T) {
	l := cluster.Layout{Base: t.TempDir()}
	var out bytes.Buffer
	g := &globals{Stdout: &out, Stderr: &out}
	r := &recording{g: g, log: historyOf(l), entry: audit.Entry{ID: audit.NewID(time.Now()), Began: time.Now(),
		Command: "fate-installer install"}}
	g.Stdout = &teeWriter{g.Stdout, r}
	g.printf("checking\n")
	if entries, err := r.log.Entries(); len(entries) > 0 || err != nil {
		t.Fatalf("%v, %v", entries, err)
	}
	if err := os.MkdirAll(l.State(), 0o700); err != nil {
		t.Fatal(err)
	}
	g.printf("installing\n")
	r.end(exit.Step, errors.New("no space"))
	entries, err := r.log.Entries()
	if err != nil || len(entries) != 1 || entries[0].Result != audit.Failed || *entries[0].Exit != exit.Step ||
		entries[0].Error != "no space" {
		t.Fatalf("%+v, %v", entries, err)
	}
	if kept, err := r.log.Output(entries[0].ID); err != nil || string(kept) != "checking\ninstalling\n" ||
		out.String() != "checking\ninstalling\n" {
		t.Errorf("%q, %v", kept, err)
	}
}

// TestTreesHaveNoHistory: with --root, the record of this machine is not shown as that of the tree.
// TestHistoryThatCannotBeWritten ends a command whose entry, or the end of it, cannot be written: it says so.
func TestHistoryThatCannotBeWritten(t *testing.T) {
	for _, began := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "history")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		g := &globals{}
		r := &recording{g: g, log: audit.Open(dir), entry: audit.Entry{ID: audit.NewID(time.Now())}}
		g.Stderr = &teeWriter{&stderr, r}
		if began {
			r.begin()
		}
		log := filepath.Join(dir, "log")
		if err := errors.Join(os.RemoveAll(log), os.Mkdir(log, 0o700)); err != nil {
			t.Fatal(err)
		}
		r.end(exit.OK, nil)
		if !strings.HasPrefix(stderr.String(), "warning: this command is not in the history: ") {
			t.Errorf("begun: %v: %q", began, &stderr)
		}
	}
}

func TestTreesHaveNoHistory(t *testing.T) {
	for _, args := range [][]string{{"history"}, {"history", "show", "20261129-142233-0a1b2c"}} {
		var out bytes.Buffer
		g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
		code := execute(t.Context(), g, append([]string{"--root", t.TempDir()}, args...))
		if code != exit.Usage || !strings.Contains(out.String(), "is a tree of files") {
			t.Errorf("%v: exit %d\n%s", args, code, out.String())
		}
	}
}

// TestCommandsThatAreRecorded keeps the list of commands that change the host.
func TestCommandsThatAreRecorded(t *testing.T) {
	root := newRootCommand(&globals{})
	for _, path := range []string{
		"install", "upgrade", "rollback", "uninstall", "check", "party add", "party remove", "secrets rotate",
		"secrets show", "keys install",
		"job clean",
		"svc install", "svc uninstall",
	} {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil || cmd.Annotations[changesHost] == "" {
			t.Errorf("%s is not recorded", path)
		}
	}
}

// TestHistoryEndsWithAPurge: an uninstall keeps the history, and one that removes the data removes it.
func TestHistoryEndsWithAPurge(t *testing.T) {
	root := machine(t)
	mustRunCLI(t, root, "", "--payload", smallAppliance(t), "--role", "exchange", "--ip", "192.168.0.88")
	history := filepath.Join(root, stateDir, "history", "log")
	put(t, root, filepath.Join(stateDir, "history", "log"), "{}\n")
	mustRunCLI(t, root, "", "uninstall", "--yes")
	if _, err := os.Stat(history); err != nil {
		t.Error(err)
	}
	mustRunCLI(t, root, "", "uninstall", "--yes", "--purge-data")
	if _, err := os.Stat(filepath.Join(root, "data")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the purge left something in /data: %v", err)
	}
}
