package bundle

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"fate-installer/payload"
)

// opener finds the bytes of sources.
type opener struct {
	dir    string // relative paths start here
	fetch  Fetcher
	nested nested
}

// input is an opened source.
type input struct {
	io.Reader             // the file, once; or the canonical tar of a directory
	random    io.ReaderAt // the same for random access, or nil
	size      int64       // of the file; 0 for a directory
	isDir     bool
	close     func()
}

// open finds the source's bytes, fetching them if they are remote and not in the cache.
func (o *opener) open(ctx context.Context, s *Source) (*input, error) {
	file, err := o.locate(ctx, s)
	if err != nil {
		return nil, err
	}
	if s.Member != "" {
		r, size, err := o.nested.open(file, s.Member)
		if err != nil {
			return nil, err
		}
		return &input{Reader: r, size: size, close: func() {}}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read source %s: %w", s, err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot read source %s: %w", s, err)
	}
	switch {
	case info.IsDir() && (s.Format == FormatAuto || s.Format == FormatDir):
		f.Close()
		return openDir(ctx, file, s), nil
	case info.Mode().IsRegular() && s.Format != FormatDir:
		return &input{Reader: f, random: f, size: info.Size(), close: func() { f.Close() }}, nil
	}
	f.Close()
	return nil, fmt.Errorf("cannot read source %s as %s: it is a %s", s, s.Format, describe(info))
}

func describe(info os.FileInfo) string {
	switch {
	case info.IsDir():
		return "directory"
	case info.Mode().IsRegular():
		return "file"
	}
	return typeName(info.Mode())
}

// locate returns the local path of the source's file or directory.
func (o *opener) locate(ctx context.Context, s *Source) (string, error) {
	if s.Path != "" {
		if filepath.IsAbs(s.Path) {
			return s.Path, nil
		}
		return filepath.Join(o.dir, filepath.FromSlash(s.Path)), nil
	}
	if o.fetch == nil {
		return "", fmt.Errorf("cannot fetch %s: no cache is set up", s)
	}
	return o.fetch.Fetch(ctx, s.URL, payload.Blob{SHA256: s.SHA256, Size: s.Size})
}

// openDir makes a directory readable as its canonical tar.
func openDir(ctx context.Context, dir string, s *Source) *input {
	r, w := io.Pipe()
	go func() {
		buffered := bufio.NewWriterSize(w, 1<<20)
		err := writeDirTar(ctx, buffered, dir, newFilters(s))
		if err == nil {
			err = buffered.Flush()
		}
		w.CloseWithError(err)
	}()
	return &input{Reader: r, isDir: true, close: func() { r.Close() }}
}

// read merges one source into the tree, and returns what its bytes were. When they are not what the lock says, that
// is the error, whatever else went wrong while reading them.
func (b *builder) read(ctx context.Context, t *tree, c *Component, s *Source) (payload.Blob, error) {
	in, err := b.open(ctx, s)
	if err != nil {
		return payload.Blob{}, err
	}
	defer in.close()
	d := newDigester(meter{contextReader{ctx, in}, b.progress.onRead})
	readErr := b.readInput(t, c, s, in, d)
	if ctx.Err() != nil {
		return payload.Blob{}, ctx.Err()
	}
	if _, err := io.Copy(io.Discard, d); err != nil { // the padding after an archive, or what a failed reader left
		if readErr == nil {
			readErr = fmt.Errorf("cannot read source %s: %w", s, err)
		}
		return payload.Blob{}, readErr
	}
	got := d.blob()
	if err := s.check(got, c.Name, b.lock.File); err != nil {
		if len(s.URL) > 0 { // it has rotted in the cache
			err = errors.Join(err, b.fetch.Forget(payload.Blob{SHA256: s.SHA256, Size: s.Size}))
		}
		return got, err
	}
	return got, readErr
}

// readInput reads the source's entries by its format.
func (b *builder) readInput(t *tree, c *Component, s *Source, in *input, d *digester) error {
	buffered := bufio.NewReaderSize(d, 1<<20)
	found := content{FormatDir, io.NopCloser(buffered)}
	if !in.isDir {
		var err error
		if found, err = identify(s.baseName(), s.Format, buffered); err != nil {
			return b.unreadable(s, err)
		}
	}
	defer found.archived.Close()
	o := t.merge(s, found.format == FormatDeb)
	add := func(e entry, body io.Reader) error { return t.add(o, e, body) }
	var err error
	switch found.format {
	case FormatTar, FormatDir:
		err = readTar(o.name, found.archived, add)
	case FormatDeb:
		err = readDeb(o.name, found.archived, func(i debInfo) error {
			b.packages[s.SHA256] = i
			return b.checkDeb(c, i)
		}, add)
	case FormatZip:
		err = b.readZip(o.name, found.archived, in, add)
	case FormatFile:
		err = add(plainEntry(s, in.size, buffered), buffered)
	}
	if err != nil {
		return err
	}
	if unused := o.unused(); unused != "" {
		return &ArchiveError{Archive: o.name, Reason: unused, hint: fmt.Sprintf("correct the source on line %d of %s", s.line, b.lock.File)}
	}
	return nil
}

func (b *builder) unreadable(s *Source, err error) error {
	var h interface{ Hint() string }
	wrong := &ArchiveError{Archive: s.String(), Err: err, Reason: "cannot read its format"}
	if errors.As(err, &h) {
		wrong.hint = h.Hint()
	}
	return wrong
}

// readZip hashes the whole ZIP before it looks inside, because its directory is at the end.
func (b *builder) readZip(name string, r io.Reader, in *input, v visit) error {
	if in.random != nil {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return fmt.Errorf("cannot read %s: %w", name, err)
		}
		return readZip(name, in.random, in.size, v)
	}
	copied, err := newSpool(b.spoolDir)
	if err != nil {
		return err
	}
	defer copied.close()
	blob, err := copied.add(r, in.size)
	if err == nil {
		err = copied.flush()
	}
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	return readZip(name, copied.open(blob), in.size, v)
}

// checkDeb refuses a package built for another machine; nothing in its files would tell before they run.
func (b *builder) checkDeb(c *Component, i debInfo) error {
	want := c.platform(b.lock.Release)
	if got := i.platform(); got != want && got != PlatformAny {
		return fmt.Errorf("package %s is for architecture %s, component %s is for %s", i.Package, i.Architecture, c.Name, want)
	}
	return nil
}

// plainEntry describes a plain file. Its mode comes from its content and not from the disk, where a copy or a
// checkout changes it and the lock would not notice.
func plainEntry(s *Source, size int64, r *bufio.Reader) entry {
	e := entry{path: s.baseName(), kind: kindFile, mode: 0o644, size: size}
	head, _ := r.Peek(4) // a shorter file is neither
	if bytes.HasPrefix(head, []byte("#!")) || bytes.Equal(head, []byte("\x7fELF")) {
		e.mode = 0o755
	}
	return e
}

// contextReader ends reading when the build is cancelled.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
