package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotPlain is the cause when a file that was to be read is a link, a pipe, a device or anything else that a log is
// not.
var ErrNotPlain = errors.New("it is not a regular file")

// OpenPlain opens a regular file for reading in a directory that another user may write. It follows no link but those
// of
// root above it, none at the last element, and does not wait for a pipe's writer: what such a user puts in the place
// of a
// log cannot make root read another file, or hang.
func (h *Host) OpenPlain(abs string) (*os.File, error) {
	f, err := h.openUntrusted(abs, 0)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: abs, Err: ErrNotPlain}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadTail returns the end of a file, at most limit bytes, read as [Host.OpenPlain] opens it. When it is not the
// whole
// file, it begins after a line's end.
func (h *Host) ReadTail(abs string, limit int64) ([]byte, error) {
	f, err := h.OpenPlain(abs)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	skip := max(0, fi.Size()-limit)
	data, err := io.ReadAll(io.NewSectionReader(f, skip, limit))
	if err != nil {
		return nil, err
	}
	if skip > 0 {
		for i, b := range data {
			if b == '\n' {
				return data[i+1:], nil
			}
		}
	}
	return data, nil
}

// ListPlain lists a directory that another user may write, at most limit entries, in no order. It follows links as
// [Host.OpenPlain] does.
func (h *Host) ListPlain(abs string, limit int) ([]fs.DirEntry, error) {
	f, err := h.openUntrusted(abs, syscall.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := f.ReadDir(limit)
	if err == io.EOF {
		err = nil
	}
	return list, err
}

// openUntrusted opens a path of which only links that a trusted user made are followed, and none at its last element.
func (h *Host) openUntrusted(abs string, flag int) (*os.File, error) {
	return h.open(abs, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|flag, 0)
}
