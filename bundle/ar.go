package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// arMagic begins every Unix ar archive, and so every .deb.
const arMagic = "!<arch>\n"

// arReader reads a Unix ar archive as deb(5) uses it: 60-byte headers of blank-padded text, members padded to an even
// length, no long names. github.com/blakesmith/ar is not used to read because it takes malformed numbers for 0, checks
// no magic, and panics on a blank mode field; the tests use it to write.
type arReader struct {
	r    io.Reader
	left int64 // unread bytes of the current member
	pad  int64
}

func newArReader(r io.Reader) (*arReader, error) {
	magic := make([]byte, len(arMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != arMagic {
		return nil, errors.New("it does not begin as an ar archive")
	}
	return &arReader{r: r}, nil
}

// next moves to the next member and returns its name and size, or io.EOF after the last.
func (a *arReader) next() (name string, size int64, err error) {
	if _, err := io.CopyN(io.Discard, a.r, a.left+a.pad); err != nil {
		return "", 0, io.ErrUnexpectedEOF
	}
	a.left, a.pad = 0, 0
	var header [60]byte
	switch _, err := io.ReadFull(a.r, header[:]); {
	case err == io.EOF:
		return "", 0, io.EOF
	case err != nil:
		return "", 0, io.ErrUnexpectedEOF
	case !bytes.Equal(header[58:], []byte("`\n")):
		return "", 0, errors.New("a member header has no end mark")
	}
	field := strings.TrimRight(string(header[48:58]), " ")
	size, err = strconv.ParseInt(field, 10, 64)
	if err != nil || size < 0 {
		return "", 0, fmt.Errorf("a member has the size %q", field)
	}
	a.left, a.pad = size, size%2
	return strings.TrimSuffix(strings.TrimRight(string(header[:16]), " "), "/"), size, nil
}

func (a *arReader) Read(p []byte) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	n, err := a.r.Read(p[:min(int64(len(p)), a.left)])
	a.left -= int64(n)
	if err == io.EOF && a.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
