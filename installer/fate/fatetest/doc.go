// Package fatetest has what the tests of the packages below installer/fate share: cluster files, the Specs that follow
// from them, machines to check, and readers of other languages that read what was rendered.
package fatetest

import (
	"os"
	"path/filepath"
)

// Repository is the path of a file of the repository, whichever package the test is of.
func Repository(name string) string {
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return filepath.Join(dir, name)
		}
	}
	return name
}
