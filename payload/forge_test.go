package payload

import (
	"bytes"
	"context"
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
)

// rewrite copies the appliance at path with another manifest, which does not have to be true or even valid, and with
// end records that fit it: what someone could make who knows the format but not the key.
func rewrite(t testing.TB, path string, change func(m *Manifest)) string {
	t.Helper()
	p, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var m Manifest
	if err := json.Unmarshal(p.text, &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	text, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	var files [][]byte
	for _, f := range p.manifest.Files {
		b, err := p.ReadFile(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return forgeTail(t, whole[:p.members[len(p.manifest.Components)].offset], &m, files[:len(m.Files)], text)
}

// forgeTail writes an appliance from everything before its manifest, and a manifest.
func forgeTail(t testing.TB, head []byte, m *Manifest, files [][]byte, text []byte) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "forged"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(head); err != nil {
		t.Fatal(err)
	}
	if err := writeTail(f, m, files, text, nil); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// forgedFrame is a frame whose content is given byte by byte.
type forgedFrame struct {
	raw       []byte
	continues *Continuation
}

// forgeComponent writes an appliance with one component "x" of the given frames and counts, past all checks of a
// Writer.
func forgeComponent(t testing.TB, counts Component, frames ...forgedFrame) string {
	t.Helper()
	c := counts
	c.Name, c.Version, c.Codec, c.Member, c.Digest = "x", "1", CodecZstd, "x.tar.zst", hexSHA256(nil)
	e, err := newEncoder(CodecZstd, 1)
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	for _, f := range frames {
		stored, err := e.encode(context.Background(), nil, f.raw)
		if err != nil {
			t.Fatal(err)
		}
		c.Frames = append(c.Frames, Frame{Offset: int64(len(data)), Size: int64(len(stored)),
			RawSize: int64(len(f.raw)), SHA256: hexSHA256(stored), Continues: f.continues})
		data = append(data, stored...)
	}
	c.CRC32 = crc32.ChecksumIEEE(data)
	stub := testStub(5000)
	m := &Manifest{Schema: Schema, Release: Release{FATE: "1", Platform: "linux/amd64"},
		Stub: Blob{Size: 5000, SHA256: hexSHA256(stub)}, Components: []Component{c}}
	text, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	header := member{name: c.Member, crc32: c.CRC32, size: int64(len(data))}.localHeader()
	return forgeTail(t, bytes.Join([][]byte{stub, header, data}, nil), m, nil, text)
}

// extractTo unpacks a component of the appliance to DIR/out of a new directory and returns DIR.
func extractTo(t testing.TB, path, component string, o ExtractOptions) (dir string, err error) {
	t.Helper()
	p, err := Open(path)
	if err != nil {
		return "", err
	}
	defer p.Close()
	dir = tempDir(t)
	o.UID, o.GID, o.NoSync = -1, -1, true
	return dir, p.Extract(context.Background(), component, filepath.Join(dir, "out"), o)
}

// wantEmpty fails the test unless dir has nothing in it.
func wantEmpty(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left behind", e.Name())
	}
}
