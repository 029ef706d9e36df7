package step

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// BenchmarkCheckOfALargeTree measures a run with nothing to do for a component of the size of FATE's python
// environment: 50,000 files in 5,000 directories.
func BenchmarkCheckOfALargeTree(b *testing.B) {
	dir := b.TempDir()
	for d := range 5000 {
		at := filepath.Join(dir, ".tree.fate-new", fmt.Sprint("package", d/50), fmt.Sprint("module", d%50))
		if err := os.MkdirAll(at, 0o755); err != nil {
			b.Fatal(err)
		}
		for f := range 10 {
			if err := os.WriteFile(filepath.Join(at, fmt.Sprintf("file%d.py", f)), nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	h, err := host.New("/", nil)
	if err != nil {
		b.Fatal(err)
	}
	env := &engine.Env{Host: h}
	u := Unpack{Component: "python", Digest: "d", Target: filepath.Join(dir, "tree")}
	inv, err := u.takeInventory(env, u.staging())
	if err != nil {
		b.Fatal(err)
	}
	if err := writeInventory(env, u.staging(), inv); err != nil {
		b.Fatal(err)
	}
	if err := h.WriteFile(filepath.Join(u.staging(), markerName),
		[]byte(`{"digest":"d"}`), host.FileMode{}); err != nil {
		b.Fatal(err)
	}
	if err := h.Rename(u.staging(), u.Target); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if f, err := u.Check(b.Context(), env); err != nil || !f.Done {
			b.Fatalf("%+v, %v", f, err)
		}
	}
}
