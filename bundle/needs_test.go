package bundle

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// The manifest says what the programs inside take from the machine, apart from what they bring.
func TestNeeds(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil || runtime.GOARCH != "amd64" {
		t.Skip("needs gcc on amd64")
	}
	dir := t.TempDir()
	compile := func(out, source string, args ...string) {
		t.Helper()
		file := filepath.Join(dir, "source.c")
		writeFile(t, file, []byte(source))
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, out)), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(gcc, append([]string{"-o", filepath.Join(dir, out), file, "-L" + dir, "-Wl,--no-as-needed"},
			args...)...)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v: %s", err, text)
		}
	}
	compile("libelsewhere.so", "int elsewhere(void) { return 1; }", "-shared", "-fPIC", "-Wl,-soname,libelsewhere.so.7")
	compile("libplugged.so", "int plugged(void) { return 1; }", "-shared", "-fPIC", "-Wl,-soname,libplugged.so.3")
	compile("tree/lib/libours.so.1.2", "int elsewhere(void); int ours(void) { return elsewhere(); }", "-shared",
		"-fPIC", "-lelsewhere", "-Wl,-soname,libours.so.1")
	compile("tree/lib/module.so", "int plugged(void); int module(void) { return plugged(); }", "-shared",
		"-fPIC", "-lplugged")
	compile("tree/bin/program", `#include <string.h>
int ours(void);
int main(int n, char **v) { return memcpy(v[0], v[n], n) != 0 && ours(); }`,
		"-Wl,--allow-shlib-undefined", filepath.Join(dir, "tree/lib/libours.so.1.2"), "-lm")
	if err := os.Symlink("libours.so.1.2", filepath.Join(dir, "tree/lib/libours.so.1")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "tree/broken"), []byte("\x7fELF, but not really"))
	writeFile(t, filepath.Join(dir, "text/a"), []byte("text"))
	result, _, err := build(t,
		lockFile(t, dir, "  - {name: a, version: 1, host_libraries: [\"libelse*\"], sources: [{path: tree}]}\n"+
			"  - {name: b, version: 1, platform: any, sources: [{path: tree}]}\n  - {name: c, version: 1, sources: "+
			"[{path: text}]}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := result.Manifest
	got := m.Components[0].Needs
	if got == nil || !slices.Equal(got.Programs, []string{"libelsewhere.so.7"}) ||
		!slices.Equal(got.Modules, []string{"libplugged.so.3"}) || !laterGlibc(got.Glibc, "2.1") {
		t.Errorf("a needs %+v", got)
	}
	for _, c := range m.Components[1:] {
		if c.Needs != nil {
			t.Errorf("%s needs %+v", c.Name, *c.Needs)
		}
	}
}

func TestLaterGlibc(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"2.17", "2.9", true}, {"2.9", "2.17", false}, {"2.2.5", "2.2", true}, {"2.2.5", "", true},
		{"2.3", "2.3", false},
		{"PRIVATE", "", false}, {"PRIVATE", "2.4", false},
	} {
		if got := laterGlibc(test.a, test.b); got != test.want {
			t.Errorf("laterGlibc(%q, %q) is %v", test.a, test.b, got)
		}
	}
}
