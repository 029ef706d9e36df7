package problem

import (
	"fmt"
	"io"
	"os"
)

// TooLongError is a text with more bytes than are read.
type TooLongError struct{ Limit int }

func (e *TooLongError) Error() string { return fmt.Sprintf("it is longer than %d bytes", e.Limit) }

// ReadAll reads the text r to its end, as Text gives it. It returns a *TooLongError, and never holds more than limit bytes, when there are more.
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
	data, err := ReadAll(f, limit)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}
