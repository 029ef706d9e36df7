package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// target is a fuzz target.
type target struct {
	dir    string // of its package
	name   string
	params []string // the types of what it is given
}

// findTargets parses the tests below a directory.
func findTargets(dir string) ([]target, error) {
	var out []target
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && path != dir && strings.HasPrefix(e.Name(), ".") {
			return fs.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			t := target{dir: filepath.Dir(path), name: f.Name.Name, params: fuzzParams(file, f.Body)}
			if len(t.params) == 0 {
				return fmt.Errorf(
					"%s: cannot tell what %s is given: its function is neither in its call of Fuzz nor in the same file", path, t.name)
			}
			out = append(out, t)
		}
		return nil
	})
	return out, err
}

// fuzzParams returns the types of the parameters of the function that is given to Fuzz, without the first.
func fuzzParams(file *ast.File, body *ast.BlockStmt) []string {
	var params []string
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || selector.Sel.Name != "Fuzz" {
			return true
		}
		f := functionType(file, call.Args[0])
		if f == nil {
			return true
		}
		for _, field := range f.Params.List[1:] {
			for range field.Names {
				params = append(params, typeName(field.Type))
			}
		}
		return false
	})
	return params
}

// functionType is the type of a function that is given literally, or by the name of one of the file.
func functionType(file *ast.File, e ast.Expr) *ast.FuncType {
	switch f := e.(type) {
	case *ast.FuncLit:
		return f.Type
	case *ast.Ident:
		for _, d := range file.Decls {
			if decl, ok := d.(*ast.FuncDecl); ok && decl.Name.Name == f.Name {
				return decl.Type
			}
		}
	}
	return nil
}

func typeName(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.ArrayType:
		return "[]" + typeName(t.Elt)
	}
	return ""
}

// writeCorpus writes the hostile inputs as files that go test -fuzz reads: one for each text parameter and input, the
// other parameters empty.
func (t target) writeCorpus(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for at, kind := range t.params {
		if kind != "string" && kind != "[]byte" {
			continue
		}
		i := 0
		for input := range hostile {
			var b strings.Builder
			b.WriteString("go test fuzz v1\n")
			for j, other := range t.params {
				b.WriteString(corpusValue(other, input, j == at) + "\n")
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("hostile-%d-%d", at, i)),
				[]byte(b.String()), 0o644); err != nil {
				return err
			}
			i++
		}
	}
	return nil
}

func corpusValue(kind, input string, use bool) string {
	if !use {
		input = ""
	}
	switch kind {
	case "string", "[]byte":
		return fmt.Sprintf("%s(%q)", kind, input)
	case "bool":
		return "bool(false)"
	}
	return kind + "(0)"
}
