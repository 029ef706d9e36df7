package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"fate-installer/payload"
)

// StubError says that a program cannot carry a payload.
type StubError struct {
	Path string // empty for the running program
	Err  error
}

func (e *StubError) Error() string {
	name := e.Path
	if name == "" {
		name = "this program"
	}
	return fmt.Sprintf("cannot put a payload behind %s: %v", name, e.Err)
}

func (e *StubError) Unwrap() error { return e.Err }

// Hint says what to use.
func (e *StubError) Hint() string {
	return "name a fate-installer program for the release's platform with --stub"
}

// openStub opens the program that a payload is put behind: the file at path, or the running program; of one that
// carries a payload itself, the program alone.
func openStub(path string) (io.ReadCloser, error) {
	open := payload.OpenSelf
	if path != "" {
		open = func() (*payload.Payload, error) { return payload.Open(path) }
	}
	p, err := open()
	if err == nil {
		defer p.Close()
		var program bytes.Buffer // some 20 MB, checked before it is used
		if err := p.CopyStub(&program); err != nil {
			return nil, err
		}
		return io.NopCloser(&program), nil
	}
	if !errors.Is(err, payload.ErrNoPayload) {
		return nil, &StubError{path, err}
	}
	if path == "" {
		path = "/proc/self/exe" // also when the file was replaced or removed since it started
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &StubError{path, err}
	}
	return f, nil
}
