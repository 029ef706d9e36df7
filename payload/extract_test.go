package payload

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"
)

func TestExtractTarget(t *testing.T) {
	a := smallAppliance(t)
	p, err := Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	o := ExtractOptions{UID: -1, GID: -1}
	ctx := context.Background()
	dir := t.TempDir()
	if err := p.Extract(ctx, "three", filepath.Join(dir, "x"), o); err == nil {
		t.Error("a component that is not there was extracted")
	}
	if err := p.Extract(ctx, "one", filepath.Join(dir, "no", "x"), o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("parent is missing: error %v", err)
	}
	for _, name := range []string{"directory", "file", "link"} {
		target := filepath.Join(dir, name)
		switch name {
		case "directory":
			err = os.Mkdir(target, 0o755)
		case "file":
			err = os.WriteFile(target, nil, 0o644)
		case "link":
			err = os.Symlink("nowhere", target)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Extract(ctx, "one", target, o); !errors.Is(err, fs.ErrExist) {
			t.Errorf("target is a %s: error %v", name, err)
		}
	}
	// A target that comes into being while a component is unpacked is not replaced either.
	target := filepath.Join(dir, "late")
	o.Progress = func(done, total int64) {
		if done == total {
			os.Mkdir(target, 0o755)
		}
	}
	if err := p.Extract(ctx, "one", target, o); !errors.Is(err, fs.ErrExist) {
		t.Errorf("target appeared: error %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 4 {
		t.Errorf("left behind: %v", entries)
	}
}

// Of several components all get their names, or none.
func TestExtractAllOrNothing(t *testing.T) {
	p, err := Open(manyFrames(t).path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir := tempDir(t)
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	targets := []Target{{Component: "two", Path: two}, {Component: "one", Path: one}}
	// The last name is taken when everything is unpacked: the first one is given back.
	appear := func(done, total int64) {
		if done == total {
			os.WriteFile(two, []byte("mine"), 0o600)
		}
	}
	err = p.ExtractAll(context.Background(), targets, ExtractOptions{UID: -1, GID: -1, Progress: appear})
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("target appeared: error %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || entries[0].Name() != "two" {
		t.Errorf("left behind: %v, %v, want what appeared", entries, err)
	}
	if err := os.Remove(two); err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string][]Target{
		"no such component": {targets[0], {Component: "three", Path: filepath.Join(dir, "three")}},
		"twice":             {targets[0], targets[1], {Component: "one", Path: filepath.Join(dir, "again")}},
		"no parent":         {targets[0], {Component: "one", Path: filepath.Join(dir, "no", "one")}},
		"one target":        {targets[0], {Component: "one", Path: two}},
	} {
		if err := p.ExtractAll(context.Background(), bad, ExtractOptions{UID: -1, GID: -1}); err == nil {
			t.Errorf("%s: no error", what)
		}
		wantEmpty(t, dir)
	}
	if err := p.ExtractAll(context.Background(), targets, ExtractOptions{UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
	for _, target := range targets {
		if diff := cmp.Diff(sampleTree(), readTree(t, target.Path)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", target.Component, diff)
		}
	}
}

func TestInterruptedExtract(t *testing.T) {
	a := writeAppliance(t, WriterOptions{Level: 1, FrameSize: minFrame},
		map[string][]byte{"sample": makeTar(t, sampleEntries())})
	p, err := Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir := t.TempDir()
	for n := range len(a.m.Components[0].Frames) {
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		err := p.Extract(ctx, "sample", filepath.Join(dir, "x"),
			ExtractOptions{UID: -1, GID: -1, Workers: 2, Progress: func(done, total int64) {
				if calls++; calls > n {
					cancel()
				}
			}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted after %d frames: error %v", n, err)
		}
		wantEmpty(t, dir)
		cancel()
	}
}

// What a killed run left is removed by the next one for the same target; what a live one is writing is not.
func TestStalePartials(t *testing.T) {
	a := smallAppliance(t)
	p, err := Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir := t.TempDir()
	stale := filepath.Join(dir, ".x.partial-00112233")
	live := filepath.Join(dir, ".x.partial-44556677")
	other := filepath.Join(dir, ".y.partial-00112233")
	file := filepath.Join(dir, ".x.partial-88990011")
	for _, d := range []string{stale + "/sub", live, other} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(stale+"/sub/half", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(stale+"/sub", 0o500); err != nil {
		t.Fatal(err)
	}
	running, err := os.Open(live)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	if err := flock(running); err != nil {
		t.Fatal(err)
	}
	if err := p.Extract(context.Background(), "one", filepath.Join(dir, "x"),
		ExtractOptions{UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{stale: false, live: true, other: true, file: true,
		filepath.Join(dir, "x", "a", "b"): true} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: exists is %v, want %v", path, err == nil, want)
		}
	}
}

func TestExtractOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	a := writeAppliance(t, WriterOptions{Level: 1, FrameSize: minFrame},
		map[string][]byte{"sample": makeTar(t, sampleEntries())})
	p, err := Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir := filepath.Join(t.TempDir(), "x")
	if err := p.Extract(context.Background(), "sample", dir, ExtractOptions{UID: 4711, GID: 4712}); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		uid, gid := owner(t, path)
		if uid != 4711 || gid != 4712 {
			t.Errorf("%s belongs to %d:%d", path, uid, gid)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := sampleTree()
	got := readTree(t, dir)
	if got["locked/in"] != want["locked/in"] {
		t.Errorf("setuid file is %q, want %q", got["locked/in"], want["locked/in"])
	}
}

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
	for name, rename := range map[string]func(dir int, from, to string) error{"new": renameNew, "old": renameOld} {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		for _, d := range []string{from, to} {
			if err := os.Mkdir(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := rename(unix.AT_FDCWD, from, to); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: an empty directory was replaced: error %v", name, err)
		}
		if err := rename(unix.AT_FDCWD, from, filepath.Join(dir, "other")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := rename(unix.AT_FDCWD, from, filepath.Join(dir, "another")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: renamed what is not there: error %v", name, err)
		}
	}
}

// TestExtractIntoAnOpenDirectory: what the path of the directory leads to by then makes no difference.
func TestExtractIntoAnOpenDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can remove what is in a directory that its owner cannot write")
	}
	p, err := Open(manyFrames(t).path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir := t.TempDir()
	real, trap, victim := filepath.Join(dir, "real"), filepath.Join(dir, "trap"), filepath.Join(dir, "victim")
	for _, d := range []string{real, victim} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(victim, trap); err != nil {
		t.Fatal(err)
	}
	parent, err := os.Open(real)
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	stale := filepath.Join(real, ".one.partial-12345678") // a link in the place of what a killed run left
	if err := os.Symlink(victim, stale); err != nil {
		t.Fatal(err)
	}
	if err := unix.Renameat2(unix.AT_FDCWD, real, unix.AT_FDCWD, trap, unix.RENAME_EXCHANGE); err != nil {
		t.Skipf("this kernel does not exchange names: %v", err)
	}
	component := p.manifest.Components[0].Name
	target := []Target{{Component: component, Path: filepath.Join(real, "one"), Parent: parent}}
	if err := p.ExtractAll(t.Context(), target, ExtractOptions{UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(victim); err != nil || len(entries) != 0 {
		t.Errorf("written where the path leads: %v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(trap, "one")); err != nil {
		t.Errorf("not written to the open directory: %v", err)
	}
}
