package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"fate-installer/installer/host/beneath"
)

// ErrNotPlain is the cause when a file that was to be read is a link, a pipe, a device or anything else that a log is
// not.
var ErrNotPlain = errors.New("it is not a regular file")

// ReadLimit is how much [Host.ReadFile] reads, in bytes. Configuration, scripts and records are far shorter; a file
// that the service user makes longer, without using any space for it, must not take root's memory.
const ReadLimit = 64 << 20

// ErrTooLong is the cause when a file is longer than what is read of it.
var ErrTooLong = errors.New("it is longer than such a file can be")

// readAll reads f to its end, which must come within limit bytes.
func readAll(f *os.File, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: fmt.Errorf("%w (%d bytes)", ErrTooLong, limit)}
	}
	return data, err
}

// ClockGrain is how much earlier than the clock the times of files may be.
const ClockGrain = beneath.ClockGrain

// OpenPlain opens a regular file for reading in a directory that another user may write. It follows no link but those
// of root above it, none at the last element, and does not wait for a pipe's writer: what such a user puts in the place
// of a log cannot make root read another file, or hang. A hard link is refused unless it is to a file of the
// directory's owner.
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

// ReadPlain returns the content of a file of at most limit bytes, read as [Host.OpenPlain] opens it. A longer one is an
// [ErrTooLong].
func (h *Host) ReadPlain(abs string, limit int64) ([]byte, error) {
	f, err := h.OpenPlain(abs)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit)
}

// ReadTail returns the end of a file, at most limit bytes, read as [Host.OpenPlain] opens it. When it is not the whole
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
