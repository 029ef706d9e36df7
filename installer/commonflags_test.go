package main

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/exit"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// runnable lists the commands that can be run, each by its words.
func runnable(cmd *cobra.Command) (out [][]string) {
	if cmd.Runnable() {
		out = append(out, strings.Fields(cmd.CommandPath())[1:])
	}
	for _, sub := range cmd.Commands() {
		out = append(out, runnable(sub)...)
	}
	return out
}

// commonFlagNames lists the flags of the root command that its subcommands inherit.
func commonFlagNames(root *cobra.Command) (names []string) {
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// TestCommandTable: each command of the root has its entry, each entry has its command, and each word is a common flag.
func TestCommandTable(t *testing.T) {
	root := newRootCommand(&globals{})
	for _, cmd := range root.Commands() {
		if _, ok := commandTable[cmd.Name()]; !ok {
			t.Errorf("commandTable does not say which common flags mean something for %s", cmd.Name())
		}
	}
	known, shown := commonFlagNames(root), map[string]bool{}
	for path, entry := range commandTable {
		if cmd, rest, err := root.Find(strings.Fields(path)); err != nil || len(rest) > 0 || wordsOf(cmd) != path {
			t.Errorf("no command is %q", path)
		}
		seen := map[string]bool{}
		for _, name := range slices.Concat(entry.shown(), strings.Fields(entry.accepts+" "+everywhere)) {
			if !slices.Contains(known, name) {
				t.Errorf("%s: --%s is no common flag", path, name)
			}
			if seen[name] && name != everywhere {
				t.Errorf("%s: --%s is named twice", path, name)
			}
			seen[name] = true
		}
		for _, name := range entry.shown() {
			shown[name] = true
		}
	}
	for _, name := range known {
		if !shown[name] {
			t.Errorf("no command shows --%s", name)
		}
	}
	for key := range instead {
		path, flag, _ := strings.Cut(key, " --")
		if cmd, _, err := root.Find(strings.Fields(path)); err != nil || entryOf(cmd).takes(flag) {
			t.Errorf("%q is read", key)
		}
	}
}

// TestUnreadFlags: each common flag that a command does not read is refused by name, before anything is looked at.
func TestUnreadFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "supervisord.conf")
	if err := os.WriteFile(file, []byte("[supervisord]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"role": "host", "party": "10000", "ip": "192.168.0.1", "user": "app", "group": "apps",
		"payload": file, "config": file}
	refused := 0
	tree := newRootCommand(&globals{})
	for _, words := range runnable(tree) {
		cmd, _, err := tree.Find(words)
		if err != nil {
			t.Fatal(err)
		}
		for flag, value := range values {
			if entryOf(cmd).takes(flag) || cmd.LocalNonPersistentFlags().Lookup(flag) != nil {
				continue
			}
			refused++
			var out bytes.Buffer
			g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
			args := append(slices.Clone(words), "--"+flag, value, "--root", t.TempDir())
			err := checkUnread(parsed(t, g, args))
			if err == nil || exit.CodeOf(context.Background(), err) != exit.Usage ||
				!strings.Contains(err.Error(), "cannot use --"+flag+": "+strings.Join(words, " ")+" does not read it") {
				t.Errorf("%q: %v", args, err)
			}
		}
	}
	if refused < 200 {
		t.Errorf("only %d flags were refused", refused)
	}
}

// parsed is the command of a command line, with its flags set.
func parsed(t *testing.T, g *globals, args []string) *cobra.Command {
	t.Helper()
	cmd, rest, err := newRootCommand(g).Find(args)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return cmd
}

// TestSvcRunTakesNoConfig: supervisord's own flag for another file is refused, and not ignored.
func TestSvcRunTakesNoConfig(t *testing.T) {
	var out bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	code := execute(context.Background(), g, []string{"svc", "run", "--check", "--config", "/etc/supervisord.conf"})
	if code != exit.Usage || !strings.Contains(out.String(), "cannot use --config: svc run does not read it") ||
		!strings.Contains(out.String(), "projects/common/supervisord/supervisord.conf below --base") {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
}

// TestFlagsAreRead: the field that a flag sets is read somewhere else than where the flag is defined.
func TestFlagsAreRead(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	operations, err := filepath.Glob("deploy/*.go") // they have options of their own
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, operations...)
	defined, read := map[string]string{}, map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		targets := map[ast.Node]bool{}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if field, flag := flagOf(n); field != nil {
					targets[field] = true
					defined[field.Sel.Name] = flag
				}
			case *ast.SelectorExpr:
				if !targets[n] {
					read[n.Sel.Name] = true
				}
			}
			return true
		})
	}
	if len(defined) < 60 {
		t.Errorf("only %d flags were found", len(defined))
	}
	for field, flag := range defined {
		if !read[field] {
			t.Errorf("nothing reads the field %s of --%s", field, flag)
		}
	}
}

// flagOf returns the field that a call such as f.BoolVar(&o.field, "flag", ...) defines a flag for.
func flagOf(call *ast.CallExpr) (field *ast.SelectorExpr, flag string) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) < 2 || !strings.HasSuffix(strings.TrimSuffix(method.Sel.Name, "P"), "Var") {
		return nil, ""
	}
	address, isAddress := call.Args[0].(*ast.UnaryExpr)
	name, isName := call.Args[1].(*ast.BasicLit)
	if !isAddress || !isName {
		return nil, ""
	}
	field, _ = address.X.(*ast.SelectorExpr)
	return field, strings.Trim(name.Value, `"`)
}
