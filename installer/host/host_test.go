package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func newTree(t *testing.T, files map[string]string) *Host {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		at := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			must(t, os.Symlink(target, at))
			continue
		}
		must(t, os.WriteFile(at, []byte(content), 0o644))
	}
	h, err := New(dir, nil)
	must(t, err)
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPathsMustBeAbsolute(t *testing.T) {
	h := newTree(t, nil)
	for name, err := range map[string]error{
		"read": second(h.ReadFile("a")), "write": h.WriteFile("a", nil, FileMode{}), "mkdir": h.Mkdir("a", FileMode{}),
		"remove": h.RemoveAll("a"), "rename": h.Rename("a", "/b"), "symlink": h.Symlink("x", "a"),
		"stat": second(h.Stat("a")),
		"root": h.RemoveAll("/"),
	} {
		if err == nil {
			t.Errorf("%s accepts a relative path, or the root", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestWriteFileReplacesWhole(t *testing.T) {
	for _, op := range []Op{OpCreate, OpWrite, OpSync, OpChmod, OpChown, OpRename} {
		t.Run(string(op), func(t *testing.T) {
			h := newTree(t, map[string]string{"/a": "old"})
			h.InjectFaults(t, func(o Op, abs string) error {
				if o == op {
					return syscall.ENOSPC
				}
				return nil
			})
			err := h.WriteFile("/a", []byte("new"), FileMode{Owner: "app"})
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("error %v", err)
			}
			if got, err := h.ReadFile("/a"); err != nil || string(got) != "old" {
				t.Errorf("content %q, %v", got, err)
			}
			if h.Exists(TempName("/a")) {
				t.Error("the temporary file is left")
			}
		})
	}
}

func TestWriteFromFailureKeepsTheOld(t *testing.T) {
	h := newTree(t, map[string]string{"/a": "old"})
	boom := errors.New("boom")
	err := h.WriteFrom("/a", FileMode{}, func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, boom)
	})
	if got, _ := h.ReadFile("/a"); !errors.Is(err, boom) || string(got) != "old" || h.Exists(TempName("/a")) {
		t.Errorf("content %q, %v", got, err)
	}
}

// TestBindMountedFile: a file that is a mount of its own, as /etc/hosts in a container, cannot be renamed over.
func TestBindMountedFile(t *testing.T) {
	h := newTree(t, map[string]string{"/etc/hosts": "a longer old content"})
	h.InjectFaults(t, func(op Op, abs string) error {
		if op == OpRename {
			return syscall.EBUSY
		}
		return nil
	})
	must(t, h.WriteFile("/etc/hosts", []byte("new"), FileMode{}))
	if got, err := h.ReadFile("/etc/hosts"); err != nil || string(got) != "new" || h.Exists(TempName("/etc/hosts")) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestSystemHost does in a directory of the running machine what other tests do in trees.
func TestSystemHost(t *testing.T) {
	h, err := New("/", nil)
	must(t, err)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	owner, group := "", ""
	if os.Geteuid() == 0 {
		owner, group = "65533", "65533"
	}
	must(t, h.MkdirAll(at("a/b"), FileMode{Perm: 0o750, Owner: owner, Group: group}))
	must(t, h.WriteFile(at("a/b/f"), []byte("1"), FileMode{Perm: 0o640, Owner: owner, Group: group}))
	must(t, h.WriteFile(at("a/b/f"), []byte("2"), FileMode{})) // keeps mode and owner
	must(t, h.Symlink("b/f", at("a/l")))
	must(t, h.Chown(at("a/l"), owner, group))
	must(t, h.Rename(at("a"), at("c")))
	must(t, h.SetMode(at("c/b"), FileMode{Perm: 0o700}))
	if got, err := h.Readlink(at("c/l")); err != nil || got != "b/f" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := h.ReadFile(at("c/b/f")); err != nil || string(got) != "2" {
		t.Errorf("%q, %v", got, err)
	}
	for name, want := range map[string]fs.FileMode{"c": 0o750 | fs.ModeDir, "c/b": 0o700 | fs.ModeDir, "c/b/f": 0o640} {
		fi, err := h.Lstat(at(name))
		must(t, err)
		if fi.Mode() != want {
			t.Errorf("%s: mode %v, want %v", name, fi.Mode(), want)
		}
		if u, g, err := h.Owner(at(name)); err != nil || owner != "" && (u != owner || g != group) {
			t.Errorf("%s: owner %s:%s, %v", name, u, g, err)
		}
	}
	if _, err := h.LookupUser("root"); err != nil {
		t.Error(err)
	}
	must(t, h.RemoveAll(at("c")))
	if h.Exists(at("c")) {
		t.Error("it is still there")
	}
}

func TestLock(t *testing.T) {
	h := newTree(t, nil)
	release, pid, err := h.TryLock("/run/fate/lock")
	if err != nil || pid != os.Getpid() {
		t.Fatalf("%d, %v", pid, err)
	}
	if _, pid, err := h.TryLock("/run/fate/lock"); !errors.Is(err, ErrLocked) || pid != os.Getpid() {
		t.Errorf("taken twice: %d, %v", pid, err)
	}
	must(t, release())
	if h.Exists("/run") {
		t.Error("the directory of the lock is left")
	}
}

func TestEditFile(t *testing.T) {
	h := newTree(t, map[string]string{"/etc/hosts": "a\n", "/link": "-> /etc/hosts"})
	add := func(old []byte) ([]byte, error) { return append(slices.Clone(old), "b\n"...), nil }
	must(t, h.EditFile("/link", FileMode{}, add))
	if got, err := h.ReadFile("/etc/hosts"); err != nil || string(got) != "a\nb\n" {
		t.Errorf("%q, %v", got, err)
	}
	if target, err := h.Readlink("/link"); err != nil || target != "/etc/hosts" {
		t.Errorf("the link: %s, %v", target, err)
	}
	must(t, h.EditFile("/new", FileMode{}, add))
	h.InjectFaults(t, func(Op, string) error { return errors.New("written") })
	must(t, h.EditFile("/new", FileMode{}, func(old []byte) ([]byte, error) { return old, nil }))
}

func TestAllocate(t *testing.T) {
	for name, a := range map[string]Allocation{"reserved": {Size: 3 << 20}, "written": {Size: 9<<20 + 5, Write: true}} {
		t.Run(name, func(t *testing.T) {
			h := newTree(t, nil)
			var last int64
			must(t, h.Allocate(t.Context(), "/swap", a, func(done, total int64) { last = done }))
			fi, err := h.Lstat("/swap")
			must(t, err)
			if fi.Size() != a.Size || fi.Mode() != 0o600 || last != a.Size {
				t.Errorf("size %d, mode %v, progress %d", fi.Size(), fi.Mode(), last)
			}
			if st := fi.Sys().(*syscall.Stat_t); st.Blocks*512 < a.Size {
				t.Errorf("it has holes: %d blocks", st.Blocks)
			}
			if err := h.Allocate(t.Context(), "/swap", a, nil); !errors.Is(err, fs.ErrExist) {
				t.Errorf("again: %v", err)
			}
		})
	}
}

func TestReadAndWriteAPart(t *testing.T) {
	h := newTree(t, map[string]string{"/f": "0123456789"})
	must(t, h.WriteAt("/f", []byte("xy"), 3))
	for _, c := range []struct {
		length int
		offset int64
		want   string
	}{{4, 2, "2xy5"}, {4, 8, "89"}} {
		if got, err := h.ReadAt("/f", c.length, c.offset); err != nil || string(got) != c.want {
			t.Errorf("%q, %v, want %q", got, err, c.want)
		}
	}
	if err := h.WriteAt("/absent", nil, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestAppend(t *testing.T) {
	h := newTree(t, nil)
	for range 2 {
		f, err := h.Append("/journal", 0o600)
		must(t, err)
		must(t, h.Write(f, "/journal", []byte("line\n")))
		must(t, f.Close())
	}
	if got := describe(t, h, "/journal"); got != "-rw------- root:root" {
		t.Error(got)
	}
	if got, err := h.ReadFile("/journal"); err != nil || string(got) != "line\nline\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFileSystemType(t *testing.T) {
	h := newTree(t, map[string]string{"/proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 8:2 / " +
		"/data\\040two rw shared:1 - xfs /dev/sdb1 rw\n", "/data": "-> /data two"})
	for p, want := range map[string]string{"/swap": "ext4", "/data two/swap": "xfs", "/data/swap": "xfs",
		"/data twofold": "ext4"} {
		if got, err := h.FileSystemType(p); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", p, got, err, want)
		}
	}
}

func TestRootsAndRunners(t *testing.T) {
	if _, err := New(t.TempDir(), ExecRunner{}); err == nil {
		t.Error("commands of this machine are accepted for a tree")
	}
	if _, err := New(filepath.Join(t.TempDir(), "absent"), nil); err == nil {
		t.Error("a root that does not exist is accepted")
	}
	h := newTree(t, nil)
	if h.Live() || h.IsSystem() {
		t.Error("a tree is live")
	}
	if _, err := h.Run(t.Context(), Cmd{Args: []string{"true"}}); !errors.Is(err, ErrNoCommands) {
		t.Errorf("error %v", err)
	}
	system, err := New("/", nil)
	must(t, err)
	if !system.Live() || !system.IsSystem() || system.Path("/etc/../etc/hosts") != "/etc/hosts" {
		t.Error("the system is not the system")
	}
}

// TestKernelFileIsWrittenInPlace writes this process's own name, which is a file of the kernel.
func TestKernelFileIsWrittenInPlace(t *testing.T) {
	h, err := New("/", nil)
	must(t, err)
	const comm = "/proc/self/comm"
	before, err := h.ReadFile(comm)
	must(t, err)
	defer func() { must(t, h.WriteFile(comm, before, FileMode{})) }()
	must(t, h.WriteFile(comm, []byte("fate-test"), FileMode{}))
	if got, err := h.ReadFile(comm); err != nil || string(got) != "fate-test\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFaultsNeedATest(t *testing.T) {
	h, err := New("/", nil)
	must(t, err)
	fake := &refusing{}
	func() {
		defer func() { _ = recover() }()
		h.InjectFaults(fake, func(Op, string) error { return syscall.EIO })
	}()
	if !fake.refused || h.fault != nil {
		t.Error("faults can be injected into the running machine")
	}
}

type refusing struct{ refused bool }

func (*refusing) Helper()        {}
func (*refusing) Cleanup(func()) {}
func (r *refusing) Fatalf(string, ...any) {
	r.refused = true
	panic("stop")
}
