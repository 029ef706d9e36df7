package database

import (
	"os"
	"path/filepath"
	"testing"

	"fate-installer/installer/host"
)

// FuzzMark gives root the record in a data directory, which belongs to the service user, with any content.
func FuzzMark(f *testing.F) {
	f.Add([]byte(`{"flavour":"mysql","version":"8.0.36","root":"$A$005$abcdefghijklmnopqrstxyz","accounts":{"fate":"$A$fff$"}}`))
	root := f.TempDir()
	h, err := host.New(root, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(root, datadirMark), data, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := readMark(h, "/"+datadirMark)
		if err != nil {
			return
		}
		for _, hash := range append([]string{m.Root}, m.Accounts["fate"]) {
			if len(hash) < 64 && storedPasswordIs(sha2PasswordPlugin, hash, "a password that was never stored") {
				t.Errorf("%q is taken for the hash of another password", hash)
			}
		}
	})
}
