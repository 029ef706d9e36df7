package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"fate-installer/payload"
)

// digester counts and hashes what is read through it.
type digester struct {
	r    io.Reader
	hash hash.Hash
	size int64
}

func newDigester(r io.Reader) *digester { return &digester{r: r, hash: sha256.New()} }

func (d *digester) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.hash.Write(p[:n])
	d.size += int64(n)
	return n, err
}

// meter tells onRead the bytes of each read.
type meter struct {
	io.Reader
	onRead func(n int64)
}

func (m meter) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if n > 0 {
		m.onRead(int64(n))
	}
	return n, err
}

// blob is the size and digest of what has been read.
func (d *digester) blob() payload.Blob {
	return payload.Blob{Size: d.size, SHA256: hex.EncodeToString(d.hash.Sum(nil))}
}

// MismatchError says that a source is not what the lock says it is.
type MismatchError struct {
	Source    string // as the lock names it
	Component string
	File      string // the lock file
	Line      int
	Want, Got payload.Blob
}

func (e *MismatchError) Error() string {
	s := fmt.Sprintf("cannot use %s: it is not what %s:%d says it is\nwant sha256 %s, %d bytes\ngot  sha256 %s, %d "+
		"bytes",
		e.Source, e.File, e.Line, e.Want.SHA256, e.Want.Size, e.Got.SHA256, e.Got.Size)
	if e.Got.Size < e.Want.Size {
		s += " (cut short?)"
	}
	return s
}

// Hint says what to do in either case.
func (e *MismatchError) Hint() string {
	return fmt.Sprintf("fetch the file again; or, if the new content is meant: fate-installer bundle lock --update "+
		"%s %s", e.Component, e.File)
}

// check compares what was read with the lock.
func (s *Source) check(got payload.Blob, component, file string) error {
	want := payload.Blob{Size: s.Size, SHA256: s.SHA256}
	if got == want {
		return nil
	}
	return &MismatchError{s.String(), component, file, s.line, want, got}
}
