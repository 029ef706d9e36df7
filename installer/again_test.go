package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/host"
)

// TestHintHasTheWholeCommand: a failed first install prints the command that goes on, with every flag, as a shell takes
// it.
func TestHintHasTheWholeCommand(t *testing.T) {
	root := machine(t)
	args := []string{"--root", root, "--payload", applianceOf(t, olderVersions), "--role", "exchange", "--ip",
		"192.168.0.88", "--waive", "disk-data=it's small; $HOME is on it"}
	var out bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	g.opened = func(h *host.Host) {
		h.InjectFaults(t, func(op host.Op, path string) error {
			if op == host.OpRename && strings.HasSuffix(path, "/eggroll.properties") {
				return syscall.EIO
			}
			return nil
		})
	}
	if code := execute(context.Background(), g, args); code != exit.Step {
		t.Fatalf("exit code %d\n%s", code, out.String())
	}
	_, hint, _ := strings.Cut(out.String(), " hint: put the cause right and run the same command again\n       ")
	line, _, _ := strings.Cut(hint, "\n")
	script := "set -- " + line + `; shift; for word; do printf '%s\n' "$word"; done`
	words, err := exec.Command("sh", "-c", script).Output()
	if err != nil || string(words) != strings.Join(args, "\n")+"\n" {
		t.Fatalf("%q gives the words\n%s%v\n%s", line, words, err, out.String())
	}
	if program, _, _ := strings.Cut(line, " "); program == "" || program != g.program() {
		t.Errorf("the program is %q", program)
	}
	mustRunCLI(t, root, "", strings.Split(strings.TrimSpace(string(words)), "\n")[2:]...)
}

// TestCommandLineHasNoSecret: what looks like a secret is not repeated.
func TestCommandLineHasNoSecret(t *testing.T) {
	g := &globals{args: []string{"bundle", "build", "--mirror", "https://me:hunter2@mirror.example/x",
		"--password", "hunter2"}}
	if line := g.commandLine(); strings.Contains(line, "hunter2") || !strings.Contains(line, "mirror.example/x") {
		t.Error(line)
	}
	if text := g.hint(exit.Hint(errors.New("x"), sameCommand)); strings.Contains(text, "hunter2") {
		t.Error(text)
	}
	if text := g.hint(exit.Hint(errors.New("x"), "free some space")); text != "free some space" {
		t.Error(text)
	}
	if executable, err := os.Executable(); err != nil || !strings.HasPrefix(g.commandLine(), executable) {
		t.Errorf("%s, %v", g.commandLine(), err)
	}
}
