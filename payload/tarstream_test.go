package payload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"testing"
)

// TestCopyTar compares the stream with the digest of the component, and finds a flipped byte before it is written.
func TestCopyTar(t *testing.T) {
	file := manyFrames(t).path
	p, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, c := range p.Manifest().Components {
		h := sha256.New()
		if err := p.CopyTar(t.Context(), c.Name, h); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != c.Digest {
			t.Errorf("component %s: the stream has the digest %s, want %s", c.Name, got, c.Digest)
		}
	}
	if err := p.CopyTar(t.Context(), "nothing", &bytes.Buffer{}); err == nil {
		t.Error("a component that is not there was read")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.CopyTar(ended, p.Manifest().Components[0].Name, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error after the end of the context is %v", err)
	}

	c := p.Manifest().Components[0]
	at := p.members[0].dataOffset() + c.Frames[len(c.Frames)-1].Offset
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	var corrupt *CorruptError
	if err := p.CopyTar(t.Context(), c.Name, &out); !errors.As(err, &corrupt) || corrupt.Offset != at {
		t.Errorf("the error is %v", err)
	}
	if want := c.TarSize() - c.Frames[len(c.Frames)-1].RawSize; int64(out.Len()) != want {
		t.Errorf("%d bytes were written, want the %d before the damaged frame", out.Len(), want)
	}
}
