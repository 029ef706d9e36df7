package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/audit"
	"fate-installer/installer/exit"
)

// TestCompletionOfWhatIsThere asks, as a shell does, for words that depend on what is installed or named. Nothing of it
// changes the host.
func TestCompletionOfWhatIsThere(t *testing.T) {
	root, appliance, text := partyTree(t)
	mustRunCLI(t, root, "", "party", "add", "8888:192.168.8.8")
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	before := filesWithTimes(t, root)
	for _, tt := range []struct {
		root string
		args []string
		want []string // the first word is the one before which nothing else is
	}{
		{root, []string{"party", "remove", ""}, []string{"8888"}},
		{root, []string{"party", "test", ""}, []string{"8888"}},
		{root, []string{"party", "test", "8888", ""}, nil},
		{empty, []string{"party", "remove", ""}, nil},
		{root, []string{"test", "toy", "--guest", ""}, []string{"8888", "9999"}},
		{empty, []string{"plan", "--config", file, "--role", "host", "--party", ""}, []string{"10000", "9999"}},
		{empty, []string{"plan", "--config", "-", "--party", ""}, nil},
		{empty, []string{"bundle", "extract", "--from", appliance, ""}, []string{"eggroll", "fateboard", "all"}},
		{empty, []string{"bundle", "extract", "--from", file, ""}, nil},
		{empty, []string{"install", "--waive", ""}, []string{"disk=", "port=", "memory="}},
		{empty, []string{"check", "--waive", "disk"}, []string{"disk=", "disk-data="}},
		{empty, []string{"check", "--report-lang", ""}, []string{"en", "zh"}},
		{empty, []string{"render", "--fate-version", "1.11"}, []string{"1.11.4"}},
		{empty, []string{"secrets", "show", ""}, []string{"fateboard"}},
		{empty, []string{"svc", "restart", ""}, []string{"all"}},
	} {
		stdout, stderr, code := runCompletion(t, tt.root, tt.args...)
		words := strings.Fields(stdout)
		if code != exit.OK || len(words) == 0 || !strings.HasPrefix(words[len(words)-1], ":") {
			t.Errorf("%q: exit %d\n%s%s", tt.args, code, stdout, stderr)
			continue
		}
		words = words[:len(words)-1]
		for _, want := range tt.want {
			if !slices.Contains(words, want) {
				t.Errorf("%q: %q lacks %s", tt.args, words, want)
			}
		}
		if tt.want == nil && len(words) > 0 {
			t.Errorf("%q offers %q", tt.args, words)
		}
	}
	if after := filesWithTimes(t, root); !slices.Equal(before, after) {
		t.Errorf("completion changed the host: %d and %d files", len(before), len(after))
	}
}

// runCompletion completes a command line in a tree: --root comes after the command that completes.
func runCompletion(t *testing.T, root string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	last := args[len(args)-1]
	line := append([]string{"__complete"}, args[:len(args)-1]...)
	if args[0] == "svc" { // it refuses --root; there is no supervisor below an empty base
		return run(t, append(append([]string{"__complete"}, args[:len(args)-1]...), "--base", root, last)...)
	}
	if strings.HasPrefix(args[len(args)-2], "--") { // the value of a flag
		line = append([]string{"__complete", args[0], "--root", root}, args[1:]...)
		return run(t, line...)
	}
	return run(t, append(line, "--root", root, last)...)
}

// filesWithTimes lists the files of a tree with their times.
func filesWithTimes(t *testing.T, root string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files = append(files, path+" "+info.Mode().String()+" "+info.ModTime().String())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCompletionOfHistoryInATree: the history of this machine is none of a tree.
func TestCompletionOfHistoryInATree(t *testing.T) {
	g := &globals{Base: t.TempDir()}
	r := &recording{g: g, log: historyOf(g.layout()), entry: audit.Entry{ID: audit.NewID(time.Now()), Began: time.Now(),
		Command: showLogin}}
	if err := os.MkdirAll(g.layout().State(), 0o700); err != nil {
		t.Fatal(err)
	}
	r.keep([]byte("kept\n"))
	r.end(exit.OK, nil)
	if ids := offerHistory(g, nil); !slices.Equal(ids, []string{r.entry.ID}) {
		t.Errorf("of this machine: %q", ids)
	}
	g.Root = t.TempDir()
	if ids := offerHistory(g, nil); len(ids) > 0 {
		t.Errorf("of a tree: %q", ids)
	}
}

// TestVersionSaysWhichFATE is carried and installed.
func TestVersionSaysWhichFATE(t *testing.T) {
	root, appliance, _ := partyTree(t)
	version := func(args ...string) versionOutput {
		t.Helper()
		var v versionOutput
		if err := json.Unmarshal([]byte(mustRunCLI(t, root, "", append([]string{"version", "-o", "json"}, args...)...)),
			&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := version("--payload", appliance); v.Carried == nil || v.Carried.FATE == "" || v.Installed == nil ||
		v.Installed.FATE != v.Carried.FATE || v.Installed.Party != 10000 || len(v.Notes) > 0 {
		t.Errorf("%+v %+v %+v", v, v.Carried, v.Installed)
	}
	if v := version("--payload", appliance, "--base", "/srv"); v.Installed != nil || len(v.Notes) > 0 {
		t.Errorf("%+v", v)
	}
	if v := version("--payload", filepath.Join(root, "etc/passwd")); v.Carried != nil || len(v.Notes) != 1 ||
		!strings.HasPrefix(v.Notes[0], "what "+filepath.Join(root, "etc/passwd")+" carries is not known") {
		t.Errorf("%+v", v)
	}
	out := mustRunCLI(t, root, "", "version", "--payload", appliance)
	if lines := strings.Split(out, "\n"); len(lines) != 4 || !strings.HasPrefix(lines[0], "fate-installer ") ||
		!strings.HasPrefix(lines[1], "carries    FATE ") || !strings.HasSuffix(lines[2], ", host of party 10000") {
		t.Errorf("%q", out)
	}
}
