package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// compileAtStart are folders with packages that are no part of the program.
var compileAtStart = []string{"../installer/language/messages", "../installer/output/outputtest"}

// TestNoExpressionIsCompiledAtStart: each readiness probe is a start of this program, which compiles a regular
// expression when it uses it.
func TestNoExpressionIsCompiledAtStart(t *testing.T) {
	fset, files := token.NewFileSet(), 0
	for _, root := range []string{"../installer", "../supervisor", "../payload", "../bundle"} {
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			for _, dir := range compileAtStart {
				if file == dir {
					return fs.SkipDir
				}
			}
			if d.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			parsed, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			files++
			for _, call := range compiledAtStart(parsed) {
				t.Errorf("%s compiles an expression at the start of the program; use sync.OnceValue",
					fset.Position(call))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("only %d files were looked at", files)
	}
	source := "package p\nvar a = regexp.MustCompile(`a`)\nvar b = sync.OnceValue(func() any { return regexp.MustCompile(`b`) })"
	parsed, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	if found := compiledAtStart(parsed); len(found) != 1 || fset.Position(found[0]).Line != 2 {
		t.Errorf("found %v, want line 2", found)
	}
}

// compiledAtStart finds the calls of regexp.MustCompile in the initial values of a file's variables.
func compiledAtStart(file *ast.File) (found []token.Pos) {
	for _, decl := range file.Decls {
		if g, ok := decl.(*ast.GenDecl); !ok || g.Tok != token.VAR {
			continue
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				return false // it runs later
			case *ast.SelectorExpr:
				if p, ok := n.X.(*ast.Ident); ok && p.Name == "regexp" && strings.HasPrefix(n.Sel.Name, "MustCompile") {
					found = append(found, n.Pos())
				}
			}
			return true
		})
	}
	return found
}
