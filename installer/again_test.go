package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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
	if text := g.hint(exit.Repeat(errors.New("x"), "", "")); strings.Contains(text, "hunter2") {
		t.Error(text)
	}
	if text := g.hint(exit.Hint(errors.New("x"), "free some space")); text != "free some space" {
		t.Error(text)
	}
	if executable, err := os.Executable(); err != nil || !strings.HasPrefix(g.commandLine(), executable) {
		t.Errorf("%s, %v", g.commandLine(), err)
	}
}

// helpTexts has what help says about repeating a command. What is printed of a command that was run has exit.Advice.
var helpTexts = []string{"cmd_backup.go", "cmd_backup_schedule.go", "cmd_secrets_rotate.go", "cmd_upgrade.go", "exithelp.go"}

// TestRepetitionIsTyped: no text of the product says itself that the command is to be run again. exit.Repeat, or an
// error with a method Repeat, does: only they are followed by the command.
func TestRepetitionIsTyped(t *testing.T) {
	written := 0
	for _, dir := range []string{".", "../bundle", "../payload", "../supervisor"} {
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") ||
				slices.Contains(helpTexts, file) {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				text, ok := literal(n)
				switch {
				case !ok || !strings.Contains(text, "same command again"):
					return !ok
				case file == filepath.Join("exit", "exit.go"):
					written++
				default:
					t.Errorf("%s: %q; use exit.Repeat", file, text)
				}
				return false
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if written != 1 {
		t.Errorf("package exit says it %d times", written)
	}
}

// literal is the text of a string literal, or of a sum in which literals and blanks for other things are.
func literal(n ast.Node) (text string, ok bool) {
	switch n := n.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(n.Value)
		return text, err == nil && n.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok1 := literal(n.X)
		right, ok2 := literal(n.Y)
		return left + right, n.Op == token.ADD && (ok1 || ok2)
	}
	return "", false
}

// TestAdviceIsTheOutermost: an advice around another one holds, in each shape of a chain.
func TestAdviceIsTheOutermost(t *testing.T) {
	inner := exit.Repeat(errors.New("x"), "umount /data, then", "")
	for _, test := range []struct {
		err  error
		want string
	}{
		{inner, "umount /data, then run the same command again"},
		{fmt.Errorf("y: %w", exit.With(inner, exit.Step)), "umount /data, then run the same command again"},
		{errors.Join(errors.New("y"), inner), "umount /data, then run the same command again"},
		{exit.Hint(inner, "free some space"), "free some space"},
		{exit.Repeat(exit.Hint(errors.New("x"), "free some space"), "", ": it goes on"),
			"run the same command again: it goes on"},
		{exit.DefaultRepeat(inner, "put the cause right and", ""), "umount /data, then run the same command again"},
		{exit.DefaultRepeat(errors.New("x"), "put the cause right and", ""),
			"put the cause right and run the same command again"},
		{errors.New("x"), ""},
		{nil, ""},
	} {
		if got := exit.HintOf(test.err); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
	if exit.Repeat(nil, "", "") != nil || exit.DefaultRepeat(nil, "", "") != nil {
		t.Error("an error was made of none")
	}
}
