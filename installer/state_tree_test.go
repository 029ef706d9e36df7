package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// tree is everything below the root with type, mode and content. Of the installer's own records only that they are
// there counts, but for the state, and copies of tables of accounts that tools leave do not count.
func (w *modelHost) tree() []string {
	w.t.Helper()
	var out []string
	hide := w.secretHider()
	err := filepath.WalkDir(w.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if slices.Contains(notCompared, strings.TrimPrefix(path, w.root)) {
			return fs.SkipDir
		}
		name := volatile.ReplaceAllString(strings.TrimPrefix(path, w.root), "TIME")
		line := fmt.Sprintf("%s %s", name, info.Mode())
		switch base := filepath.Base(path); {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		// the program that ran last, of either appliance
		case path == filepath.Join(w.root, stateDir, "fate-installer"):
		case d.Type().IsRegular() && !slices.Contains([]string{"journal", "site.json", "secrets.json",
			"secret-records.json", "slot.json", ".fate-component.files"}, base):
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x",
				sha256.Sum256([]byte(hide.Replace(volatile.ReplaceAllString(string(data), "TIME")))))[:17]
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// secretHider replaces the random values of secrets.json, also those of before.
func (w *modelHost) secretHider() *strings.Replacer {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.root, stateDir, "secrets.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return strings.NewReplacer(w.secrets...)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`: "([^"]{8,})"`).FindAllSubmatch(data, -1) {
		w.secrets = append(w.secrets, string(m[1]), "SECRET")
	}
	return strings.NewReplacer(w.secrets...)
}

// same wants the tree to be as another one.
func (w *modelHost) same(what string, want, got []string) {
	if slices.Equal(want, got) {
		return
	}
	var diff []string
	for _, line := range want {
		if !slices.Contains(got, line) {
			diff = append(diff, "- "+line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			diff = append(diff, "+ "+line)
		}
	}
	if len(diff) > 0 {
		w.wrongf("%s leads to another tree:\n%s", what, strings.Join(diff, "\n"))
	}
}
