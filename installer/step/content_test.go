package step

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/engine"
)

// TestFileOfAnyLength has the owner of a directory put a file there that is 1 TiB long and takes no space.
func TestFileOfAnyLength(t *testing.T) {
	w := newWorld(t, tempDir(t), true, nil)
	file := File{Path: "/data/conf/eggroll.properties", Content: []byte("a=1\n"), KeepEdits: true}
	w.run(t, file)
	w.reopenJournal()
	real := filepath.Join(w.host.Root(), file.Path)
	if err := os.Truncate(real, 1<<40); err != nil {
		t.Skipf("no files of that length here: %v", err)
	}
	if now, err := hashState(w.env(), file.Path); err != nil || now.Hash != tooLong {
		t.Errorf("hash %q, %v", now.Hash, err)
	}
	_, err := file.Check(t.Context(), w.env())
	if !strings.Contains(beforeRepeat(err), "mv "+file.Path) {
		t.Errorf("error %v", err)
	}
	if _, err := (Self{Path: file.Path, Digest: "d"}).Check(t.Context(), w.env()); err != nil {
		t.Errorf("a program: %v", err)
	}
	report, err := w.undo(t.Context(), engine.Everything)
	if err != nil || !w.host.Exists(file.Path) {
		t.Errorf("undo: %+v, %v; the file is there: %v", report, err, w.host.Exists(file.Path))
	}
}
