package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A callGraph has the bodies of the functions of this package, by name, and those of its methods, by name after a dot.
// Methods of one name are taken for one.
type callGraph struct {
	bodies  map[string]*ast.BlockStmt
	imports map[string]bool // the names of packages
}

func readCallGraph(t *testing.T) callGraph {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	graph := callGraph{map[string]*ast.BlockStmt{}, map[string]bool{}}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			graph.imports[path.Base(strings.Trim(spec.Path.Value, `"`))] = true
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				name = "." + name
			}
			if other := graph.bodies[name]; other != nil {
				f.Body.List = slices.Concat(f.Body.List, other.List)
			}
			graph.bodies[name] = f.Body
		}
	}
	return graph
}

// reads adds to out the fields of globals, as g.Role, that a node and all that it names read.
func (graph callGraph) reads(node ast.Node, seen, out map[string]bool) {
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			x, named := n.X.(*ast.Ident)
			if named && graph.imports[x.Name] {
				return false
			}
			if named && (x.Name == "g" || x.Name == "asked") || isField(n.X, "g") {
				out[n.Sel.Name] = true
			}
			graph.follow("."+n.Sel.Name, seen, out)
			graph.reads(n.X, seen, out)
			return false
		case *ast.KeyValueExpr: // its key is a field
			graph.reads(n.Value, seen, out)
			return false
		case *ast.Ident:
			graph.follow(n.Name, seen, out)
		}
		return true
	})
}

func (graph callGraph) follow(name string, seen, out map[string]bool) {
	if body := graph.bodies[name]; body != nil && !seen[name] {
		seen[name] = true
		graph.reads(body, seen, out)
	}
}

// isField reports whether a node is a field of that name, as w.g.
func isField(n ast.Node, name string) bool {
	selector, ok := n.(*ast.SelectorExpr)
	return ok && selector.Sel.Name == name
}

// commandsOf finds the commands that a constructor makes: those that it adds, below path, and its own.
func (graph callGraph) commandsOf(constructor, words string, out map[string]string) {
	ast.Inspect(graph.bodies[constructor], func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			key, _ := n.Key.(*ast.Ident)
			use, ok := n.Value.(*ast.BasicLit)
			if ok && key != nil && key.Name == "Use" {
				text, _ := strconv.Unquote(use.Value)
				words = strings.TrimSpace(words + " " + strings.Fields(text)[0])
				out[strings.TrimPrefix(strings.TrimPrefix(words, programName), " ")] = constructor
			}
		case *ast.AssignStmt: // cmd := newServicesCommand() is the command itself, and not one below it
			if name := constructorCalled(n.Rhs[0]); name != "" && isNamed(n.Lhs[0], "cmd") {
				below := map[string]string{}
				graph.commandsOf(name, words, below)
				for own := range below {
					words, out[own] = own, constructor
				}
				return false
			}
		case *ast.CallExpr:
			if name := constructorCalled(n); name != "" && name != constructor {
				graph.commandsOf(name, words, out)
			}
		}
		return true
	})
}

// constructorCalled is the constructor of commands that an expression calls, or blank.
func constructorCalled(n ast.Expr) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	name, ok := call.Fun.(*ast.Ident)
	if !ok || !strings.HasPrefix(name.Name, "new") || !strings.HasSuffix(strings.TrimSuffix(name.Name, "s"), "Command") {
		return ""
	}
	return name.Name
}

func isNamed(n ast.Expr, name string) bool {
	ident, ok := n.(*ast.Ident)
	return ok && ident.Name == name
}

// TestCommandsReadWhatTheyShow: what --help of a command lists among the common flags, its code reads. The flags of
// each command (output, log-level) are read by what all of them share.
func TestCommandsReadWhatTheyShow(t *testing.T) {
	fields := map[string]string{"config": "Config", "role": "Role", "party": "Party", "ip": "IP", "base": "Base",
		"user": "User", "group": "Group", "yes": "Yes", "root": "Root", "payload": "Payload"}
	graph := readCallGraph(t)
	constructors := map[string]string{}
	graph.commandsOf("newRootCommand", "", constructors)
	root := newRootCommand(&globals{})
	for _, words := range runnable(root) {
		command := strings.Join(words, " ")
		cmd, _, err := root.Find(words)
		if err != nil {
			t.Fatal(err)
		}
		if command == "help" || cmd.HasSubCommands() || strings.HasPrefix(command, "completion") {
			continue // cobra's own, and those that print their help
		}
		if constructors[command] == "" {
			t.Errorf("the constructor of %s was not found among %q", command, slices.Sorted(maps.Keys(constructors)))
			continue
		}
		read := map[string]bool{}
		graph.reads(graph.bodies[constructors[command]], map[string]bool{}, read)
		for _, flag := range strings.Fields(entryOf(cmd).shows) {
			if !read[fields[flag]] {
				t.Errorf("%s shows --%s, and nothing that %s calls reads g.%s", command, flag, constructors[command],
					fields[flag])
			}
		}
	}
}
