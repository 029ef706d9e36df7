package payload

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func owner(t testing.TB, path string) (uid, gid int) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return int(st.Uid), int(st.Gid)
}

func TestRename(t *testing.T) {
	for name, rename := range map[string]func(from, to string) error{"new": renameNew, "old": renameOld} {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		for _, d := range []string{from, to} {
			if err := os.Mkdir(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := rename(from, to); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: an empty directory was replaced: error %v", name, err)
		}
		if err := rename(from, filepath.Join(dir, "other")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := rename(from, filepath.Join(dir, "another")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: renamed what is not there: error %v", name, err)
		}
	}
}
