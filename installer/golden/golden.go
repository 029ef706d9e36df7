// Package golden compares what tests make with the files that say what it should be. It is for tests alone.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Update is the flag -update, with which tests write their golden files. Read the difference before you commit it.
var Update = flag.Bool("update", false, "write the golden files")

// Compare holds what a test made against a golden file.
func Compare[T string | []byte](t *testing.T, file string, got T) {
	t.Helper()
	if *Update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == string(got) {
		return
	}
	t.Errorf("not as in %s; if it should be so, run the test with -update (-file +got):\n%s", file,
		cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
}
