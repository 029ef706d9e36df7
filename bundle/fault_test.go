package bundle

import (
	"context"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"fate-installer/payload"
)

// faultLock makes a filled lock whose build passes through every stage.
func faultLock(t *testing.T) (dir string, o BuildOptions) {
	t.Helper()
	dir = t.TempDir()
	writeFile(t, filepath.Join(dir, "a.tar"), makeTar(t, f("a", strings.Repeat("a", 100_000)), l("l", "a")))
	writeFile(t, filepath.Join(dir, "b.zip"), makeZip(t, zipMember{"b", strings.Repeat("b", 100_000), 0o644}))
	file := lockFile(t, dir, "  - {name: a, version: 1, sources: [{path: a.tar}]}\n  - {name: b, version: 1, "+
		"sources: [{path: b.zip}]}\n")
	if _, err := Fill(context.Background(), FillOptions{File: file}); err != nil {
		t.Fatal(err)
	}
	lock, err := ReadLock(file)
	if err != nil {
		t.Fatal(err)
	}
	stub := makeStub(t, filepath.Join(dir, "stub"), elf.EM_X86_64)
	return dir, BuildOptions{Lock: lock, Out: filepath.Join(dir, "out"), Stub: stub, Level: 1}
}

// onlyInputs fails the test if a build has left anything.
func onlyInputs(t *testing.T, dir string) {
	t.Helper()
	items, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		switch item.Name() {
		case "a.tar", "b.zip", "demo.lock.yaml", "stub":
		default:
			t.Errorf("left behind: %s", item.Name())
		}
	}
}

// A build that is stopped at any point of its progress ends soon, says so, and leaves nothing.
func TestBuildCancelled(t *testing.T) {
	dir, o := faultLock(t)
	steps := 0
	o.Split = 100_000
	o.Report = func(Stage, string, int64, int64) { steps++ }
	if _, err := Build(context.Background(), o); err == nil || !strings.Contains(err.Error(), "cannot split") &&
		steps == 0 {
		t.Logf("split: %v", err) // the appliance may be smaller than a part; the steps are what counts
	}
	for _, name := range []string{"out", "out.part001", "out.part002", "out.sha256"} {
		os.Remove(filepath.Join(dir, name))
	}
	if steps < 5 {
		t.Fatalf("%d progress reports, want some of every stage", steps)
	}
	for stop := 1; stop <= steps; stop++ {
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		o.Report = func(Stage, string, int64, int64) {
			if n++; n == stop {
				cancel()
			}
		}
		_, err := Build(ctx, o)
		cancel()
		if err == nil { // the last report may come after all work is done
			os.Remove(o.Out)
			for i := range 3 {
				os.Remove(o.Out + ".part00" + string(rune('1'+i)))
			}
			os.Remove(o.Out + ".sha256")
			continue
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped at report %d of %d: error %v, want Canceled", stop, steps, err)
		}
		onlyInputs(t, dir)
	}
}

// What a killed build left is not in the way of the next, and two builds of one file do not mix.
func TestBuildClaimsOutput(t *testing.T) {
	dir, o := faultLock(t)
	left := writeFile(t, filepath.Join(dir, ".out.partial"), []byte("half an appliance"))
	held, err := os.OpenFile(left, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(context.Background(), o); err == nil ||
		!strings.Contains(err.Error(), "another build of it is under way") {
		t.Errorf("error %v, want that another build is under way", err)
	}
	held.Close()
	if _, err := Build(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	p, err := payload.Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if err := os.Remove(o.Out); err != nil {
		t.Fatal(err)
	}
	onlyInputs(t, dir)
}

// A failed build leaves the appliance of the one before as it was.
func TestBuildKeepsTheOldAppliance(t *testing.T) {
	dir, o := faultLock(t)
	writeFile(t, o.Out, []byte("the old one"))
	writeFile(t, filepath.Join(dir, "b.zip"), []byte("changed"))
	var mismatch *MismatchError
	if _, err := Build(context.Background(), o); !errors.As(err, &mismatch) {
		t.Fatalf("error %v, want a MismatchError", err)
	}
	checkFile(t, o.Out, []byte("the old one"))
}

func TestBuildRefusesOutput(t *testing.T) {
	dir, o := faultLock(t)
	o.Out = filepath.Join(dir, "no", "out")
	if _, err := Build(context.Background(), o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want not exist", err)
	}
	o.Out = dir
	if _, err := Build(context.Background(), o); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("error %v, want that it is not a file", err)
	}
	onlyInputs(t, dir)
}

func TestBuildRefusesStub(t *testing.T) {
	dir, o := faultLock(t)
	o.Stub = makeStub(t, filepath.Join(dir, "stub"), elf.EM_AARCH64)
	var stub *StubError
	if _, err := Build(context.Background(), o); !errors.As(err, &stub) {
		t.Errorf("error %v, want a StubError", err)
	}
	onlyInputs(t, dir)
}

// An appliance may be the stub of the next: its program is taken, and its payload is not.
func TestBuildFromAppliance(t *testing.T) {
	_, o := faultLock(t)
	if _, err := Build(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	o.Stub, o.Out = o.Out, o.Out+"2"
	if _, err := Build(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	checkFile(t, o.Out, first)
}
