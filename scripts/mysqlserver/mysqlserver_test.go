package mysqlserver

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestServersRun starts the program of each release from its tree alone.
func TestServersRun(t *testing.T) {
	for _, r := range []Release{V8015, V8012} {
		t.Run(r.Version, func(t *testing.T) {
			dir := ForTest(t, r)
			cmd := exec.Command(filepath.Join(dir, "bin/mysqld"), "--no-defaults", "--version")
			cmd.Env = []string{"LD_LIBRARY_PATH=" + filepath.Join(dir, LibraryDir)}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "Ver "+r.Version+" ") {
				t.Errorf("%v: %s", err, out)
			}
			for _, name := range []string{"LICENSE", "share/english/errmsg.sys", "lib/libaio.so.1",
				"lib/libnuma.so.1"} {
				if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestUnpackStaysInItsDirectory(t *testing.T) {
	for _, h := range []tar.Header{
		{Name: "../outside", Typeflag: tar.TypeReg},
		{Name: "up/outside", Typeflag: tar.TypeReg},
		{Name: "device", Typeflag: tar.TypeChar},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []tar.Header{{Name: "up", Typeflag: tar.TypeSymlink, Linkname: ".."}, h} {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		top := t.TempDir()
		dir := filepath.Join(top, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := unpackTar(tar.NewReader(&b), root); err == nil {
			t.Errorf("%s was unpacked", h.Name)
		}
		if _, err := os.Lstat(filepath.Join(top, "outside")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is outside: %v", h.Name, err)
		}
	}
}

func TestInterruptedFillLeavesNothing(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	broken := errors.New("interrupted")
	if _, err := cached("x", func(dir string) error { return broken }); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	calls := 0
	for range 2 {
		dir, err := cached("x",
			func(dir string) error { calls++; return os.WriteFile(filepath.Join(dir, "f"), nil, 0o644) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "f")); err != nil {
			t.Error(err)
		}
	}
	if calls != 1 {
		t.Errorf("filled %d times", calls)
	}
}
