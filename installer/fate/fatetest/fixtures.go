package fatetest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/problem"
)

// Upstream has files of AnsibleFATE: what it reads, and what it renders.
var Upstream = Repository("installer/fate/fatetest/testdata/upstream")

// Sources reads files, or every file of a directory, as the command line would.
func Sources(t *testing.T, names ...string) []cluster.Source {
	t.Helper()
	var out []cluster.Source
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		files := []string{name}
		if info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(name, "*")); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range files {
			if strings.HasSuffix(file, ".json") {
				continue // expected results kept next to the input
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, cluster.Source{Name: filepath.Base(file), Data: data})
		}
	}
	return out
}

// MustParse is [cluster.Parse] of the files.
func MustParse(t *testing.T, names ...string) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Parse(Sources(t, names...))
	if err != nil {
		t.Fatalf("%v:\n%v", names, err)
	}
	return c
}

// ParseText is Parse of one text.
func ParseText(text string) (*cluster.Cluster, error) {
	return cluster.Parse([]cluster.Source{{Name: "cluster.yaml", Data: []byte(text)}})
}

// WantProblem fails unless one of the problems contains every one of the words.
func WantProblem(t *testing.T, err error, words ...string) {
	t.Helper()
	var ps problem.Problems
	if !errors.As(err, &ps) {
		t.Fatalf("got %v, want a problem with %q", err, words)
	}
	for _, p := range ps {
		missing := false
		for _, w := range words {
			missing = missing || !strings.Contains(p.String(), w)
		}
		if !missing {
			return
		}
	}
	t.Errorf("no problem with %q in:\n%v", words, err)
}

// ReadFile is the content of a file.
func ReadFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
