package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
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
