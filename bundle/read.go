package bundle

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"fate-installer/payload"
)

// reading is one source being merged into the tree of its component.
type reading struct {
	*builder
	*packed
	c  *Component
	s  *Source
	in *input

	origin  *origin
	content content
}

// read merges one source into the tree, and returns what its bytes were. When they are not what the lock says, that
// is the error, whatever else went wrong while reading them.
func (b *builder) read(ctx context.Context, p *packed, c *Component, s *Source) (payload.Blob, error) {
	in, err := b.open(ctx, s)
	if err != nil {
		return payload.Blob{}, err
	}
	defer in.close()
	d := newDigester(meter{contextReader{ctx, in}, func(n int64) { b.progress.read(p.index, n) }})
	r := reading{builder: b, packed: p, c: c, s: s, in: in}
	readErr := r.run(bufio.NewReaderSize(d, 1<<20))
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

// run reads the source from r.
func (r *reading) run(in *bufio.Reader) error {
	r.content = content{FormatDir, io.NopCloser(in)}
	if !r.in.isDir {
		var err error
		if r.content, err = identify(r.s.baseName(), r.s.Format, in); err != nil {
			return r.unreadable(err)
		}
	}
	defer r.content.archived.Close()
	r.origin = r.tree.merge(r.s, r.content.format == FormatDeb)
	var err error
	if r.s.Format == FormatWheels {
		err = r.wheels()
	} else {
		err = r.entries(in)
	}
	if err != nil {
		return err
	}
	if unused := r.origin.unused(); unused != "" {
		return &ArchiveError{Archive: r.origin.name, Reason: unused,
			hint: fmt.Sprintf("correct the source on line %d of %s", r.s.line, r.lock.File)}
	}
	return nil
}

func (r *reading) add(e entry, body io.Reader) error { return r.tree.add(r.origin, e, body) }

// entries adds what the source has, by its format. in has the bytes of a plain file.
func (r *reading) entries(in *bufio.Reader) error {
	switch r.content.format {
	case FormatTar, FormatDir:
		return readTar(r.origin.name, r.content.archived, r.add)
	case FormatDeb:
		return readDeb(r.origin.name, r.content.archived, r.checkDeb, r.add)
	case FormatZip:
		return r.randomAccess(func(at io.ReaderAt, size int64) error { return readZip(r.origin.name, at, size, r.add) })
	}
	return r.add(plainEntry(r.s, r.in.size, in), in)
}

// wheels installs the wheel, or the wheels of the tar or directory.
func (r *reading) wheels() error {
	set := newWheelSet(r.tree, r.origin, newWheelTarget(r.s.Python, r.c.platform(r.lock.Release)))
	if r.content.format != FormatTar && r.content.format != FormatDir {
		return r.randomAccess(func(at io.ReaderAt, size int64) error {
			return set.install(r.origin.name,
				r.s.baseName(), at, size)
		})
	}
	copied, err := newSpool(r.spoolDir)
	if err != nil {
		return err
	}
	defer copied.close()
	return readTar(r.origin.name, r.content.archived, func(e entry, body io.Reader) error {
		if e.kind == kindDir || !r.origin.selects(e.path) {
			return nil
		}
		if e.kind != kindFile || !strings.HasSuffix(e.path, ".whl") {
			return &ArchiveError{Archive: r.origin.name, Entry: e.path, Reason: "is not a wheel", hint: excludeHint}
		}
		at, size, err := copied.keep(body, e.size)
		if err != nil {
			return fmt.Errorf("cannot read %s: entry %q: %w", r.origin.name, e.path, err)
		}
		return set.install(r.origin.name, path.Base(e.path), at, size)
	})
}

// randomAccess gives use the whole source to read here and there, after all of it has been hashed.
func (r *reading) randomAccess(use func(at io.ReaderAt, size int64) error) error {
	if r.in.random != nil {
		if _, err := io.Copy(io.Discard, r.content.archived); err != nil {
			return fmt.Errorf("cannot read %s: %w", r.origin.name, err)
		}
		return use(r.in.random, r.in.size)
	}
	copied, err := newSpool(r.spoolDir)
	if err != nil {
		return err
	}
	defer copied.close()
	at, size, err := copied.keep(r.content.archived, r.in.size)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", r.origin.name, err)
	}
	return use(at, size)
}

func (r *reading) unreadable(err error) error {
	var h interface{ Hint() string }
	wrong := &ArchiveError{Archive: r.s.String(), Err: err, Reason: "cannot read its format"}
	if errors.As(err, &h) {
		wrong.hint = h.Hint()
	}
	return wrong
}

// checkDeb refuses a package built for another machine; nothing in its files would tell before they run.
func (r *reading) checkDeb(i debInfo) error {
	r.packages[r.s.SHA256] = i
	want := r.c.platform(r.lock.Release)
	if got := i.platform(); got != want && got != PlatformAny {
		return fmt.Errorf("package %s is for architecture %s, component %s is for %s", i.Package,
			i.Architecture, r.c.Name, want)
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
