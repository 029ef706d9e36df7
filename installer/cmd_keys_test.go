package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
)

// TestHostileClusterFileIsRefused: 200 kB of brackets took 20 GB before the shape of a file was bounded.
func TestHostileClusterFileIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(file, []byte(strings.Repeat("[", 200_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := runCLI(t, t.TempDir(), "", "config", "check", "--config", file)
	if code != exit.Usage || !strings.Contains(stderr,
		"cluster.yaml:1:33: not YAML: more than 32 collections are inside one another") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if _, stderr, code := runCLI(t, t.TempDir(), "", "config", "check", "--config", "/dev/zero"); code != exit.Usage ||
		!strings.Contains(stderr, "longer than") {
		t.Errorf("an endless device: exit %d: %s", code, stderr)
	}
}
