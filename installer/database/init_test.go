package database

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"fate-installer/installer/host"
)

// TestStagingIsKnownAgain kills the removal of a staging directory at each of its steps. What is left must still be
// known for ours, or every later run would refuse to touch it.
func TestStagingIsKnownAgain(t *testing.T) {
	const staging = "/data/mysql" + stagingSuffix
	files := map[string]string{
		staging + "/" + datadirMark:       `{"flavour": "mariadb"}`,
		staging + "/data/ibdata1":         "half",
		staging + "/data/mysql/db.frm":    "half",
		staging + "/data/" + datadirMark:  "{}",
		"/data/mysql.initialising.txt/is": "another's",
	}
	killed := errors.New("killed")
	for steps := 0; ; steps++ {
		h := treeOf(t, files)
		left := steps
		h.InjectFaults(t, func(op host.Op, _ string) error {
			if op == host.OpRemove {
				if left--; left < 0 {
					return killed
				}
			}
			return nil
		})
		err := Init{}.dropStaging(h, staging)
		h.InjectFaults(t, nil)
		if err == nil {
			if h.Exists(staging) || !h.Exists("/data/mysql.initialising.txt/is") || steps < 2 {
				t.Errorf("after %d removals staging is there: %v", steps, h.Exists(staging))
			}
			return
		}
		if !errors.Is(err, killed) {
			t.Fatal(err)
		}
		if h.Exists(staging) && h.Exists(staging+"/data") && !h.Exists(staging+"/"+datadirMark) {
			t.Errorf("after %d removals the mark is gone, and data is there", steps)
		}
		must(t, Init{}.dropStaging(h, staging))
	}
}

// treeOf is a host that is a directory with files: absolute path to content.
func treeOf(t *testing.T, files map[string]string) *host.Host {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(content), 0o644))
	}
	h, err := host.New(dir, nil)
	must(t, err)
	t.Cleanup(func() { _ = h.Close() })
	return h
}
