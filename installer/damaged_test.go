package main

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
)

// TestDamagedApplianceIsRefusedFirst changes one byte of an appliance, in the program, in a component that this host
// needs and in one that it does not: neither install nor upgrade changes anything then, outside of what this installer
// remembers.
func TestDamagedApplianceIsRefusedFirst(t *testing.T) {
	empty, installed := machine(t), machine(t)
	old := applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.2"})
	next := applianceOf(t, map[string]string{"jdk": "8u400", "eggroll": "2.5.3", "python": "3.8"})
	install := []string{"--role", "exchange", "--ip", "192.168.0.88"}
	mustRunCLI(t, installed, "", append([]string{"--payload", old}, install...)...)
	good, err := os.ReadFile(next)
	if err != nil {
		t.Fatal(err)
	}
	places := bytesOf(t, next)
	if len(places) != 4 {
		t.Fatalf("the appliance has the parts %v", places)
	}
	for what, at := range places {
		bad := bytes.Clone(good)
		bad[at] ^= 1
		damaged := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(damaged, bad, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			root string
			args []string
		}{{empty, install}, {installed, []string{"upgrade"}}} {
			before := treeOf(t, c.root)
			_, stderr, code := runCLI(t, c.root, "", append([]string{"--payload", damaged}, c.args...)...)
			if code != exit.Payload || !strings.Contains(stderr, "nothing was changed") ||
				!strings.Contains(stderr, what) || !strings.Contains(stderr, "copy the file again") {
				t.Errorf("%s damaged, %v: exit code %d\n%s", what, c.args, code, stderr)
			}
			if after := treeOf(t, c.root); after != before {
				t.Errorf("%s damaged, %v: before\n%safter\n%s", what, c.args, before, after)
			}
		}
	}
}

// bytesOf gives a place in each part of an appliance.
func bytesOf(t *testing.T, path string) map[string]int64 {
	t.Helper()
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	places := map[string]int64{"program": int64(len(smallProgram())) - 1}
	for _, member := range r.File {
		if name, ok := strings.CutSuffix(member.Name, ".tar.zst"); ok {
			if places[name], err = member.DataOffset(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return places
}

// treeOf lists the files below a root with their modes and the times of their last change, but for the installer's own.
func treeOf(t *testing.T, root string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == "fate-installer" && d.IsDir() {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			list.WriteString(strings.TrimPrefix(path, root) + " " + info.Mode().String() + " " +
				info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}
