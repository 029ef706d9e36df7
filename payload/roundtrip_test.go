package payload

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testStub is the smallest ELF program the format accepts: a header, one program header and some code.
func testStub(size int) []byte {
	b := make([]byte, size)
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(b[16:], 2)
	le.PutUint16(b[18:], 62) // x86-64
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	le.PutUint64(b[64+32:], uint64(size))
	for i := 120; i < size; i++ {
		b[i] = byte(i * 7)
	}
	return b
}

// testEntry is one entry of a tar stream for tests.
type testEntry struct {
	name   string
	body   string
	target string
	flag   byte
	mode   int64
}

func makeTar(t testing.TB, entries []testEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.flag == 0 {
			e.flag = tar.TypeReg
		}
		if e.mode == 0 {
			e.mode = 0o755
		}
		h := &tar.Header{Name: e.name, Typeflag: e.flag, Mode: e.mode, Size: int64(len(e.body)), Linkname: e.target,
			ModTime: time.Unix(1_600_000_000, 0), Uid: 1000, Uname: "someone"}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, e.body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// randomText is text that compresses, but not to nothing.
func randomText(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefghijklmnop"[r.IntN(16)]
	}
	return string(b)
}

func sampleEntries() []testEntry {
	return []testEntry{
		{name: "./", flag: tar.TypeDir, mode: 0o700},
		{name: "bin/", flag: tar.TypeDir, mode: 0o755},
		{name: "bin/run", body: "#!/bin/sh\n", mode: 0o755},
		{name: "bin/link", flag: tar.TypeSymlink, target: "../lib/deep/er/file"},
		{name: "bin/hard", flag: tar.TypeLink, target: "bin/run"},
		{name: "a-hard", flag: tar.TypeLink, target: "bin/hard"},
		{name: "empty", mode: 0o600},
		{name: "lib/deep/er/file", body: "without entries for its directories", mode: 0o444},
		{name: "big", body: randomText(1, 3<<20+17), mode: 0o640},
		{name: "locked/", flag: tar.TypeDir, mode: 0o500},
		{name: "locked/in", body: "x", mode: 0o4755},
		{name: strings.Repeat("long/", 50) + "name-ä", body: "long", mode: 0o644},
	}
}

type testAppliance struct {
	path string
	m    *Manifest
}

func writeAppliance(t testing.TB, o WriterOptions, components map[string][]byte) testAppliance {
	t.Helper()
	o.Release = Release{FATE: "1.11.4", Platform: "linux/amd64", Env: map[string]string{"b": "2", "a": "<1>"}}
	f, err := os.Create(filepath.Join(tempDir(t), "appliance"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(f, bytes.NewReader(testStub(5000)), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sortedKeys(components) {
		if err := w.AddComponent(context.Background(), Component{Name: name, Version: "1.0"},
			bytes.NewReader(components[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.AddFile("sbom.json", []byte(`{"sbom":true}`)); err != nil {
		t.Fatal(err)
	}
	m, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return testAppliance{path: f.Name(), m: m}
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	for i := range keys {
		for j := i; j > 0 && keys[j] < keys[j-1]; j-- {
			keys[j], keys[j-1] = keys[j-1], keys[j]
		}
	}
	return keys
}

// readTree describes a directory: mode, time and content of each file, in one line each.
func readTree(t testing.TB, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, p)
		s := fmt.Sprint(info.Mode(), " ")
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			if len(b) > 100 {
				b = fmt.Appendf(nil, "%d %x", len(b), sum(b))
			}
			s += string(b)
		case info.Mode()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(p)
			s += target
		}
		if name != "." {
			s += fmt.Sprint(" ", info.ModTime().Unix())
		}
		tree[name] = s
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// tempDir is t.TempDir for trees with directories that cannot be written to.
func tempDir(t testing.TB) string {
	dir := t.TempDir()
	t.Cleanup(func() {
		parent, err := os.Open(filepath.Dir(dir))
		if err == nil {
			err = errors.Join(removeIn(parent, filepath.Base(dir)), parent.Close())
		}
		if err != nil {
			t.Error(err)
		}
	})
	return dir
}

func sum(b []byte) string {
	h := crc32.ChecksumIEEE(b)
	return fmt.Sprint(h)
}

func sampleTree() map[string]string {
	big := randomText(1, 3<<20+17)
	at := " 1600000000"
	tree := map[string]string{
		".":                "drwxr-xr-x ",
		"bin":              "drwxr-xr-x " + at,
		"bin/run":          "-rwxr-xr-x #!/bin/sh\n" + at,
		"bin/hard":         "-rwxr-xr-x #!/bin/sh\n" + at,
		"bin/link":         "Lrwxrwxrwx ../lib/deep/er/file" + at,
		"a-hard":           "-rwxr-xr-x #!/bin/sh\n" + at,
		"empty":            "-rw------- " + at,
		"lib":              "drwxr-xr-x " + at,
		"lib/deep":         "drwxr-xr-x " + at,
		"lib/deep/er":      "drwxr-xr-x " + at,
		"lib/deep/er/file": "-r--r--r-- without entries for its directories" + at,
		"big":              fmt.Sprintf("-rw-r----- %d %x", len(big), sum([]byte(big))) + at,
		"locked":           "dr-x------ " + at,
		"locked/in":        "urwxr-xr-x x" + at,
	}
	dir := ""
	for range 50 {
		dir = filepath.Join(dir, "long")
		tree[dir] = "drwxr-xr-x " + at
	}
	tree[dir+"/name-ä"] = "-rw-r--r-- long" + at
	return tree
}

func TestRoundTrip(t *testing.T) {
	for _, codec := range []string{CodecZstd, CodecXZ} {
		t.Run(codec, func(t *testing.T) {
			pub, key, err := GenerateKey()
			if err != nil {
				t.Fatal(err)
			}
			a := writeAppliance(t, WriterOptions{Codec: codec, Key: &key, FrameSize: minFrame},
				map[string][]byte{"sample": makeTar(t, sampleEntries()), "empty": makeTar(t, nil)})
			p, err := Open(a.path)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if diff := cmp.Diff(a.m, p.Manifest()); diff != "" {
				t.Fatal(diff)
			}
			report, err := p.Verify(context.Background(), VerifyOptions{PublicKey: &pub})
			if err != nil {
				t.Fatal(err)
			}
			info, _ := os.Stat(a.path)
			if report.Size != info.Size() || report.SignedBy != KeyID(pub) {
				t.Errorf("report %+v", report)
			}
			for _, workers := range []int{1, 3} {
				target := filepath.Join(tempDir(t), "out")
				if err := p.Extract(context.Background(), "sample", target,
					ExtractOptions{UID: -1, GID: -1, Workers: workers}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(sampleTree(), readTree(t, target)); diff != "" {
					t.Error(diff)
				}
				if err := p.Extract(context.Background(), "empty", target+"2",
					ExtractOptions{UID: -1, GID: -1}); err != nil {
					t.Fatal(err)
				}
			}
			var stub bytes.Buffer
			if err := p.CopyStub(&stub); err != nil || !bytes.Equal(stub.Bytes(), testStub(5000)) {
				t.Error("the stub differs", err)
			}
			z, err := zip.OpenReader(a.path)
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			var names []string
			for _, f := range z.File {
				names = append(names, f.Name)
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					t.Error(f.Name, err)
				}
			}
			ext := map[string]string{CodecZstd: "zst", CodecXZ: "xz"}[codec]
			if diff := cmp.Diff([]string{"empty.tar." + ext, "sample.tar." + ext, "sbom.json",
				"manifest.json", "manifest.sig"}, names); diff != "" {
				t.Error(diff)
			}
		})
	}
}
