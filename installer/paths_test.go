package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// changingCalls are the functions that change files by their path, or open them.
var changingCalls = map[string][]string{
	"os": {"Chmod", "Chown", "Chtimes", "Create", "CreateTemp", "Lchown", "Link", "Mkdir", "MkdirAll", "MkdirTemp",
		"OpenFile", "Remove",
		"RemoveAll", "Rename", "Symlink", "Truncate", "WriteFile"},
	"syscall": {"Chmod", "Chown", "Lchown", "Link", "Mkdir", "Mkfifo", "Mknod", "Open", "Rename", "Rmdir", "Symlink",
		"Truncate", "Unlink"},
	"unix": {"Chmod", "Chown", "Lchown", "Link", "Mkdir", "Mkfifo", "Mknod", "Open", "Rename", "Rmdir", "Symlink",
		"Truncate", "Unlink"},
}

// pathsAllowed are the files of the installer and the supervisor that may use them, and why root cannot be led
// elsewhere there. All others go through host.Host or package beneath.
var pathsAllowed = map[string]string{
	"installer/backup_keys.go":           "a file that the operator names, of root alone; no link is followed",
	"installer/cmd_bundle_extract.go":    "a directory that the operator names",
	"installer/diagnosis/parts.go":       "a file that the operator names, opened for reading; nothing is created",
	"installer/nodestatus.go":            "a probe, which runs as the service user",
	"installer/fate/fatetest/readers.go": "temporary files of tests",
	"installer/golden/golden.go":         "golden files, which a developer writes in a checkout",
	"installer/host/kernel.go":           "the kernel's log",
	"installer/problem/read.go": "files that operators name, and probes, which run as the service user; " +
		"nothing is created",
	"installer/host/facts_fs.go":      "facts: nothing is changed, and what is found decides no access",
	"installer/secrets_from.go":       "a file that the operator names; no link is followed",
	"supervisor/process/cgroup.go":    "the kernel's control groups",
	"supervisor/explain.go":           "the kernel's log",
	"supervisor/logfile/open.go":      "devices",
	"supervisor/logfile/displaced.go": "a file that is open already, and was looked at",
	"supervisor/logfile/logfile.go":   "/dev/null",
	"supervisor/process/procfs.go":    "/proc",
	"supervisor/process/usage.go":     "/proc",
	"supervisor/shim/shim.go":         "it runs as the program's user",
}

// TestNothingChangesFilesByPath parses the sources. A path is only looked up safely from a directory descriptor:
// between a check of the path and its use, the owner of a directory on the way may put a link there.
func TestNothingChangesFilesByPath(t *testing.T) {
	used := map[string]bool{}
	for _, top := range []string{"installer", "supervisor"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			rel, err := filepath.Rel("..", file)
			if err != nil {
				return err
			}
			for _, call := range callsByPath(t, file) {
				if used[rel] = true; pathsAllowed[rel] == "" {
					t.Errorf("%s calls %s: reach the file through host.Host or package beneath, or say in "+
						"pathsAllowed why no other user can lead root elsewhere", rel, call)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for file := range pathsAllowed {
		if !used[file] {
			t.Errorf("pathsAllowed names %s, which has no such call", file)
		}
	}
}

func callsByPath(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && slices.Contains(changingCalls[pkg.Name], selector.Sel.Name) {
			out = append(out, pkg.Name+"."+selector.Sel.Name)
		}
		return true
	})
	return out
}
