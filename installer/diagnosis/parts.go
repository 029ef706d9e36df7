package diagnosis

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"sync"
	"syscall"
)

// A bundle that is split is a file for each part, FILE.001 and so on. Each is a complete gzip stream of its own, so
// that it has a checksum, and its header says which part of which bundle it is. The parts joined with cat are the
// tar.gz.

// mostParts is the highest number of three digits.
const mostParts = 999

// LeastPart is the size of the smallest part, in bytes.
const LeastPart = 64 << 10

// PartName names part n, counted from 1, of a file.
func PartName(file string, n int) string { return fmt.Sprintf("%s.%03d", file, n) }

var (
	partSuffix = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(.+)\.([0-9]{3})$`) })
	partHeader = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^fate-installer diagnose: part ([0-9]{3}) of ([0-9]{3}) of ([\w.:-]{1,200})$`)
	})
)

// partComment is what the header of a part says.
func partComment(n, of int, bundle string) string {
	return fmt.Sprintf("fate-installer diagnose: part %03d of %03d of %s", n, of, bundle)
}

// Split returns the bundle in parts of at most so many bytes.
func (b *Bundle) Split(size int64) ([][]byte, error) {
	if size < LeastPart {
		return nil, fmt.Errorf("cannot split the bundle into parts of %d bytes: a part has at least %d", size,
			LeastPart)
	}
	w := &partWriter{size: int(min(size, mostPacked)), bundle: b.Name}
	if err := errors.Join(b.Write(w), w.end()); err != nil {
		return nil, err
	}
	for i, part := range w.parts { // how many there are is known by now; the texts have the same length
		was, is := partComment(i+1, 0, b.Name), partComment(i+1, len(w.parts), b.Name)
		copy(part[bytes.Index(part, []byte(was)):], is)
	}
	return w.parts, nil
}

// partWriter cuts what is written to it.
type partWriter struct {
	size   int
	bundle string
	parts  [][]byte
	buffer *bytes.Buffer
	zipped *gzip.Writer
}

// step is how much is compressed before the size of the part is looked at.
const step = 16 << 10

// Write implements io.Writer.
func (w *partWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		piece := p[:min(step, len(p))]
		// What does not compress takes a little more than itself, and a part ends with a checksum.
		if w.buffer != nil && w.buffer.Len()+len(piece)+1024 > w.size {
			if err := w.end(); err != nil {
				return written, err
			}
		}
		if err := w.begin(); err != nil {
			return written, err
		}
		_, err := w.zipped.Write(piece)
		if err := errors.Join(err, w.zipped.Flush()); err != nil {
			return written, err
		}
		written += len(piece)
		p = p[len(piece):]
	}
	return written, nil
}

func (w *partWriter) begin() error {
	if w.buffer != nil {
		return nil
	}
	if len(w.parts) == mostParts {
		return fmt.Errorf("cannot split the bundle into more than %d parts: make them larger", mostParts)
	}
	w.buffer = &bytes.Buffer{}
	w.zipped = gzip.NewWriter(w.buffer)
	w.zipped.Comment = partComment(len(w.parts)+1, 0, w.bundle)
	return nil
}

func (w *partWriter) end() error {
	if w.buffer == nil {
		return nil
	}
	err := w.zipped.Close()
	w.parts = append(w.parts, w.buffer.Bytes())
	w.buffer, w.zipped = nil, nil
	return err
}

// Read reads a bundle: a file, or all parts of one that was split, of which any may be named, or the file before it was
// split. A file that is missing or cannot be opened is an *fs.PathError, one that is damaged a *NotABundleError.
func Read(file string) (*Bundle, error) {
	f, err := openRegular(file)
	if errors.Is(err, fs.ErrNotExist) {
		if _, e := os.Lstat(PartName(file, 1)); e == nil {
			return readParts(file)
		}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if m := partSuffix().FindStringSubmatch(file); m != nil {
		if _, part := partOf(f); part {
			return readParts(m[1])
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	unzipped, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, damaged(file, err)
	}
	b, err := readTar(unzipped)
	if err != nil {
		return nil, damaged(file, err)
	}
	return b, drained(file, unzipped)
}

// drained reads what is after the end of the tar, so that a checksum that is wrong is found.
func drained(file string, r io.Reader) error {
	if _, err := io.Copy(io.Discard, &boundedReader{r, mostBytes}); err != nil {
		return damaged(file, err)
	}
	return nil
}

func damaged(file string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("it is cut off: %w", err)
	}
	hint := "copy it again; fate-installer diagnose makes such files"
	var format *FormatError
	if errors.As(err, &format) {
		hint = "read it with a newer fate-installer, such as the one that made it"
	}
	return &NotABundleError{file, err, hint}
}

// openRegular opens a file, and refuses pipes and devices, whose other end may never come, and files that are too
// large.
func openRegular(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = &fs.PathError{Op: "read", Path: file, Err: errors.New("it is not a regular file")}
	case info.Size() > mostPacked:
		err = &NotABundleError{file, fmt.Errorf("it has more than %d MiB", mostPacked>>20), ""}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// partID says which part of which bundle a file is.
type partID struct {
	number, of int
	bundle     string
}

// partOf reads the header of a part; false: the file is none.
func partOf(f io.Reader) (partID, bool) {
	z, err := gzip.NewReader(bufio.NewReader(io.LimitReader(f, 64<<10)))
	if err != nil {
		return partID{}, false
	}
	m := partHeader().FindStringSubmatch(z.Comment)
	if m == nil {
		return partID{}, false
	}
	number, _ := strconv.Atoi(m[1]) // three digits
	of, _ := strconv.Atoi(m[2])
	return partID{number, of, m[3]}, true
}

// readParts reads the parts of a file, after each of them was checked: what is wrong is the fault of one.
func readParts(file string) (*Bundle, error) {
	var whole io.Reader
	var packed int64
	left := int64(mostBytes)
	var first partID
	for n := 1; n == 1 || n <= first.of; n++ {
		name := PartName(file, n)
		f, err := openRegular(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &NotABundleError{name, missingPart(first), "copy that part, too"}
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		id, isPart := partOf(f)
		if n == 1 {
			first = id
		}
		switch {
		case !isPart || id.number != n || id.of < 1 || id.number > id.of:
			return nil, damaged(name, fmt.Errorf("it is not part %d of a bundle", n))
		case id.of != first.of || id.bundle != first.bundle:
			return nil, damaged(name, fmt.Errorf("it is a part of another bundle than %s", PartName(file, 1)))
		}
		if info, err := f.Stat(); err != nil || packed+info.Size() > mostPacked {
			return nil, damaged(name, errors.Join(err, fmt.Errorf("the parts have more than %d MiB", mostPacked>>20)))
		} else {
			packed += info.Size()
		}
		size, err := checkPart(f, left)
		if err != nil {
			return nil, damaged(name, err)
		}
		left -= size
		part, err := unzipPart(f)
		if err != nil {
			return nil, damaged(name, err)
		}
		if whole == nil {
			whole = part
		} else {
			whole = io.MultiReader(whole, part)
		}
	}
	b, err := readTar(whole)
	if err != nil {
		return nil, damaged(file, err)
	}
	return b, nil
}

func missingPart(first partID) error {
	if first.of == 0 {
		return errors.New("it is missing")
	}
	return fmt.Errorf("it is missing: the bundle has %d parts", first.of)
}

// checkPart reads a part to its end, where its checksum is, and returns how many bytes it unpacks to.
func checkPart(f io.ReadSeeker, most int64) (int64, error) {
	part, err := unzipPart(f)
	if err != nil {
		return 0, err
	}
	size, err := io.Copy(io.Discard, &boundedReader{part, most})
	if err != nil {
		return 0, err
	}
	return size, nil
}

// unzipPart begins to read a part. What is behind its end is an error.
func unzipPart(f io.ReadSeeker) (io.Reader, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	from := bufio.NewReader(f)
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &singleStream{z, from}, nil
}

// singleStream is one gzip stream that nothing may follow.
type singleStream struct {
	*gzip.Reader
	from *bufio.Reader
}

func (s *singleStream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		if _, more := s.from.Peek(1); !errors.Is(more, io.EOF) {
			return n, errors.New("something follows its end")
		}
	}
	return n, err
}
