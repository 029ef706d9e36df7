package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/redact"
	"fate-installer/scripts/ansiblefate"
)

// TestAdoptPrintsNoControlCharacters plans a host whose service user wrote sequences of a terminal wherever it can.
func TestAdoptPrintsNoControlCharacters(t *testing.T) {
	const evil = "\x1b]0;pwned\x07\x1b[2J\u009b2J"
	root := ansibleHost(t, ansiblefate.Options{Running: true, Linked: []string{"eggroll"}})
	if err := ansiblefate.Edit(root, "var/spool/cron/app", "/bin/bash", evil+"/bin/bash"); err != nil {
		t.Fatal(err)
	}
	if err := ansiblefate.Edit(root, "data/projects/fate/conf/service_conf.yaml", "max_connections: 100",
		`max_connections: "\x1b[2J"`); err != nil {
		t.Fatal(err)
	}
	programs := filepath.Join(root, "data/projects/common/supervisord/supervisord.d")
	if err := os.Rename(filepath.Join(programs, "fate-mysql.conf"), filepath.Join(programs,
		"fate-mysql"+evil+"\n.conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(programs, "b"+evil+".conf"), []byte("no section\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	eggroll := filepath.Join(root, "data/projects/fate/eggroll")
	target, err := os.Readlink(eggroll)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(root, "data/projects/fate/"+evil)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(eggroll); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/data/projects/fate/"+evil, eggroll); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "adopted.yaml")
	for _, args := range [][]string{{"--plan", "--all", "--out", file}, {"--plan", "-o", "json"}} {
		_, text, errs := runAdopting(t, root, args...)
		for _, line := range strings.Split(text+errs, "\n") {
			if line != redact.Printable(line) {
				t.Errorf("%v: a control character is printed: %q", args, line)
			}
		}
		if !strings.Contains(text, "pwned") || !strings.Contains(text, "link") {
			t.Errorf("%v: the texts are not there:\n%s%s", args, text, errs)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		if line != redact.Printable(line) {
			t.Errorf("a control character is in the cluster file: %q", line)
		}
	}
}
