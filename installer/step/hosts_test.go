package step

import (
	"os"
	"path/filepath"
	"testing"

	"fate-installer/installer/engine"
)

// TestDistributions installs the whole plan in the trees of real distributions, with their links, their accounts and
// their own limits, and takes it away again.
func TestDistributions(t *testing.T) {
	const fixtures = "../host/testdata/hosts"
	entries, err := os.ReadDir(fixtures)
	must(t, err)
	trees := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		trees++
		t.Run(e.Name(), func(t *testing.T) {
			dir := tempDir(t)
			must(t, os.CopyFS(dir, os.DirFS(filepath.Join(fixtures, e.Name()))))
			must(t, os.RemoveAll(filepath.Join(dir, "data"))) // some have an older installation, which a plan refuses
			w := newWorld(t, dir, false, nil)
			before := w.snapshot()
			_, err := engine.Apply(t.Context(), wholePlan(), w.env(), w.journal, nil)
			must(t, err)
			installed := w.snapshot()
			w.reopenJournal()
			r, err := engine.Apply(t.Context(), wholePlan(), w.env(), w.journal, nil)
			must(t, err)
			if n := r.Count(engine.Unchanged); n != len(r.Steps) {
				t.Errorf("the second run changed something: %+v", r.Steps)
			}
			sameTree(t, "after the second run", installed, w.snapshot())
			_, err = w.undo(t.Context(), engine.Everything)
			must(t, err)
			sameTree(t, "after the uninstall", before, w.snapshot())
			for _, left := range w.verify(t) {
				t.Errorf("Verify: %+v", left)
			}
		})
	}
	if trees == 0 {
		t.Error("no trees to test with")
	}
}
