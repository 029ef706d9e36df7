package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/jsonshape"
	"fate-installer/scripts/ansiblefate"
	"fate-installer/supervisor"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// documentOf is the description of what a command line printed.
func documentOf(args []string, failed bool) (jsonDocument, error) {
	command := everyCommand
	if !failed {
		found, _, err := newRootCommand(&globals{}).Find(args)
		if err != nil {
			return jsonDocument{}, err
		}
		command = commandName(found)
	}
	var plain *jsonDocument
	for i, d := range jsonDocuments {
		for _, c := range d.commands {
			switch name, flag, _ := strings.Cut(c, " --"); {
			case name != command:
			case flag == "":
				plain = &jsonDocuments[i]
			case slices.Contains(args, "--"+flag):
				return d, nil
			}
		}
	}
	if plain == nil {
		return jsonDocument{}, fmt.Errorf("%q is not in jsonDocuments", command)
	}
	return *plain, nil
}

// commandName is a command without the program's name; without a command, the program installs.
func commandName(c *cobra.Command) string {
	if !c.HasParent() {
		return "install"
	}
	return strings.TrimPrefix(c.CommandPath(), programName+" ")
}

// checkDocument holds that a command line with -o json printed one document, which has the keys of its type. It returns
// the head of the description.
func checkDocument(t *testing.T, args []string, stdout string) string {
	t.Helper()
	var raw json.RawMessage
	decoder := json.NewDecoder(strings.NewReader(stdout))
	if err := decoder.Decode(&raw); err != nil {
		t.Errorf("%v: no JSON document: %v\n%s", args, err, stdout)
		return ""
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Errorf("%v: more than one document\n%s", args, stdout)
	}
	doc, err := documentOf(args, strings.HasPrefix(stdout, `{"error":`))
	if err != nil {
		t.Errorf("%v: %v", args, err)
		return ""
	}
	for _, wrong := range jsonshape.Compare(raw, reflect.TypeOf(doc.example)) {
		t.Errorf("%v: %s", args, wrong)
	}
	return doc.commands[0]
}

// scriptDocument is a command of scripts: the last output is the document of a command, which the arguments name.
func scriptDocument(ts *testscript.TestScript, _ bool, args []string) {
	doc, err := documentOf(args, false)
	ts.Check(err)
	if wrong := jsonshape.Compare([]byte(ts.ReadFile("stdout")), reflect.TypeOf(doc.example)); len(wrong) > 0 {
		ts.Fatalf("%v: %v", args, wrong)
	}
}

// TestDocumentsHaveTheirShape holds the comparison itself, with the examples and with a key too many and too few.
func TestDocumentsHaveTheirShape(t *testing.T) {
	for _, d := range jsonDocuments {
		data, err := json.Marshal(d.example)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range jsonshape.Compare(data, reflect.TypeOf(d.example)) {
			t.Errorf("%v: %s", d.commands, wrong)
		}
	}
	for _, text := range []string{`{"path":"a"}`, `{"path":"a","whole":true,"size":1}`} {
		if len(jsonshape.Compare([]byte(text), reflect.TypeFor[bundleVerifyPartOutput]())) == 0 {
			t.Errorf("%s is taken for the document of bundle verify --part", text)
		}
	}
}

// goNames are objects whose keys were the names of Go fields before there was this test. They stay: keys are stable.
var goNames = []string{"supervisor.Changes", "engine.ServiceStatus", "cluster.Advice"}

// TestKeysAreSnakeCase holds the form of every key.
func TestKeysAreSnakeCase(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	seen := map[reflect.Type]bool{}
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
		case reflect.Struct:
			if seen[typ] || typ == timeType {
				return
			}
			seen[typ] = true
			for _, k := range jsonshape.Keys(typ) {
				if !snake.MatchString(k.Name) && !slices.Contains(goNames, k.Owner.String()) {
					t.Errorf("%s: %q is not snake_case", k.Owner, k.Name)
				}
				walk(k.Field.Type)
			}
		}
	}
	for _, d := range jsonDocuments {
		typ := reflect.TypeOf(d.example)
		walk(typ)
		if name := typ.Name(); typ.PkgPath() == reflect.TypeFor[globals]().PkgPath() &&
			!strings.HasSuffix(name, "Output") && !strings.HasSuffix(name, "Report") {
			t.Errorf("%s: a document's type is called ...Output or ...Report", name)
		}
	}
}

// notRunHere are the documents of commands that need a supervisor, FATE-Flow, or another party, of those that the
// scripts below testdata/bundle run, those about backups (TestBackupCommands, TestScheduleDocument), and the report of
// check, which is a file.
var notRunHere = []string{
	"bundle lock", "bundle build", "bundle import", "party test", "svc status", "svc status --all-hosts",
	"svc start", "svc update", "svc why", "test toy", "test min", "test min --upload", "job why", "job list",
	"job clean", "check --report", "backup create", "backup verify", "backup inspect", "backup list",
	"backup schedule", "restore", "gc",
}

// TestCommandsPrintTheirDocuments runs the other commands on a host in a tree.
func TestCommandsPrintTheirDocuments(t *testing.T) {
	root, appliance, text := partyTree(t)
	dir, fresh := t.TempDir(), machine(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	seen := map[string]bool{}
	run := func(root, stdin string, args ...string) string {
		t.Helper()
		args = append(args, "-o", "json")
		stdout, _, _ := runCLI(t, root, stdin, args...)
		seen[checkDocument(t, args, stdout)] = true
		return stdout
	}
	here := func(args ...string) string { t.Helper(); return run(root, text, args...) }

	here("version")
	here("version", "--role", "hots")
	here("man", "--all")
	run(ansibleHost(t, ansiblefate.Options{}), "", "adopt", "--plan", "--ip", "192.168.0.1")
	here("config", "check", "--config", in("missing.yaml"))
	run(root, "host: {partyid: 10000, ipz: 192.168.0.1}\n", "config", "check", "--config", "-")
	here("init", "--out", in("sides"), "--host", "10000:192.168.0.1", "--guest", "9999:192.168.1.1",
		"--tls", "host,guest")
	here("config", "check", "--config", "-")
	here("config", "show", "--config", "-", "--ip", "192.168.0.1")
	here("config", "show", "--config", "-", "--ip", "192.168.7.7")
	run(root, outsideCluster, "config", "sql", "--config", "-", "--for-dba", "--ip", "192.168.0.1",
		"--fate-version", "1.11.4")
	here("render", "--out", in("rendered"), "--config", "-", "--ip", "192.168.0.1")
	here("render", "--diff", "--config", "-", "--ip", "192.168.0.1")
	run(fresh, text, "render", "--diff", "--config", "-", "--ip", "192.168.0.1", "--fate-version", "1.11.4")
	host, guest := in("sides/host.yaml"), in("sides/guest.yaml")
	public := in("sides/public.yaml")
	run(fresh, "", "keys", "--config", host, "--config", guest, "--config", public, "--out", in("keys"))
	run(fresh, "", "keys", "request", "--config", host, "--out", in("host"))
	run(fresh, "", "keys", "request", "--config", guest, "--out", in("guest"))
	run(fresh, "", "keys", "sign", "--keys", in("host"), "--out", in("answer.pem"), in("guest/guest-request.pem"))
	run(fresh, "", "keys", "complete", "--config", guest, "--config", public, "--role", "guest",
		"--keys", in("guest"), in("answer.pem"))

	here("check", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1")
	here("plan", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1")
	here("install", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1")
	run(fresh, text, "install", "--dry-run", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1")
	here("party", "list")
	here("party", "add", "10001:192.168.3.1:9370")
	here("party", "remove", "10001")
	here("secrets", "list")
	here("secrets", "show", "fateboard")
	if _, stderr, code := runCLI(t, root, text, "check", "--report", in("report.json")); code != exit.OK &&
		code != exit.Preflight {
		t.Fatalf("check --report: exit code %d\n%s", code, stderr)
	}
	here("check", "--verify-report", in("report.json"))
	here("secrets", "rotate", "mysql_fate")
	layout := cluster.Layout{Base: in("base")}
	if err := os.MkdirAll(layout.State(), 0o700); err != nil {
		t.Fatal(err)
	}
	recordRequest(layout, func(err error) { t.Error(err) })(supervisor.Requester{User: "root"}, "stop fate-mysql")(nil)
	var history historyOutput
	printed := run("/", "", "--base", layout.Base, "history") // a tree has none
	if err := json.Unmarshal([]byte(printed), &history); err != nil || len(history.Entries) != 1 {
		t.Fatalf("%v\n%s", err, printed)
	}
	run("/", "", "--base", layout.Base, "history", "show", history.Entries[0].ID)
	here("diagnose", "--out", in("diagnosis.tar.gz"))
	here("diagnose", "--analyze", in("diagnosis.tar.gz"))

	here("bundle", "inspect", appliance)
	here("bundle", "verify", appliance)
	here("bundle", "keygen", "--out", in("release"), "--no-password")
	here("bundle", "sign", "--key", in("release.key"), "--out", in("signed"), appliance)
	here("bundle", "inspect", in("signed"))
	here("bundle", "extract", "--from", appliance, "eggroll", in("extracted"))
	if err := os.WriteFile(in("one.part001"), []byte("part"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x  one.part001\n", sha256.Sum256([]byte("part")))
	if err := os.WriteFile(in("one.sha256"), []byte(sum), 0o600); err != nil {
		t.Fatal(err)
	}
	here("bundle", "verify", "--part", in("one.part001"))

	here("uninstall", "--dry-run")
	here("uninstall", "--verify")
	here("uninstall", "--yes")
	here("uninstall", "--yes")
	for _, d := range jsonDocuments {
		if name := d.commands[0]; seen[name] == slices.Contains(notRunHere, name) {
			t.Errorf("%s: run %t; notRunHere says what is not", name, seen[name])
		}
	}
}
