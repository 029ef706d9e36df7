package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// copyTestTree makes a tree with all that a copy has to keep.
func copyTestTree(t *testing.T) (*Host, string) {
	t.Helper()
	root := t.TempDir()
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(name string) string { return filepath.Join(root, "from", name) }
	for _, err := range []error{
		os.MkdirAll(at("bin"), 0o755), os.MkdirAll(at("data/deep"), 0o750),
		os.WriteFile(at("bin/run"), []byte("run"), 0o755), os.WriteFile(at("data/deep/file"), []byte("file"), 0o600),
		os.Symlink("run", at("bin/link")), os.Symlink("/nowhere", at("dangling")),
		syscall.Mkfifo(at("pipe"), 0o600),
		os.Chtimes(at("bin/run"), when, when), os.Chmod(at("data"), 0o500), os.Chtimes(at("data"), when, when),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(at("data"), 0o700); os.Chmod(filepath.Join(root, "to/data"), 0o700) })
	h, err := New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, root
}

func TestCopyTree(t *testing.T) {
	for _, link := range []bool{false, true} {
		h, root := copyTestTree(t)
		var last int64
		err := h.CopyTree(t.Context(), "/from", "/to", CopyOptions{Link: link,
			Progress: func(done int64) { last = done }, Skip: func(rel string) bool { return rel == "data/deep" }})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"bin", "bin/run", "bin/link", "data", "dangling"} {
			want, err1 := os.Lstat(filepath.Join(root, "from", name))
			got, err2 := os.Lstat(filepath.Join(root, "to", name))
			if err := errors.Join(err1, err2); err != nil || got.Mode() != want.Mode() ||
				want.Mode()&os.ModeSymlink == 0 && !got.ModTime().Equal(want.ModTime()) {
				t.Errorf("link %v: %s: %v, want %v (%v)", link, name, got, want, err)
			}
		}
		if content, err := h.ReadFile("/to/bin/run"); err != nil || string(content) != "run" || last != 3 {
			t.Errorf("%q, %v, progress %d", content, err, last)
		}
		if target, err := h.Readlink("/to/dangling"); err != nil || target != "/nowhere" {
			t.Errorf("%s, %v", target, err)
		}
		for _, gone := range []string{"/to/data/deep", "/to/pipe", TempName("/to")} {
			if h.Exists(gone) {
				t.Errorf("%s is there", gone)
			}
		}
		from, err1 := h.Stat("/from/bin/run")
		to, err2 := h.Stat("/to/bin/run")
		if err := errors.Join(err1, err2); err != nil || os.SameFile(from, to) != link {
			t.Errorf("shared: %v, want %v (%v)", os.SameFile(from, to), link, err)
		}
		if err := h.CopyTree(t.Context(), "/from", "/to", CopyOptions{}); err == nil {
			t.Error("a copy replaced what was there")
		}
	}
}

// TestCopyTreeThatFails leaves nothing, whatever fails.
func TestCopyTreeThatFails(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can remove what is in a directory that its owner cannot write")
	}
	for _, op := range []Op{OpCreate, OpSync, OpRename} {
		h, _ := copyTestTree(t)
		h.InjectFaults(t, func(o Op, abs string) error {
			if o == op && strings.Contains(abs, "to") {
				return syscall.ENOSPC
			}
			return nil
		})
		if err := h.CopyTree(t.Context(), "/from", "/to", CopyOptions{}); !errors.Is(err, syscall.ENOSPC) ||
			h.Exists("/to") || h.Exists(TempName("/to")) {
			t.Errorf("%s: %v", op, err)
		}
	}
	h, _ := copyTestTree(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := h.CopyTree(ctx, "/from", "/to", CopyOptions{Progress: func(int64) { cancel() }})
	if !errors.Is(err, context.Canceled) || h.Exists("/to") || h.Exists(TempName("/to")) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestExchange(t *testing.T) {
	h, root := copyTestTree(t)
	if err := errors.Join(os.Mkdir(filepath.Join(root, "other"), 0o755),
		h.Exchange("/from/bin", "/other")); err != nil {
		t.Fatal(err)
	}
	if !h.Exists("/other/run") || h.Exists("/from/bin/run") || !h.Exists("/from/bin") {
		t.Error("they have not changed places")
	}
	if err := h.Exchange("/other", "/missing"); err == nil || !h.Exists("/other/run") {
		t.Errorf("exchanged with nothing: %v", err)
	}
}

// TestExchangeByRenames is for kernels that cannot exchange: whichever rename fails, both are where they were; and what
// a power cut leaves is mended.
func TestExchangeByRenames(t *testing.T) {
	h, root := copyTestTree(t)
	if err := os.Mkdir(filepath.Join(root, "other"), 0o755); err != nil {
		t.Fatal(err)
	}
	for failing := range 3 {
		renames := 0
		h.InjectFaults(t, func(op Op, _ string) error {
			if op == OpRename {
				renames++
			}
			if op == OpRename && renames == failing+1 {
				return syscall.EIO
			}
			return nil
		})
		if err := h.exchangeByRenames("/from/bin", "/other"); !errors.Is(err, syscall.EIO) ||
			!h.Exists("/from/bin/run") || !h.Exists("/other") || h.Exists(exchangeName("/from/bin")) {
			t.Errorf("rename %d fails: %v", failing, err)
		}
	}
	h.fault = nil
	if err := h.exchangeByRenames("/from/bin", "/missing"); err == nil || !h.Exists("/from/bin/run") {
		t.Errorf("exchanged with nothing: %v", err)
	}
	for _, cut := range []bool{true, false} {
		if cut {
			if err := h.Rename("/from/bin", exchangeName("/from/bin")); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.MendExchange("/from/bin"); err != nil || !h.Exists("/from/bin/run") {
			t.Errorf("cut off: %v, mended: %v", cut, err)
		}
	}
	if err := h.exchangeByRenames("/from/bin", "/other"); err != nil || !h.Exists("/other/run") ||
		h.Exists("/from/bin/run") || !h.Exists("/from/bin") {
		t.Errorf("they have not changed places: %v", err)
	}
}

// TestCopyKeepsHoles: the copy of a file of any length uses no more space than the file.
func TestCopyKeepsHoles(t *testing.T) {
	h := newTree(t, map[string]string{"/from/begin": "x"})
	const length = 1 << 36
	name := filepath.Join(h.Root(), "from/huge")
	f, err := os.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte("middle"), length/2)
	must(t, err)
	must(t, errors.Join(f.Truncate(length), f.Close()))
	must(t, h.CopyTree(t.Context(), "/from", "/to", CopyOptions{}))
	var st syscall.Stat_t
	must(t, syscall.Stat(filepath.Join(h.Root(), "to/huge"), &st))
	if st.Size != length || st.Blocks*512 > 1<<20 {
		t.Errorf("the copy has %d bytes and uses %d", st.Size, st.Blocks*512)
	}
	if got, err := h.ReadAt("/to/huge", 6, length/2); err != nil || string(got) != "middle" {
		t.Errorf("in the middle: %q, %v", got, err)
	}
}
