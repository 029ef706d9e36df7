package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
)

// documents counts the JSON documents on standard output; -1 when there is something else, too.
func documents(out []byte) int {
	d := json.NewDecoder(bytes.NewReader(out))
	for n := 0; ; n++ {
		var document map[string]any
		switch err := d.Decode(&document); {
		case err == io.EOF:
			return n
		case err != nil:
			return -1
		}
	}
}

// runForDocument runs a command line and wants one document on standard output.
func runForDocument(t *testing.T, opened func(*host.Host), args ...string) (code int, document string) {
	t.Helper()
	var out, errs bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, opened: opened}
	code = execute(context.Background(), g, args)
	if n := documents(out.Bytes()); n != 1 {
		t.Errorf("%q: exit code %d, %d documents\n%s\n-- stderr:\n%s", args, code, n, out.String(), errs.String())
	}
	return code, out.String()
}

// TestOneDocumentInEachEnding: with -o json each command that has a document prints one, also when it fails and when
// its command line is wrong, wherever the flag is.
func TestOneDocumentInEachEnding(t *testing.T) {
	t.Chdir(t.TempDir())
	empty, installed := machine(t), machine(t)
	mustRunCLI(t, installed, "", "--payload", applianceOf(t, olderVersions), "--role", "exchange", "--ip",
		"192.168.0.88")
	for name, cmd := range commandTree() {
		if _, none := commandsWithoutJSON[name]; none || cmd.HasSubCommands() && name != "history" && name != "keys" {
			continue
		}
		words := strings.Fields(name)
		for _, root := range []string{empty, installed} {
			args := slices.Concat(words, []string{"-o", "json", "--root", root})
			runForDocument(t, nil, args...)
		}
		for _, wrong := range [][]string{{"-o", "json", "--nosuchflag"}, {"--nosuchflag", "-o", "json"},
			{"--nosuchflag", "--output=json"}, {"--nosuchflag", "-ojson"}} {
			code, _ := runForDocument(t, nil, slices.Concat(words, wrong)...)
			if code != exit.Usage {
				t.Errorf("%s %q: exit code %d", name, wrong, code)
			}
		}
	}
	runForDocument(t, nil, "nosuchcommand", "-o", "json")
	runForDocument(t, nil, "svc", "statu", "-o", "json")
}

// TestOneDocumentOfRollback: one that is refused, that succeeds, that repeats its report, and that takes back an
// upgrade which had not replaced anything.
func TestOneDocumentOfRollback(t *testing.T) {
	root := machine(t)
	appliances := map[string]string{"old": applianceOf(t, olderVersions), "new": applianceOf(t, newerVersions)}
	rollback := []string{"--root", root, "-o", "json", "rollback", "--yes"}
	if code, _ := runForDocument(t, nil, rollback...); code != exit.Usage {
		t.Errorf("of nothing: exit code %d", code)
	}
	mustRunCLI(t, root, "", "--payload", appliances["old"], "--role", "exchange", "--ip", "192.168.0.88")
	upgrade := []string{"--root", root, "-o", "json", "upgrade", "--payload", appliances["new"]}

	// The upgrade is cut off at its first change after the state of the host was stored.
	begun := func(h *host.Host) {
		entered := 0
		h.InjectFaults(t, func(_ host.Op, path string) error {
			if filepath.Base(path) == state.FileName || entered > 0 {
				entered++
			}
			if entered > 8 {
				return context.Canceled
			}
			return nil
		})
	}
	code, _ := runForDocument(t, begun, upgrade...)
	if s := storedState(t, root); code == exit.OK || s.Phase != state.Upgrading {
		t.Fatalf("cut off: exit code %d, %+v", code, s)
	}
	for _, what := range []string{"taken back", "repeated"} {
		code, document := runForDocument(t, func(h *host.Host) { // that it was reported cannot be stored
			h.InjectFaults(t, func(_ host.Op, path string) error {
				reports := what == "taken back" && storedState(t, root).Unreported != ""
				if reports && filepath.Base(path) == state.FileName {
					return context.Canceled
				}
				return nil
			})
		}, rollback...)
		if code != exit.OK || storedState(t, root).Interrupted() || !strings.Contains(document, `"role": "exchange"`) {
			t.Errorf("%s: exit code %d, %s", what, code, document)
		}
	}
	if code, _ := runForDocument(t, nil, upgrade...); code != exit.OK {
		t.Fatalf("upgrade: exit code %d", code)
	}
	for range 2 { // the second one goes forward
		if code, document := runForDocument(t, nil, rollback...); code != exit.OK ||
			!strings.Contains(document, `"component_trees"`) {
			t.Errorf("exit code %d, %s", code, document)
		}
	}
}
