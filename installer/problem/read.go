package problem

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// TooLongError is a text with more bytes than are read.
type TooLongError struct{ Limit int }

func (e *TooLongError) Error() string { return fmt.Sprintf("it is longer than %d bytes", e.Limit) }

// ReadAll reads the text r to its end, as Text gives it. It returns a *TooLongError, and never holds more than limit
// bytes, when there are more.
func ReadAll(r io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(data) > limit {
		return nil, &TooLongError{limit}
	}
	if err != nil {
		return nil, err
	}
	return Text(data)
}

// ReadFile is ReadAll of the file name, which may be a pipe or a device.
func ReadFile(name string, limit int) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readNamed(f, name, limit)
}

func readNamed(f *os.File, name string, limit int) ([]byte, error) {
	data, err := ReadAll(f, limit)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// errNotRegular is the cause when a pipe, a device or a socket is in the place of a file.
var errNotRegular = errors.New("it is not a regular file")

// ReadRegular is ReadAll of the file name, which a program that must not wait has been given: it never waits for the
// other end of a pipe, and refuses all but regular files.
func ReadRegular(name string, limit int) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "read", Path: name, Err: errNotRegular}
	}
	if err != nil {
		return nil, err
	}
	return readNamed(f, name, limit)
}
