package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocumentsHaveNamedTypes holds that no command prints a map or a struct without a name: only a type with a name
// can be described, and be compared with what is printed.
func TestDocumentsHaveNamedTypes(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	c := &callChecker{t: t, set: set, results: map[string]ast.Expr{}}
	var parsed []*ast.File
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Type.Results != nil && len(f.Type.Results.List) > 0 {
				c.results[f.Name.Name] = f.Type.Results.List[0].Type
			}
		}
	}
	for _, file := range parsed {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil && f.Name.Name != "printJSON" {
				c.function(f)
			}
		}
	}
	if c.calls < 30 {
		t.Errorf("only %d calls of printJSON were found", c.calls)
	}
}

type callChecker struct {
	t       *testing.T
	set     *token.FileSet
	results map[string]ast.Expr // by function: the type of the first result
	calls   int
}

// function checks the calls in a function that print a document.
func (c *callChecker) function(f *ast.FuncDecl) {
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		fun, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		encoder, made := fun.X.(*ast.CallExpr) // json.NewEncoder(w).Encode(v)
		if fun.Sel.Name == "printJSON" || fun.Sel.Name == "Encode" && made && isCallOf(encoder, "NewEncoder") {
			c.calls++
			c.value(f, call.Args[0], 0)
		}
		return true
	})
}

func isCallOf(call *ast.CallExpr, name string) bool {
	fun, ok := call.Fun.(*ast.SelectorExpr)
	return ok && fun.Sel.Name == name
}

// value checks an expression that is printed; what a variable is, its assignments say.
func (c *callChecker) value(f *ast.FuncDecl, x ast.Expr, depth int) {
	switch x := x.(type) {
	case *ast.CompositeLit:
		c.typ(x.Type)
	case *ast.UnaryExpr:
		c.value(f, x.X, depth)
	case *ast.CallExpr:
		switch fun := x.Fun.(type) {
		case *ast.Ident:
			if fun.Name == "make" || fun.Name == "new" {
				c.typ(x.Args[0])
			} else if result, ok := c.results[fun.Name]; ok {
				c.typ(result)
			}
		case *ast.SelectorExpr:
			if result, ok := c.results[fun.Sel.Name]; ok {
				c.typ(result)
			}
		}
	case *ast.Ident:
		if depth > 3 {
			return
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					id, ok := left.(*ast.Ident)
					if ok && id.Name == x.Name && i < len(n.Rhs) && n.Rhs[i] != ast.Expr(x) {
						c.value(f, n.Rhs[i], depth+1)
					}
				}
			case *ast.ValueSpec:
				for _, id := range n.Names {
					if id.Name == x.Name && n.Type != nil {
						c.typ(n.Type)
					}
				}
			}
			return true
		})
	}
}

// typ refuses a type without a name.
func (c *callChecker) typ(x ast.Expr) {
	switch x := x.(type) {
	case *ast.StarExpr:
		c.typ(x.X)
	case *ast.MapType, *ast.StructType, *ast.InterfaceType, *ast.ArrayType:
		c.t.Errorf("%s: a document needs a type with a name, see jsonoutputs_test.go", c.set.Position(x.Pos()))
	case *ast.Ident:
		if x.Name == "any" {
			c.t.Errorf("%s: a document is any: give it a type with a name", c.set.Position(x.Pos()))
		}
	}
}
