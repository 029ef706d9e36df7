package payload

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"sync"
)

// maxParts is the highest number of three digits.
const maxParts = 999

var partSuffix = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(.+)\.part[0-9]{3}$`)
})

// partName names part n, counted from 1, of the file path.
func partName(path string, n int) string { return fmt.Sprintf("%s.part%03d", path, n) }

// source is an appliance on disk: one file, or several that are read as one.
type source struct {
	path  string // what the user named
	parts []part
	size  int64
}

type part struct {
	file interface {
		io.ReaderAt
		io.Closer
	}
	name  string
	start int64 // of its first byte in the whole
	size  int64
}

// openSource opens path, or all parts of a split file if path names it or one of its parts.
func openSource(path string) (*source, error) {
	if m := partSuffix().FindStringSubmatch(path); m != nil {
		return openParts(path, m[1])
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, e := os.Stat(partName(path, 1)); e == nil {
			return openParts(path, path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the appliance: %w", err)
	}
	s := &source{path: path}
	return s, s.add(f, path)
}

func openParts(path, whole string) (*source, error) {
	s := &source{path: path}
	for n := 1; n <= maxParts; n++ {
		name := partName(whole, n)
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) && n > 1 {
			break
		}
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("cannot open part %d of the appliance: %w", n, err)
		}
		if err := s.add(f, name); err != nil {
			return nil, err
		}
	}
	return s, s.checkParts()
}

// add appends a file to the source, which owns it from now on. On an error the source is closed.
func (s *source) add(f *os.File, name string) error {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: name, Err: errors.New("it is not a regular file")}
	}
	if err != nil {
		f.Close()
		s.Close()
		return fmt.Errorf("cannot open the appliance: %w", err)
	}
	s.parts = append(s.parts, part{file: f, name: name, start: s.size, size: info.Size()})
	s.size += info.Size()
	return nil
}

// checkParts finds a part that was cut: all but the last have the size of the first.
func (s *source) checkParts() error {
	for i, p := range s.parts {
		if want := s.parts[0].size; p.size > want || p.size < want && i < len(s.parts)-1 || p.size == 0 {
			s.Close()
			return &CorruptError{Path: s.path, Part: p.name, Component: "part", Offset: p.start,
				Reason: fmt.Sprintf("it has %d bytes, the first part has %d", p.size, want),
				hint:   "copy this part again"}
		}
	}
	return nil
}

// Close closes all parts.
func (s *source) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.file.Close())
	}
	return errors.Join(errs...)
}

// index finds the part that holds offset off, which must be less than the size.
func (s *source) index(off int64) int {
	return sort.Search(len(s.parts), func(i int) bool { return s.parts[i].start > off }) - 1
}

// partsOf names the part, or the parts, that hold size bytes from offset off; nothing if the file is not split.
func (s *source) partsOf(off, size int64) string {
	if len(s.parts) < 2 || off < 0 || off >= s.size {
		return ""
	}
	first, last := s.index(off), s.index(min(off+max(size, 1), s.size)-1)
	if first == last {
		return s.parts[first].name
	}
	return s.parts[first].name + " or " + filepath.Base(s.parts[last].name)
}

// ReadAt reads across the borders of parts. It implements io.ReaderAt.
func (s *source) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("cannot read at a negative offset")
	}
	var done int
	for done < len(b) && off < s.size {
		p := s.parts[s.index(off)]
		n := int(min(int64(len(b)-done), p.start+p.size-off))
		k, err := p.file.ReadAt(b[done:done+n], off-p.start)
		done += k
		off += int64(k)
		if err == io.EOF && k < n {
			return done, fmt.Errorf("%s became shorter while it was read", p.name)
		}
		if err != nil && err != io.EOF {
			return done, err
		}
	}
	if done < len(b) {
		return done, io.EOF
	}
	return done, nil
}
