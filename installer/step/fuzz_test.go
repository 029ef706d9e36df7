package step

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// FuzzFilesOfTheServiceUser gives root the records that lie in directories of the service user, with any content: that
// of an unpacked component, and that of the files a component brought.
func FuzzFilesOfTheServiceUser(f *testing.F) {
	f.Add([]byte(`{"component":"eggroll","digest":"sha256:00"}`))
	f.Add([]byte("bin/../../../../etc/passwd\n/etc/shadow\n\n"))
	root := f.TempDir()
	h, err := host.New(root, nil)
	if err != nil {
		f.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "component"), 0o755); err != nil {
		f.Fatal(err)
	}
	env := &engine.Env{Host: h}
	u := Unpack{Component: "eggroll", Target: "/component"}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range []string{"component/" + markerName, "component/" + listName} {
			if err := os.WriteFile(filepath.Join(root, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := readMarker(env, "/component"); err != nil && m != nil {
			t.Errorf("a marker with an error: %+v, %v", m, err)
		}
		if state, err := u.Look(env); err == nil && len(state.Missing) > len(data)+1 {
			t.Errorf("%d names of %d bytes", len(state.Missing), len(data))
		}
		inv := parseInventory(string(data))
		if again := parseInventory(inv.String()); !maps.Equal(inv, again) {
			t.Errorf("%q is read as %v, which is written and read as %v", data, inv, again)
		}
		for name := range inv {
			if !filepath.IsLocal(name) {
				t.Errorf("%q leads out of the tree", name)
			}
		}
	})
}
