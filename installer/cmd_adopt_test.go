package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/adopt"
	"fate-installer/installer/exit"
	"fate-installer/scripts/ansiblefate"
)

// runAdopting runs adopt in a tree.
func runAdopting(t *testing.T, root string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	code = execute(t.Context(), g, append([]string{"adopt", "--root", root, "--ip", "192.168.0.1"}, args...))
	return code, out.String(), errs.String()
}

func ansibleHost(t *testing.T, o ansiblefate.Options) string {
	t.Helper()
	root := t.TempDir()
	if err := ansiblefate.Make(root, o); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestAdoptPlan(t *testing.T) {
	root := ansibleHost(t, ansiblefate.Options{Version: "1.9.2", TLS: true, Running: true})
	if err := ansiblefate.Edit(root, "data/projects/fate/conf/service_conf.yaml", "max_connections: 100",
		"max_connections: 500"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "adopted.yaml")
	code, text, errs := runAdopting(t, root, "--plan", "--out", file)
	if code != exit.OK {
		t.Fatalf("exit %d: %s\n%s", code, errs, text)
	}
	for _, want := range []string{"AnsibleFATE installed the host of party 10000 below /data; this host is 192.168.0.1",
		"fate 1.9.2", "mysql 8.0.28", "fate-mysql           restart", "fate-fateflow        keep", "would be disabled",
		"service_conf.yaml:36  database.max_connections  500    100       operator", "the published one", "host-ca.pem",
		"differences that AnsibleFATE's own templates make", "nothing was changed"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(data), "partyid: 10000") {
		t.Errorf("the cluster file is %q: %v", data, err)
	}
	for _, password := range []string{ansiblefate.AdminPassword, ansiblefate.UserPassword} {
		if strings.Contains(text+string(data), password) {
			t.Errorf("%s is shown", password)
		}
	}
	if code, _, errs := runAdopting(t, root, "--plan", "--out", file); code != exit.Usage ||
		!strings.Contains(errs, "name a file that does not exist") {
		t.Errorf("a file that exists: exit %d: %s", code, errs)
	}
	if _, text, _ := runAdopting(t, root, "--plan", "--all"); !strings.Contains(text, "ansiblefate") ||
		!strings.Contains(text, "server.servlet.encoding.charset") {
		t.Errorf("--all does not list what the templates make:\n%s", text)
	}
}

// TestAdoptedFileIsUsed reads the written cluster file as install would, with the passwords given as they would be.
func TestAdoptedFileIsUsed(t *testing.T) {
	root := ansibleHost(t, ansiblefate.Options{})
	file := filepath.Join(t.TempDir(), "adopted.yaml")
	if code, _, errs := runAdopting(t, root, "--plan", "--out", file); code != exit.OK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var out bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	if code := execute(t.Context(), g, []string{"config", "check", "--config", file}); code != exit.OK {
		t.Errorf("config check: exit %d\n%s", code, out.String())
	}
}

func TestAdoptJSON(t *testing.T) {
	root := ansibleHost(t, ansiblefate.Options{Running: true})
	code, text, errs := runAdopting(t, root, "--plan", "-o", "json", "--role", "guest")
	var doc struct {
		adopt.Plan
		Out *string `json:"out"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || code != exit.OK {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	if doc.Role != "guest" || doc.RoleFrom != "--role" || doc.Party != 10000 || len(doc.Programs) != 6 ||
		doc.Out == nil || !strings.Contains(doc.ClusterFile, "guest:") {
		t.Errorf("it is %+v", doc)
	}
}

// TestAdoptRefuses holds the exit codes, and that each refusal says what to do.
func TestAdoptRefuses(t *testing.T) {
	installed := ansibleHost(t, ansiblefate.Options{})
	obstructed := ansibleHost(t, ansiblefate.Options{})
	if err := ansiblefate.Edit(obstructed, "data/projects/fate/common/mysql/mysql-8.0.28/conf/my.cnf",
		"datadir=/data/projects/data/fate/mysql", "datadir=/data3/mysql"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		root  string
		args  []string
		code  int
		words []string
	}{
		"without --plan": {installed, nil, exit.Usage, []string{"only makes the plan", "fate-installer adopt --plan"}},
		"nothing there": {t.TempDir(), []string{"--plan"}, exit.Preflight,
			[]string{"there is no installation of AnsibleFATE below /data", "hint"}},
		"an obstacle": {obstructed, []string{"--plan"}, exit.Preflight,
			[]string{"cannot be taken over: the database is in /data3/mysql", "mount --bind"}},
		"an argument": {installed, []string{"--plan", "now"}, exit.Usage, []string{"now"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, text, errs := runAdopting(t, c.root, c.args...)
			if code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
			for _, word := range c.words {
				if !strings.Contains(text+errs, word) {
					t.Errorf("it does not say %q:\n%s%s", word, text, errs)
				}
			}
		})
	}
}
