package bundle

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// spool keeps the bytes of a component's files while its sources are read, since they are written sorted and the
// sources are not. It is one file next to the output, where the room for a multiple of it is needed anyway; the file
// has no name, so that even a killed build leaves nothing behind.
type spool struct {
	file *os.File
	w    *bufio.Writer
	size int64
}

// blob is a run of bytes in the spool. Entries that share one are hard links to each other.
type blob struct {
	offset, size int64
}

// newSpool makes an empty spool in dir.
func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, ".fate-installer-spool-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot make a temporary file: %w", err)
	}
	return &spool{file: f, w: bufio.NewWriterSize(f, 1<<20)}, nil
}

func (s *spool) close() error { return s.file.Close() }

// sourceError is an error of what is read into a spool, and not of the spool.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

// add copies exactly size bytes of r. The error is a sourceError when they are not to be had.
func (s *spool) add(r io.Reader, size int64) (*blob, error) {
	b := &blob{s.size, size}
	noted := &notingReader{r: r}
	n, err := io.Copy(s.w, io.LimitReader(noted, size))
	s.size += n
	switch {
	case noted.err != nil:
		return nil, sourceError{noted.err}
	case err != nil:
		return nil, fmt.Errorf("cannot write temporary data: %w", err)
	case n < size:
		return nil, sourceError{io.ErrUnexpectedEOF}
	}
	return b, nil
}

// notingReader remembers why reading ended early.
type notingReader struct {
	r   io.Reader
	err error
}

func (n *notingReader) Read(p []byte) (int, error) {
	count, err := n.r.Read(p)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return count, err
}

// flush makes everything added readable.
func (s *spool) flush() error {
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("cannot write temporary data: %w", err)
	}
	return nil
}

func (s *spool) open(b *blob) *io.SectionReader {
	return io.NewSectionReader(s.file, b.offset, b.size)
}

// keep adds r and returns the same bytes for random access, forgetting what was kept before.
func (s *spool) keep(r io.Reader, size int64) (io.ReaderAt, int64, error) {
	if err := s.file.Truncate(0); err != nil {
		return nil, 0, err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, 0, err
	}
	s.w.Reset(s.file)
	s.size = 0
	b, err := s.add(r, size)
	if err == nil {
		err = s.flush()
	}
	if err != nil {
		return nil, 0, err
	}
	return s.open(b), size, nil
}

// same compares two blobs byte by byte.
func (s *spool) same(a, b *blob) (bool, error) {
	if a.size != b.size {
		return false, nil
	}
	if err := s.flush(); err != nil {
		return false, err
	}
	x, y := bufio.NewReader(s.open(a)), bufio.NewReader(s.open(b))
	for {
		p, errP := x.ReadByte()
		q, errQ := y.ReadByte()
		switch {
		case errP == io.EOF && errQ == io.EOF:
			return true, nil
		case errP != nil:
			return false, errP
		case errQ != nil:
			return false, errQ
		case p != q:
			return false, nil
		}
	}
}
