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

// TestNoProxy holds that no request of ours goes through the proxy of the operator's environment, which leads out of
// the cluster: every HTTP client has a transport of its own, and no transport has a proxy. Downloads for an appliance,
// which package bundle makes on a connected machine, do use it.
func TestNoProxy(t *testing.T) {
	clients := 0
	for _, dir := range []string{".", "../supervisor", "../payload"} {
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			fset := token.NewFileSet()
			parsed, err := parser.ParseFile(fset, file, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				bad, isClient := usesProxy(n)
				if isClient {
					clients++
				}
				if bad != "" {
					t.Errorf("%s: %s", fset.Position(n.Pos()), bad)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if clients < 4 {
		t.Errorf("%d HTTP clients were found, so the source is not understood", clients)
	}
}

// usesProxy says how a piece of source would use the environment's proxy, and whether it makes an HTTP client.
func usesProxy(n ast.Node) (bad string, client bool) {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		switch pkg, ok := n.X.(*ast.Ident); {
		case !ok || pkg.Name != "http":
		case n.Sel.Name == "DefaultClient", n.Sel.Name == "DefaultTransport", n.Sel.Name == "ProxyFromEnvironment",
			n.Sel.Name == "Get",
			n.Sel.Name == "Head", n.Sel.Name == "Post", n.Sel.Name == "PostForm":
			return "http." + n.Sel.Name + " uses the proxy of the environment", false
		}
	case *ast.CallExpr:
		if name, ok := n.Fun.(*ast.Ident); ok && name.Name == "new" && len(n.Args) == 1 &&
			isHTTPType(n.Args[0], "Client") {
			return "new(http.Client) uses the proxy of the environment", true
		}
	case *ast.ValueSpec:
		if isHTTPType(n.Type, "Client") {
			return "a zero http.Client uses the proxy of the environment", true
		}
	case *ast.CompositeLit:
		keys := map[string]ast.Expr{}
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				if name, ok := kv.Key.(*ast.Ident); ok {
					keys[name.Name] = kv.Value
				}
			}
		}
		if isHTTPType(n.Type, "Client") {
			if keys["Transport"] == nil {
				return "an http.Client without a Transport uses the proxy of the environment", true
			}
			return "", true
		}
		if proxy, ok := keys["Proxy"].(*ast.Ident); isHTTPType(n.Type, "Transport") && keys["Proxy"] != nil &&
			(!ok || proxy.Name != "nil") {
			return "an http.Transport with a proxy", false
		}
	}
	return "", false
}

func isHTTPType(e ast.Expr, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "http"
}
