package step

import (
	"errors"
	"testing"

	"fate-installer/installer/host"
)

// TestStagingIsKnownAgain kills the removal of a staging directory at each of its steps. What is left must still be known
// for ours, or every later run would refuse to touch it.
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
		w := newWorld(t, tempDir(t), false, files)
		left := steps
		w.host.InjectFaults(t, func(op host.Op, _ string) error {
			if op == host.OpRemove {
				if left--; left < 0 {
					return killed
				}
			}
			return nil
		})
		err := DatabaseInit{}.dropStaging(w.host, staging)
		noFaults(w)
		if err == nil {
			if w.host.Exists(staging) || !w.host.Exists("/data/mysql.initialising.txt/is") || steps < 2 {
				t.Errorf("after %d removals staging is there: %v", steps, w.host.Exists(staging))
			}
			return
		}
		if !errors.Is(err, killed) {
			t.Fatal(err)
		}
		if w.host.Exists(staging) && w.host.Exists(staging+"/data") && !w.host.Exists(staging+"/"+datadirMark) {
			t.Errorf("after %d removals the mark is gone, and data is there", steps)
		}
		must(t, DatabaseInit{}.dropStaging(w.host, staging))
	}
}
