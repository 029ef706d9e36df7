package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// avoided are words at which readers stop; STYLE.md has what is written in their place.
var avoided = regexp.MustCompile(`(?i)\b(whoe` + `ver|someb` + `ody|in va` + `in|ane` + `w|as ye` + `t|wis` +
	`h(es|ed)?|tol` + `d|besid` + `e|meanwhil` + `e)\b`)

// TestWords keeps avoided words out of code and documents.
func TestWords(t *testing.T) {
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name != ".." && (strings.HasPrefix(name, ".") ||
				slices.Contains([]string{"bin", "dist", "testdata"}, name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains([]string{".go", ".md", ".py", ".sh", ".java"}, filepath.Ext(file)) ||
			d.Name() == "STYLE.md" {
			return nil
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for i, line := range bytes.Split(data, []byte("\n")) {
			if word := avoided.Find(line); word != nil {
				t.Errorf("%s:%d: %q; STYLE.md says what to write in its place", strings.TrimPrefix(file, "../"), i+1,
					word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
