package beneath

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makeTree fills a directory: a name that ends with "/" is a directory, a content that begins with "-> " a link.
func makeTree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	for _, f := range files {
		name, target, isLink := strings.Cut(f, " -> ")
		at := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		switch {
		case isLink:
			must(t, os.Symlink(target, at))
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(at, 0o755))
		default:
			must(t, os.WriteFile(at, []byte("content of "+name), 0o644))
		}
	}
	return dir
}

func open(t *testing.T, dir string, trusted int) *Root {
	t.Helper()
	r, err := Open(dir, trusted)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// stranger is a uid that nothing in the tests belongs to.
func stranger() int { return os.Geteuid() + 1 }

// bothKernels runs a test with and without openat2.
func bothKernels(t *testing.T, test func(t *testing.T)) {
	t.Run("openat2", test)
	t.Run("steps", func(t *testing.T) {
		had := hasOpenat2
		hasOpenat2 = func() bool { return false }
		defer func() { hasOpenat2 = had }()
		test(t)
	})
}

func read(r *Root, path string) (string, error) {
	f, err := r.OpenRead(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data := make([]byte, 100)
	n, _ := f.Read(data)
	return string(data[:n]), nil
}

// TestTrustedLinks: an administrator's links are followed, those that another user may have made or moved are not.
func TestTrustedLinks(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		dir := makeTree(t, "disk/data/file", "data -> /disk/data", "open/link -> ../disk/data",
			"open/inner/link -> /disk/data",
			"loop -> loop", "up -> ../../../disk", "file -> data/file", "gone -> /disk/none/deep")
		must(t, os.Chmod(filepath.Join(dir, "open"), 0o777|fs.ModeSticky))
		us := open(t, dir, os.Geteuid())
		for _, path := range []string{"/data/file", "/up/data/file", "/file", "/data/../data/file"} {
			if got, err := read(us, path); err != nil || got != "content of disk/data/file" {
				t.Errorf("%s: %q, %v", path, got, err)
			}
		}
		for _, path := range []string{"/open/link/file", "/open/inner/link/file", "/open/link"} {
			var link *LinkError
			if _, err := read(us, path); !errors.As(err, &link) || link.Dir != "/open" ||
				!errors.Is(err, ErrUntrustedLink) {
				t.Errorf("%s in a directory that others may write: %v", path, err)
			}
		}
		if _, err := read(us, "/loop/x"); !errors.Is(err, syscall.ELOOP) {
			t.Errorf("a loop: %v", err)
		}
		if got, err := us.Resolve("resolve", "/gone/x"); err != nil || got != "/disk/none/deep/x" {
			t.Errorf("a link to nowhere: %s, %v", got, err)
		}
		others := open(t, dir, stranger())
		if _, err := read(others, "/data/file"); !errors.Is(err, ErrUntrustedLink) {
			t.Errorf("the link of another user: %v", err)
		}
		anyones := open(t, dir, Anyone)
		if got, err := read(anyones, "/open/link/file"); err != nil || got == "" {
			t.Errorf("a tree: %q, %v", got, err)
		}
	})
}

// TestOpenIsNeverLed: pipes, sockets, links and files with another name.
func TestOpenIsNeverLed(t *testing.T) {
	dir := makeTree(t, "victim", "app/own", "app/link -> ../victim")
	must(t, syscall.Mkfifo(filepath.Join(dir, "app/pipe"), 0o666))
	must(t, os.Link(filepath.Join(dir, "victim"), filepath.Join(dir, "app/hard")))
	r := open(t, dir, stranger())
	for name, want := range map[string]error{"pipe": ErrNotFile, "link": syscall.ELOOP, "hard": ErrHardLink} {
		p, err := r.Exact("open", "/app/"+name)
		must(t, err)
		if _, err := p.Open(os.O_WRONLY|os.O_TRUNC, 0); !errors.Is(err, want) {
			t.Errorf("%s for writing: %v, want %v", name, err, want)
		}
		p.Close()
	}
	p, err := r.Exact("open", "/app/pipe")
	must(t, err)
	defer p.Close()
	if _, err := p.Open(os.O_RDONLY, 0); !errors.Is(err, ErrNotFile) {
		t.Errorf("a pipe for reading: %v", err)
	}
	if _, err := r.OpenRead("/app/pipe"); !errors.Is(err, ErrNotFile) {
		t.Errorf("a pipe for reading, by its path: %v", err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "victim")); err != nil || string(data) != "content of victim" {
		t.Errorf("the victim: %q, %v", data, err)
	}
}

// TestHardLinksKeepTheirMode: root does not change a file that another user has linked into a directory of theirs.
func TestHardLinksKeepTheirMode(t *testing.T) {
	dir := makeTree(t, "victim", "app/own", "app/link -> ../victim")
	must(t, os.Chmod(filepath.Join(dir, "app"), 0o777))
	must(t, os.Link(filepath.Join(dir, "victim"), filepath.Join(dir, "app/hard")))
	r := open(t, dir, os.Geteuid()) // the files are the trusted user's, the directory is open to all
	for name, want := range map[string]error{"hard": ErrHardLink, "own": nil, "link": syscall.ELOOP} {
		p, err := r.Exact("chmod", "/app/"+name)
		must(t, err)
		if err := p.Chmod(0o600); !errors.Is(err, want) {
			t.Errorf("chmod %s: %v, want %v", name, err, want)
		}
		if err := p.Chown(os.Geteuid(), -1); name == "hard" && !errors.Is(err, ErrHardLink) {
			t.Errorf("chown %s: %v", name, err)
		}
		p.Close()
	}
	if info, err := os.Stat(filepath.Join(dir, "victim")); err != nil || info.Mode() != 0o644 {
		t.Errorf("the victim: %v, %v", info.Mode(), err)
	}
}

func TestRemoveAll(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		dir := makeTree(t, "victim/file", "tree/a/b/c", "tree/link -> ../victim",
			"tree/abs -> "+t.TempDir(), "tree/empty/")
		must(t, syscall.Mkfifo(filepath.Join(dir, "tree/pipe"), 0o600))
		deep := filepath.Join(dir, "tree/deep")
		for range 3 * maxDepth / 2 {
			deep = filepath.Join(deep, "d")
		}
		must(t, os.MkdirAll(deep, 0o755))
		must(t, os.WriteFile(filepath.Join(deep, "f"), nil, 0o600))
		r := open(t, dir, stranger())
		for _, name := range []string{"/tree", "/absent", "/victim/file"} {
			p, err := r.At("remove", name)
			must(t, err)
			if err := p.RemoveAll(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			p.Close()
		}
		entries, err := os.ReadDir(dir)
		must(t, err)
		if len(entries) != 1 || entries[0].Name() != "victim" {
			t.Errorf("left: %v", entries)
		}
	})
}

func TestMountsBelow(t *testing.T) {
	const table = `22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 8:2 / /data rw shared:1 - xfs /dev/sdb1 rw
31 30 8:2 /x /data/logs/fate/two\040words rw - xfs /dev/sdb1 rw
32 30 0:9 / /data/logs rw - tmpfs tmpfs rw
33 22 0:9 / /data/logs2 rw - tmpfs tmpfs rw
short line
`
	for path, want := range map[string]string{
		"/data/logs":      "/data/logs, /data/logs/fate/two words",
		"/data/logs/fate": "/data/logs/fate/two words", "/data/projects": "", "/data/log": "",
		"/data/logs2": "/data/logs2",
	} {
		if got := strings.Join(mountsBelow(table, "/", path), ", "); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := strings.Join(mountsBelow(table, "/data", "/logs2"), ", "); got != "/logs2" {
		t.Errorf("in a tree: %s", got)
	}
}

// TestRemoveAllStopsAtMounts needs root: it mounts in a namespace of its own.
func TestRemoveAllStopsAtMounts(t *testing.T) {
	bothKernels(t, func(t *testing.T) {
		inMountNamespace(t, func() {
			dir := makeTree(t, "tree/before", "tree/disk/", "tree/bind/", "elsewhere/file", "tree/z/file/")
			for point, mount := range map[string]func(at string) error{
				"tree/disk": func(at string) error { return syscall.Mount("tmpfs", at, "tmpfs", 0, "") },
				"tree/bind": func(at string) error {
					return syscall.Mount(filepath.Join(dir, "elsewhere"), at, "", syscall.MS_BIND, "")
				},
			} {
				at := filepath.Join(dir, point)
				must(t, mount(at))
				must(t, os.WriteFile(filepath.Join(at, "kept"), nil, 0o600))
				r := open(t, dir, Anyone)
				p, err := r.At("remove", "/tree")
				must(t, err)
				var found *MountError
				if err := p.RemoveAll(); !errors.As(err, &found) || len(found.Mounts) != 1 ||
					found.Mounts[0] != "/"+point {
					t.Errorf("%s: %v", point, err)
				}
				if _, err := os.Stat(filepath.Join(dir, "tree/before")); err != nil {
					t.Errorf("%s: something was removed before the mount was found: %v", point, err)
				}
				// A mount that comes after the first look is not entered. Without openat2 only another device is seen.
				if hasOpenat2() || point == "tree/disk" {
					late := remover{path: "/tree"}
					var st syscall.Stat_t
					must(t, syscall.Stat(dir, &st))
					late.dev = st.Dev
					if err := late.tree(p.fd(), "tree", "/tree"); !errors.As(err, &found) {
						t.Errorf("%s, mounted late: %v", point, err)
					}
				}
				if _, err := os.Stat(filepath.Join(at, "kept")); err != nil {
					t.Errorf("%s: its content was removed: %v", point, err)
				}
				p.Close()
				must(t, syscall.Unmount(at, 0))
				must(t, os.MkdirAll(filepath.Join(dir, "tree"), 0o755))
				must(t, os.WriteFile(filepath.Join(dir, "tree/before"), nil, 0o600))
				must(t, os.MkdirAll(filepath.Join(dir, "tree/disk"), 0o755))
				must(t, os.MkdirAll(filepath.Join(dir, "tree/bind"), 0o755))
			}
		})
	})
}

// TestCopyOfFileThatGrows has the owner of a file make it longer while it is copied: the copy ends where the file
// ended.
func TestCopyOfFileThatGrows(t *testing.T) {
	dir := t.TempDir()
	in, err := os.Create(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := in.WriteString("as it was"); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(in.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	for _, sparse := range []bool{false, true} {
		if sparse {
			st.Blocks = 0
		} else {
			st.Blocks = 8
		}
		if err := in.Truncate(1 << 40); err != nil {
			t.Skipf("no files of that length here: %v", err)
		}
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, fmt.Sprint("out", sparse))
		out, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(copyData(out, in, &st), out.Close()); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(name); err != nil || string(text) != "as it was" {
			t.Errorf("sparse=%v: the copy has %d bytes, %v", sparse, len(text), err)
		}
	}
}
