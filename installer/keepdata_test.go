package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/database"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
)

// failedInstall installs an exchange into a tree with a directory in the place of a file, so that the run fails and is
// undone. The tree lacks the account.
func failedInstall(t *testing.T, data map[string]string) (root, out string) {
	t.Helper()
	root = machine(t)
	put(t, root, "etc/passwd", "root:x:0:0::/root:/bin/sh\n")
	put(t, root, "etc/group", "root:x:0:\n")
	put(t, root, "data/projects/common/supervisord/service.sh/in-the-way", "")
	for name, text := range data {
		put(t, root, name, text)
	}
	out, stderr, code := runCLI(t, root, "", "--payload", smallAppliance(t), "--role", "exchange",
		"--ip", "192.168.0.88")
	if code != exit.Step {
		t.Fatalf("exit code %d\n%s%s", code, out, stderr)
	}
	return root, out
}

// TestFailedRunKeepsWhatDataNeeds: the passwords and the account of a failed first run stay when data stays, and go
// with everything else when there is none.
func TestFailedRunKeepsWhatDataNeeds(t *testing.T) {
	const secrets = "data/projects/common/fate-installer/secrets.json"
	for _, tt := range []struct {
		name string
		data map[string]string
		kept bool
	}{
		{"nothing", nil, false},
		{"a store", map[string]string{"data/projects/data/fate/eggroll/IN_MEMORY/x": ""}, true},
		{"a database", map[string]string{"data/projects/data/fate/mysql/ibdata1": "tables"}, true},
		{"a log", map[string]string{"data/logs/fate/eggroll/eggroll.log": "line"}, true},
		{"the supervisor's log", map[string]string{"data/logs/supervisord/supervisord.log": "line"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, out := failedInstall(t, tt.data)
			_, err := os.Stat(filepath.Join(root, secrets))
			if kept := err == nil; kept != tt.kept {
				t.Errorf("passwords kept: %v, want %v\n%s", kept, tt.kept, out)
			}
			for _, file := range []string{"etc/passwd", "etc/group"} {
				text, err := os.ReadFile(filepath.Join(root, file))
				if err != nil || strings.Contains(string(text), "\napp") != tt.kept {
					t.Errorf("%s, want ours kept: %v: %v\n%s", file, tt.kept, err, text)
				}
			}
		})
	}
}

// brokenStep is a step that fails after it has begun, such as one that fills a database.
type brokenStep string

func (b brokenStep) ID() string { return string(b) }
func (brokenStep) Check(context.Context, *engine.Env) (engine.Finding, error) {
	return engine.Finding{Why: "not done", Before: []byte(`{"path":"/data/other","kind":"absent"}`)}, nil
}
func (brokenStep) Apply(context.Context, *engine.Env) error { return errors.New("cut off") }

// TestFailedRunKeepsPasswordsOfAnOutsideDatabase: accounts on a server elsewhere have the passwords, too.
func TestFailedRunKeepsPasswordsOfAnOutsideDatabase(t *testing.T) {
	for id, kept := range map[string]bool{
		database.Contents{Address: database.Address{Host: "db", Port: 3306}}.ID(): true,
		"database-init:/data/projects/data/fate/mysql":                            true,
		"link:/data/other": false,
	} {
		root := machine(t)
		d := openTree(t, root)
		journal, err := engine.OpenJournal(d.host, d.journalPath())
		if err != nil {
			t.Fatal(err)
		}
		defer journal.Close()
		secrets := step.File{Path: d.layout().Secrets(), Content: []byte("{}"), Secret: true}
		plan := engine.Plan{Nodes: []engine.Node{{Step: secrets},
			{Step: brokenStep(id), After: []string{secrets.ID()}}}}
		env := d.undoEnv()
		if _, err := engine.Apply(t.Context(), plan, env, journal, nil); err == nil {
			t.Fatal("the run did not fail")
		}
		if _, err := engine.Undo(t.Context(), env, journal, engine.LastAttempt,
			undoAttempt(d.host, d.layout(), journal.Ledger()), nil); err != nil {
			t.Fatal(err)
		}
		if got := d.host.Exists(d.layout().Secrets()); got != kept {
			t.Errorf("after %s: passwords kept: %v, want %v", id, got, kept)
		}
	}
}

// openTree opens a deployment on a tree, with the default base.
func openTree(t *testing.T, root string) *deployment {
	t.Helper()
	h, err := host.New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return &deployment{host: h, g: &globals{Root: root, Base: "/data", User: "app", Group: "apps", Output: outputText,
		LogLevel: "error", Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}}
}
