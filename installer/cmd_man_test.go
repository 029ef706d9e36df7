package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/step"

	"github.com/spf13/cobra"
)

// TestManPagesRender has man render each page at 80 columns: it warns of nothing, and nothing but an example is wider.
func TestManPagesRender(t *testing.T) {
	docs := docsOf(newRootCommand(&globals{}))
	if len(docs) < 50 {
		t.Fatalf("%d pages", len(docs))
	}
	man, err := exec.LookPath("man")
	if err != nil {
		t.Skip("this machine has no man")
	}
	dir := t.TempDir()
	for _, d := range docs {
		if !strings.HasSuffix(d.Path, ".1") {
			continue
		}
		file := filepath.Join(dir, filepath.Base(d.Path))
		if err := os.WriteFile(file, []byte(d.Content), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, warnings bytes.Buffer
		cmd := exec.CommandContext(t.Context(), man, "--warnings=w", "-l", file)
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "MANPAGER=cat")
		cmd.Stdout, cmd.Stderr = &out, &warnings
		if err := cmd.Run(); err != nil || warnings.Len() > 0 {
			t.Errorf("%s: %v\n%s", d.Path, err, warnings.String())
		}
		if missing := without(out.String(), "NAME", "SYNOPSIS", "DESCRIPTION"); missing != "" {
			t.Errorf("%s has no section %s:\n%s", d.Path, missing, out.String())
		}
		section := ""
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			if line != "" && line[0] != ' ' {
				section = line
			}
			if len([]rune(line)) > 80 && section != "EXAMPLES" {
				t.Errorf("%s: %s: %s", d.Path, section, line)
			}
		}
	}
}

// without is the first of the sections that a page lacks.
func without(page string, sections ...string) string {
	for _, s := range sections {
		if !strings.Contains(page, "\n"+s+"\n") {
			return s
		}
	}
	return ""
}

// TestManSaysWhatHelpSays: no word of a command's help is lost on its page.
func TestManSaysWhatHelpSays(t *testing.T) {
	plain := strings.NewReplacer(`\-`, "-", `\e`, `\`, `\(aq`, "'", `\(ga`, "`", `\(ha`, "^", `\(ti`, "~", `\fB`, "",
		`\fR`, "", `\&`, "")
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		page := " " + strings.Join(strings.Fields(plain.Replace(manPage(cmd))), " ") + " "
		for word := range strings.FieldsSeq(cmd.Long + " " + cmd.Short + " " + cmd.Example) {
			if word != "EXIT" && word != "STATUS" && !strings.Contains(page, " "+strings.TrimSuffix(word, ".")) {
				t.Errorf("%s: its page has no %q", cmd.CommandPath(), word)
			}
		}
		for _, sub := range cmd.Commands() {
			if isDocumented(sub) {
				walk(sub)
			}
		}
	}
	walk(newRootCommand(&globals{}))
}

// TestManPrintsOnePage holds what man takes.
func TestManPrintsOnePage(t *testing.T) {
	out, _, code := run(t, "man", "svc", "status")
	if code != exit.OK || !strings.HasPrefix(out, `.TH "FATE\-INSTALLER\-SVC\-STATUS" "1"`) {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	for _, args := range [][]string{{"man", "svc", "statsu"}, {"man", "--all", "svc"}} {
		if out, stderr, code := run(t, args...); code != exit.Usage || out != "" || !strings.Contains(stderr, "hint: ") {
			t.Errorf("%q: exit code %d: %s%s", args, code, out, stderr)
		}
	}
}

// TestDocsOfTheInstalledProgram: an install writes the pages of the program that it installs, an upgrade those of the
// newer one, a rollback by the older appliance those of the older one, and an uninstall removes them. A page that was
// there before stays.
func TestDocsOfTheInstalledProgram(t *testing.T) {
	root := machine(t)
	old, next := applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.2"}),
		applianceOf(t, map[string]string{"jdk": "8u400", "eggroll": "2.5.3"})
	page, taken := step.ManDir+"/fate-installer.1", step.ManDir+"/fate-installer-plan.1"
	writeIn(t, root, taken, "the operator's")
	good := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
		g.docs = func(digest string) []step.Doc {
			return []step.Doc{{Path: page, Content: "page of " + digest}, {Path: taken, Content: "ours"},
				{Path: step.CompletionDir + "/fate-installer", Content: bashCompletion}}
		}
		if code := execute(context.Background(), g, append([]string{"--root", root}, args...)); code != exit.OK {
			t.Fatalf("%v: exit code %d\n%s%s", args, code, out.String(), errs.String())
		}
		return out.String()
	}
	check := func(when string) string {
		t.Helper()
		program, err := os.ReadFile(filepath.Join(root, "usr/local/bin/fate-installer"))
		if err != nil {
			t.Fatal(err)
		}
		got := readIn(t, root, page)
		if got != "page of "+engine.Hash(program) || readIn(t, root, taken) != "the operator's" {
			t.Errorf("%s: %s is %q, %s is %q", when, page, got, taken, readIn(t, root, taken))
		}
		return got
	}
	good("--payload", old, "--role", "exchange", "--ip", "192.168.0.88")
	first := check("after the install")
	out := good("install", "--payload", old)
	if !strings.Contains(out, "nothing to do") || !strings.Contains(out, taken+" kept") {
		t.Errorf("again:\n%s", out)
	}
	good("upgrade", "--payload", next)
	if check("after the upgrade") == first {
		t.Error("the pages of the upgrade are the former ones")
	}
	if out := good("install", "--payload", next); !strings.Contains(out, "nothing to do") {
		t.Errorf("after the upgrade:\n%s", out)
	}
	good("rollback", "--payload", old)
	if check("after the rollback") != first {
		t.Error("the pages of the rollback are not the former ones")
	}
	if err := os.Remove(filepath.Join(root, page)); err != nil {
		t.Fatal(err)
	}
	if out := good("install", "--payload", old); !strings.Contains(out, page+" does not exist") {
		t.Errorf("a repair:\n%s", out)
	}
	check("after the repair")
	good("uninstall", "--yes", "--purge-data")
	for _, file := range []string{page, step.CompletionDir} {
		if _, err := os.Lstat(filepath.Join(root, file)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", file, err)
		}
	}
	if readIn(t, root, taken) != "the operator's" {
		t.Error("the operator's page is gone")
	}
}

// TestBashCompletionOfTheHost has a shell complete by what install writes: the program is run for the first word.
func TestBashCompletionOfTheHost(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("this machine has no bash")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "fate-installer")
	script := "#!/bin/sh\n[ \"$*\" = 'completion bash' ] || exit 1\n" +
		"echo 'complete -W \"svc status\" fate-installer'\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	stub := strings.ReplaceAll(bashCompletion, "/usr/local/bin/fate-installer", program)
	text := stub + "complete -p fate-installer\n_fate_installer_first; echo $?\ncomplete -p fate-installer\n"
	cmd := exec.CommandContext(t.Context(), bash, "--norc")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	want := "complete -F _fate_installer_first fate-installer\n124\ncomplete -W \"svc status\" fate-installer\n"
	if err != nil || strings.ReplaceAll(string(out), "'", `"`) != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, out, want)
	}
}

// writeIn writes a file of a tree, and readIn reads one.
func writeIn(t *testing.T, root, file, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o755),
		os.WriteFile(filepath.Join(root, file), []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func readIn(t *testing.T, root, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
