package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGreedyParser measures a parser that takes a thousand bytes for each of its input, and one that takes none.
func TestGreedyParser(t *testing.T) {
	if testing.Short() {
		t.Skip("limits the address space of this process, of which the race detector takes more")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module greedy\n\ngo 1.24\n",
		"greedy_test.go": `package greedy

import "testing"

var kept []byte

func parse(data []byte, repeat int) {
	kept = make([]byte, 0, repeat*len(data))
	for range repeat {
		kept = append(kept, data...)
	}
}

func FuzzGreedy(f *testing.F) { f.Fuzz(func(t *testing.T, data []byte, n int) { parse(data, 1000) }) }

func modest(t *testing.T, text string) { parse([]byte(text), 1) }

func FuzzModest(f *testing.F) { f.Fuzz(modest) }
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := run(dir, 192, "")
	if err == nil || !strings.Contains(err.Error(), "FuzzGreedy of "+dir+" had ") ||
		strings.Contains(err.Error(), "FuzzModest") {
		t.Errorf("error %v", err)
	}
	if err := run(dir, 192, "Nothing"); err == nil {
		t.Error("measuring nothing succeeded")
	}
}

func TestTargets(t *testing.T) {
	targets, err := findTargets("../../installer")
	if err != nil || len(targets) < 20 {
		t.Fatalf("%d targets, %v", len(targets), err)
	}
	for _, x := range targets {
		if strings.Join(x.params, "") == "" {
			t.Errorf("%s is given nothing that is known: %q", x.name, x.params)
		}
	}
}
