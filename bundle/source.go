package bundle

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"fate-installer/payload"
)

// opener finds the bytes of sources.
type opener struct {
	lock   string // the lock file; relative paths start at its directory
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
	case info.IsDir() && (s.Format == FormatAuto || s.Format == FormatDir || s.Format == FormatWheels):
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
		file := filepath.FromSlash(s.Path)
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(o.lock), file)
		}
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return "", &MissingError{Source: s.Path, File: file, Lock: o.lock, Line: s.line}
		}
		return file, nil
	}
	if o.fetch == nil {
		return "", fmt.Errorf("cannot fetch %s: no cache is set up", s)
	}
	return o.fetch.Fetch(ctx, s.URL, payload.Blob{SHA256: s.SHA256, Size: s.Size})
}

// MissingError says that a file or directory the lock names by its path is not there.
type MissingError struct {
	Source string // as the lock names it
	File   string // where it was looked for
	Lock   string // the lock file
	Line   int
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("cannot read %s, which %s:%d names: there is no %s", e.Source, e.Lock, e.Line, e.File)
}

func (e *MissingError) Unwrap() error { return fs.ErrNotExist }

// Hint says where the file has to be.
func (e *MissingError) Hint() string {
	if filepath.IsAbs(e.Source) {
		return "put it there, or correct the path in the lock file"
	}
	return "put it there, or a symbolic link to it; or copy the lock file into the directory that has it"
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
