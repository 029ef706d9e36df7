package payload

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// smallAppliance has everything the format has, in a few kilobytes: two components, a file, a signature.
func smallAppliance(t testing.TB) testAppliance {
	t.Helper()
	_, key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return writeAppliance(t, WriterOptions{Level: 1, Key: &key}, map[string][]byte{
		"one": makeTar(t, []testEntry{{name: "a/b", body: randomText(1, 1000), mode: 0o644}}),
		"two": makeTar(t, []testEntry{{name: "c", body: randomText(2, 1000), mode: 0o755}}),
	})
}

// check opens and verifies the appliance at path.
func check(path string) error {
	p, err := Open(path)
	if err != nil {
		return err
	}
	defer p.Close()
	_, err = p.Verify(context.Background(), VerifyOptions{})
	return err
}

func wantCorrupt(t *testing.T, what string, err error) {
	t.Helper()
	var bad *CorruptError
	if !errors.As(err, &bad) {
		t.Errorf("%s: error %v, want a *CorruptError", what, err)
	}
}

// A file cut at any length is damaged, except where exactly the program is left: that is a program without a payload.
func TestTruncatedAnywhere(t *testing.T) {
	a := smallAppliance(t)
	whole, err := os.ReadFile(a.path)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(whole) - 1; n >= 0; n-- {
		if err := os.Truncate(a.path, int64(n)); err != nil {
			t.Fatal(err)
		}
		err := check(a.path)
		if int64(n) == a.m.Stub.Size {
			if err != ErrNoPayload {
				t.Errorf("cut to the program: error %v, want ErrNoPayload", err)
			}
			continue
		}
		var bad *CorruptError
		if !errors.As(err, &bad) {
			t.Fatalf("cut to %d of %d bytes: error %v, want a *CorruptError", n, len(whole), err)
		}
	}
}

func TestExtraBytes(t *testing.T) {
	a := smallAppliance(t)
	whole, err := os.ReadFile(a.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, extra := range [][]byte{{0}, []byte("\n"), make([]byte, 512), make([]byte, 70_000),
		whole[a.m.Stub.Size:], whole} {
		if err := os.WriteFile(a.path, append(whole[:len(whole):len(whole)], extra...), 0o644); err != nil {
			t.Fatal(err)
		}
		wantCorrupt(t, "extra bytes", check(a.path))
	}
	// Bytes inserted where program and archive meet move everything behind them.
	at := a.m.Stub.Size
	if err := os.WriteFile(a.path, bytes.Join([][]byte{whole[:at], {0}, whole[at:]}, nil), 0o644); err != nil {
		t.Fatal(err)
	}
	wantCorrupt(t, "inserted byte", check(a.path))
}

// Whichever byte of a file is changed, in whichever bit, it is seen.
func TestFlippedAnywhere(t *testing.T) {
	a := smallAppliance(t)
	whole, err := os.ReadFile(a.path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(a.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, b := range whole {
		masks := []byte{1 << (i % 8), 0xff}
		if testing.Short() {
			masks = masks[:1]
		}
		for _, mask := range masks {
			if _, err := f.WriteAt([]byte{b ^ mask}, int64(i)); err != nil {
				t.Fatal(err)
			}
			err := check(a.path)
			var bad *CorruptError
			var schema *SchemaError
			if !errors.As(err, &bad) && !errors.As(err, &schema) {
				t.Fatalf("byte %d of %d changed by %#x: error %v, want a *CorruptError", i, len(whole), mask, err)
			}
		}
		if _, err := f.WriteAt([]byte{b}, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := check(a.path); err != nil {
		t.Fatal(err)
	}
}

var flips = flag.Int("flips", 200, "places for TestFlippedBytes to change")

// manyFrames is an appliance with two components of many frames, a file and a signature.
func manyFrames(t testing.TB) testAppliance {
	t.Helper()
	_, key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	sample := makeTar(t, sampleEntries())
	return writeAppliance(t, WriterOptions{Level: 1, FrameSize: minFrame, Key: &key},
		map[string][]byte{"one": sample, "two": sample})
}

// On a larger appliance with many frames: a change at a random place is seen by Verify at the right place, and nothing
// at all is unpacked, whichever part of the file the change is in.
func TestFlippedBytes(t *testing.T) {
	a := manyFrames(t)
	f, err := os.OpenFile(a.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for n := range *flips {
		at := r.Int64N(info.Size())
		if n%4 == 0 { // the program is a small part of this file, and a large one of others
			at = r.Int64N(a.m.Stub.Size)
		}
		var b [1]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{b[0] ^ byte(1+r.IntN(255))}, at); err != nil {
			t.Fatal(err)
		}
		err := check(a.path)
		var bad *CorruptError
		if !errors.As(err, &bad) {
			t.Fatalf("byte %d changed: error %v, want a *CorruptError", at, err)
		}
		if _, ok := a.m.Component(bad.Component); ok && (at < bad.Offset || at > bad.Offset+MaxFrame) {
			t.Errorf("byte %d changed: reported at %d", at, bad.Offset)
		}
		dir := t.TempDir()
		wantCorrupt(t, fmt.Sprintf("byte %d changed", at), extractWhole(a.path, dir))
		wantEmpty(t, dir)
		if _, err := f.WriteAt(b[:], at); err != nil {
			t.Fatal(err)
		}
	}
	dir := tempDir(t)
	if err := extractWhole(a.path, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if diff := cmp.Diff(sampleTree(), readTree(t, filepath.Join(dir, name))); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// extractWhole unpacks all components of the appliance at path below dir.
func extractWhole(path, dir string) error {
	p, err := Open(path)
	if err != nil {
		return err
	}
	defer p.Close()
	var targets []Target
	for _, c := range p.Manifest().Components {
		targets = append(targets, Target{Component: c.Name, Path: filepath.Join(dir, c.Name)})
	}
	return p.ExtractAll(context.Background(), targets, ExtractOptions{UID: -1, GID: -1, Workers: 2, Whole: true})
}

// Of several damaged places the first is reported, by however many workers.
func TestFirstDamageIsReported(t *testing.T) {
	a := writeAppliance(t, WriterOptions{Level: 1, FrameSize: minFrame},
		map[string][]byte{"sample": makeTar(t, sampleEntries())})
	p, err := Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	f, err := os.OpenFile(a.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	frames := a.m.Components[0].Frames
	base := p.members[0].dataOffset()
	for i := len(frames) - 1; i >= 0; i -= 3 {
		if _, err := f.WriteAt([]byte("damage"), base+frames[i].Offset+5); err != nil {
			t.Fatal(err)
		}
		for _, workers := range []int{1, 4} {
			_, err = p.Verify(context.Background(), VerifyOptions{Workers: workers})
			var bad *CorruptError
			if !errors.As(err, &bad) || bad.Offset != base+frames[i].Offset || bad.Component != "sample" {
				t.Fatalf("damage in frame %d: error %v", i, err)
			}
		}
	}
}

func TestNotAnAppliance(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"empty":     nil,
		"script":    []byte("#!/bin/sh\nexit 0\n"),
		"zeros":     make([]byte, 100_000),
		"short ELF": []byte("\x7fELF"),
		"tail only": append([]byte("#!/bin/sh\n"), smallTail(t)...),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		wantCorrupt(t, name, check(path))
	}
	bare := filepath.Join(dir, "bare")
	if err := os.WriteFile(bare, testStub(5000), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := check(bare); err != ErrNoPayload {
		t.Errorf("bare program: error %v, want ErrNoPayload", err)
	}
	if err := check(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: error %v", err)
	}
	if err := check(dir); err == nil {
		t.Error("a directory was opened")
	}
	if _, err := OpenSelf(); err != ErrNoPayload {
		t.Errorf("the test program: error %v, want ErrNoPayload", err)
	}
}

func smallTail(t *testing.T) []byte {
	a := smallAppliance(t)
	whole, err := os.ReadFile(a.path)
	if err != nil {
		t.Fatal(err)
	}
	return whole[a.m.Stub.Size:]
}
