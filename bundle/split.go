package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// maxParts is what the three digits of a part's name can count; payload reads no more.
const maxParts = 999

// partName is the name of part n, from 1, as payload.Open looks for it.
func partName(out string, n int) string { return fmt.Sprintf("%s.part%03d", out, n) }

// split cuts the finished appliance in f into parts of size bytes named after out, and lists their digests in
// out.sha256 for sha256sum -c, so that each medium can be checked as it arrives. It cuts from the end and the
// beginning stays in f, so only one part's worth of extra room is needed. The first part is the program.
func split(ctx context.Context, f *os.File, out string, size, program int64) ([]string, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot split the appliance: %w", err)
	}
	count := int((info.Size() + size - 1) / size)
	switch {
	case size <= program:
		return nil, fmt.Errorf("cannot split into parts of %d bytes: the first part must hold the whole program of %d bytes", size, program)
	case count > maxParts:
		return nil, fmt.Errorf("cannot split %d bytes into parts of %d bytes: that is more than %d parts", info.Size(), size, maxParts)
	}
	s := &splitter{ctx: ctx, whole: f, out: out, size: size, digests: make([]string, count)}
	if err := s.run(count); err != nil {
		s.discard()
		return nil, fmt.Errorf("cannot split the appliance: %w", err)
	}
	return s.publish()
}

type splitter struct {
	ctx     context.Context
	whole   *os.File
	out     string
	size    int64
	digests []string
	temps   []string // finished parts that have no final name yet, last part first
}

// run makes the parts from the last to the first.
func (s *splitter) run(count int) error {
	end, err := s.whole.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	for n := count; n > 1; n-- {
		start := int64(n-1) * s.size
		if err := s.cut(n, start, end-start); err != nil {
			return err
		}
		if err := s.whole.Truncate(start); err != nil {
			return err
		}
		end = start
	}
	s.digests[0], err = hashOf(contextReader{s.ctx, io.NewSectionReader(s.whole, 0, end)})
	if err != nil {
		return err
	}
	return s.whole.Sync()
}

// cut copies one part to a temporary file of its own.
func (s *splitter) cut(n int, start, length int64) error {
	f, err := os.CreateTemp(filepath.Dir(s.out), "."+filepath.Base(s.out)+".part*")
	if err != nil {
		return err
	}
	defer f.Close()
	s.temps = append(s.temps, f.Name())
	section := contextReader{s.ctx, io.NewSectionReader(s.whole, start, length)}
	if s.digests[n-1], err = hashOf(io.TeeReader(section, f)); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	return f.Sync()
}

func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.CopyBuffer(h, r, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// publish gives the parts their names, after removing what an earlier build left there: a surplus part, or a whole
// file, would be taken for this appliance.
func (s *splitter) publish() ([]string, error) {
	fail := func(err error) ([]string, error) {
		s.discard()
		return nil, fmt.Errorf("cannot split the appliance: %w", err)
	}
	stale := []string{s.out, s.out + ".sha256"}
	for n := 1; n <= maxParts; n++ {
		stale = append(stale, partName(s.out, n))
	}
	for _, name := range stale {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			return fail(err)
		}
	}
	parts := make([]string, len(s.digests))
	sums := ""
	for i := range parts {
		parts[i] = partName(s.out, i+1)
		sums += s.digests[i] + "  " + filepath.Base(parts[i]) + "\n"
	}
	for i := len(parts) - 1; i > 0; i-- {
		if err := os.Rename(s.temps[0], parts[i]); err != nil {
			return fail(err)
		}
		s.temps = s.temps[1:]
	}
	if err := renameio.WriteFile(s.out+".sha256", []byte(sums), 0o644); err != nil {
		return fail(err)
	}
	// The first part last: without it there is nothing that could be run or opened.
	return parts, publish(s.whole, parts[0])
}

func (s *splitter) discard() {
	for _, name := range s.temps {
		os.Remove(name)
	}
}
