package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/exit"
)

// TestLostResult holds that a command whose result cannot be written fails, in each format.
func TestLostResult(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"version"}, {"version", "-o", "json"}, {"--help"},
		{"init", "--host", "10000:10.0.0.1", "--guest", "9999:10.0.0.2"}} {
		var stderr bytes.Buffer
		g := &globals{Stdin: strings.NewReader(""), Stdout: full, Stderr: &stderr}
		if code := execute(t.Context(), g, args); code != exit.Unexpected ||
			!strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("%q ends with %d and says %q", args, code, stderr.String())
		}
	}
}

// TestClosedPipe runs the program itself with a pipe that no process reads: it ends by itself, with an error.
func TestClosedPipe(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "fate-installer")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	var stderr bytes.Buffer
	cmd := exec.Command(binary, "version")
	cmd.Stdout, cmd.Stderr = w, &stderr
	err = cmd.Run()
	w.Close()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signaled() || status.ExitStatus() != exit.Unexpected ||
		!strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("%v, %q", err, stderr.String())
	}
}
