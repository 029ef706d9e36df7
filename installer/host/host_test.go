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

// TestLinksStayInTheTree: a tree is seen as chroot shows it, and nothing outside can be reached.
func TestLinksStayInTheTree(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "victim"), []byte("outside"), 0o644))
	h := newTree(t, map[string]string{
		"/real/file": "inside", "/absolute": "-> /real", "/relative": "-> real", "/up": "-> ../../../../real",
		"/escape": "-> " + outside, "/deep/er/up": "-> ../../real", "/loop": "-> /loop", "/dangling": "-> /nowhere/at/all",
		"/abs-file": "-> /real/file", "/twice": "-> /absolute",
	})
	for _, dir := range []string{"/real", "/absolute", "/relative", "/up", "/deep/er/up", "/twice", "/real/../real", "/absolute/../absolute"} {
		got, err := h.ReadFile(dir + "/file")
		if err != nil || string(got) != "inside" {
			t.Errorf("%s/file: %q, %v", dir, got, err)
		}
	}
	if got, err := h.ReadFile("/abs-file"); err != nil || string(got) != "inside" {
		t.Errorf("/abs-file: %q, %v", got, err)
	}
	if got, err := h.Resolve("/twice/new"); err != nil || got != "/real/new" {
		t.Errorf("Resolve: %s, %v", got, err)
	}
	if err := h.WriteFile("/escape/victim", []byte("x"), FileMode{}); err == nil {
		t.Error("a write followed a link out of the tree")
	}
	if got, err := os.ReadFile(filepath.Join(outside, "victim")); err != nil || string(got) != "outside" {
		t.Errorf("the file outside: %q, %v", got, err)
	}
	if _, err := h.ReadFile("/loop/x"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a loop: %v", err)
	}
	if _, err := h.Stat("/dangling"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link to nowhere: %v", err)
	}
	if !h.Exists("/dangling") {
		t.Error("a link to nowhere does not exist")
	}
}

// TestRootFollowsOnlyItsOwnLinks works on a directory of the running machine, as the service user could prepare one.
func TestRootFollowsOnlyItsOwnLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has others' links to fear")
	}
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
	must(t, os.Symlink("etc", filepath.Join(dir, "ours")))
	must(t, os.Symlink("etc", filepath.Join(dir, "theirs")))
	must(t, os.Lchown(filepath.Join(dir, "theirs"), 65534, 65534))
	must(t, os.Symlink("theirs", filepath.Join(dir, "indirect")))
	h, err := New("/", nil)
	must(t, err)
	must(t, h.WriteFile(filepath.Join(dir, "ours/a"), []byte("a"), FileMode{}))
	for _, link := range []string{"theirs", "indirect"} {
		at := filepath.Join(dir, link)
		for name, err := range map[string]error{
			"write": h.WriteFile(at+"/b", nil, FileMode{}), "mkdir": h.MkdirAll(at+"/b/c", FileMode{}), "remove": h.Remove(at + "/a"),
			"rename": h.Rename(at+"/a", at+"/b"), "link": h.Symlink("x", at+"/b"), "chown": h.Chown(at+"/a", "root", ""),
			"chmod": h.SetMode(at+"/a", FileMode{Perm: 0o666}), "edit": h.EditFile(at+"/a", FileMode{}, func([]byte) ([]byte, error) { return []byte("x"), nil }),
			"resolve": second(h.Resolve(at)), "append": second(h.Append(at+"/a", 0o600)),
		} {
			if !errors.Is(err, ErrUntrustedLink) {
				t.Errorf("%s through %s: %v", name, link, err)
			}
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "etc")); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestPathsMustBeAbsolute(t *testing.T) {
	h := newTree(t, nil)
	for name, err := range map[string]error{
		"read": second(h.ReadFile("a")), "write": h.WriteFile("a", nil, FileMode{}), "mkdir": h.Mkdir("a", FileMode{}),
		"remove": h.RemoveAll("a"), "rename": h.Rename("a", "/b"), "symlink": h.Symlink("x", "a"), "stat": second(h.Stat("a")),
		"root": h.RemoveAll("/"),
	} {
		if err == nil {
			t.Errorf("%s accepts a relative path, or the root", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestWriteFileModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077)) // a hostile umask changes nothing
	h := newTree(t, map[string]string{"/etc/group": "apps:x:7:\n", "/etc/passwd": "app:x:6:7::/:/bin/sh\n", "/a": "old"})
	must(t, h.SetMode("/a", FileMode{Perm: 0o640, Owner: "app", Group: "apps"}))
	must(t, h.WriteFile("/a", []byte("new"), FileMode{}))
	must(t, h.WriteFile("/b", []byte("b"), FileMode{}))
	must(t, h.WriteFile("/c", []byte("c"), FileMode{Perm: 0o600, Owner: "app"}))
	must(t, h.MkdirAll("/d/e", FileMode{Perm: 0o750, Group: "apps"}))
	must(t, h.Mkdir("/f", FileMode{}))
	for p, want := range map[string]string{
		"/a": "-rw-r----- app:apps", "/b": "-rw-r--r-- root:root", "/c": "-rw------- app:root",
		"/d": "drwxr-x--- root:apps", "/d/e": "drwxr-x--- root:apps", "/f": "drwxr-xr-x root:root",
	} {
		if got := describe(t, h, p); got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
}

func describe(t *testing.T, h *Host, p string) string {
	t.Helper()
	fi, err := h.Lstat(p)
	must(t, err)
	owner, group, err := h.Owner(p)
	must(t, err)
	return fi.Mode().String() + " " + owner + ":" + group
}

// TestOwnersOfATree: what is recorded follows renames, ends with a removal, and is found by the next process.
func TestOwnersOfATree(t *testing.T) {
	h := newTree(t, map[string]string{"/tree/a/b": "", "/tree/c": "", "/x": ""})
	must(t, h.RecordOwners("/tree", "app", "apps"))
	must(t, h.Chown("/tree/c", "root", ""))
	must(t, h.Chown("/x", "mysql", "mysql"))
	must(t, h.Rename("/tree", "/moved"))
	must(t, h.Remove("/x"))
	must(t, h.WriteFile("/x", nil, FileMode{}))
	// A line that was cut off is no record, and does not spoil the next one.
	must(t, h.Close())
	file := filepath.Join(h.Root(), OwnersFile)
	data, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, append(data, `{"path":"/moved","ow`...), 0o644))
	h, err = New(h.Root(), nil)
	must(t, err)
	must(t, h.Chown("/moved/a", "late", ""))
	must(t, h.Close())
	h, err = New(h.Root(), nil)
	must(t, err)
	for p, want := range map[string]string{"/moved/a/b": "app:apps", "/moved/a": "late:apps", "/moved/c": "root:apps", "/moved": "app:apps", "/x": "root:root"} {
		if got := strings.Fields(describe(t, h, p))[1]; got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
}

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
	if got, err := h.ReadFile(at("c/l")); err != nil || string(got) != "2" {
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

// TestPlantedTempFile: in a directory of a less trusted user the temporary name may be a link to something precious.
func TestPlantedTempFile(t *testing.T) {
	h := newTree(t, map[string]string{"/precious": "gold", TempName("/dir/a"): "-> /precious"})
	must(t, h.WriteFile("/dir/a", []byte("new"), FileMode{}))
	if got, err := h.ReadFile("/precious"); err != nil || string(got) != "gold" {
		t.Errorf("the target of the planted link: %q, %v", got, err)
	}
	if got, err := h.ReadFile("/dir/a"); err != nil || string(got) != "new" {
		t.Errorf("the file: %q, %v", got, err)
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

func TestSymlinkReplaces(t *testing.T) {
	h := newTree(t, map[string]string{"/a": "-> old"})
	must(t, h.Symlink("new", "/a"))
	if got, err := h.Readlink("/a"); err != nil || got != "new" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestMissingParents(t *testing.T) {
	h := newTree(t, map[string]string{"/a/f": ""})
	got, err := h.MissingParents("/a/b/c")
	if err != nil || !slices.Equal(got, []string{"/a/b", "/a/b/c"}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := h.MissingParents("/a"); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := h.MissingParents("/a/f/g"); err == nil {
		t.Error("a file is taken for a directory")
	}
}

func TestAccounts(t *testing.T) {
	h := newTree(t, map[string]string{
		"/etc/passwd": "# comment\nroot:x:0:0:root:/root:/bin/bash\nbad line\napp:x:6000:6001::/home/app:/bin/bash\n+::::::\n",
		"/etc/group":  "root:x:0:\napps:x:6001:app,other\n",
	})
	for _, name := range []string{"app", "6000"} {
		if u, err := h.LookupUser(name); err != nil || u.Name != "app" || u.GID != 6001 || u.Home != "/home/app" {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
	if g, err := h.LookupGroup("apps"); err != nil || g.GID != 6001 || !slices.Equal(g.Members, []string{"app", "other"}) {
		t.Errorf("%+v, %v", g, err)
	}
	for _, err := range []error{second(h.LookupUser("nobody")), second(h.LookupGroup("nobody"))} {
		if !errors.Is(err, ErrUnknownAccount) {
			t.Errorf("error %v", err)
		}
	}
	if u, err := h.LookupUser("1234"); err != nil || u.UID != 1234 {
		t.Errorf("a number without a name: %+v, %v", u, err)
	}
	if uid, gid, err := h.IDs("app", ""); err != nil || uid != 6000 || gid != -1 {
		t.Errorf("IDs: %d %d, %v", uid, gid, err)
	}
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
	h := newTree(t, map[string]string{"/proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 8:2 / /data\\040two rw shared:1 - xfs /dev/sdb1 rw\n", "/data": "-> /data two"})
	for p, want := range map[string]string{"/swap": "ext4", "/data two/swap": "xfs", "/data/swap": "xfs", "/data twofold": "ext4"} {
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
