package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"fate-installer/bundle"
	"fate-installer/installer/exit"
	"fate-installer/payload"
)

// Exit codes are a contract; every kind of error has one, however deep it is wrapped.
func TestBundleErrorCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{&payload.CorruptError{}, exit.Payload},
		{&payload.SignatureError{Reason: "it is not signed"}, exit.Payload}, // also by a program with a key of its own
		{&payload.SchemaError{Got: 2}, exit.Payload},
		{&bundle.MismatchError{}, exit.Payload},
		{payload.ErrNoPayload, exit.Payload},
		{bundle.Problems{{Message: "x"}}, exit.Usage},
		{&bundle.UnlockedError{}, exit.Usage},
		{&bundle.ArchiveError{}, exit.Usage},
		{&bundle.MissingError{}, exit.Usage},
		{&bundle.StubError{Err: errors.New("x")}, exit.Usage},
		{&payload.SpaceError{}, exit.Usage},
		{&payload.NoExecError{}, exit.Usage},
		{unix.EROFS, exit.Usage},
		{unix.ENOSPC, exit.Usage},
		{unix.EIO, exit.Unexpected},
		{errors.New("a download that failed"), exit.Unexpected},
	} {
		if got := exit.CodeOf(t.Context(), bundleError(fmt.Errorf("cannot: %w", test.err))); got != test.want {
			t.Errorf("%T %v ends with exit code %d, want %d", test.err, test.err, got, test.want)
		}
	}
}

// What is installed as the program is the appliance without its payload, byte for byte.
func TestSelfProgram(t *testing.T) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "appliance"), os.O_RDWR|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := payload.NewWriter(f, bytes.NewReader(program),
		payload.WriterOptions{Level: 1, Release: payload.Release{FATE: "1", Platform: "linux/" + runtime.GOARCH}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddFile("notes.txt", []byte("notes")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := payload.Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for name, self := range map[string]selfProgram{"appliance": {p, &globals{}}, "bare program": {g: &globals{}}} {
		var installed bytes.Buffer
		if err := self.CopyStub(&installed); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(installed.Bytes(), program) {
			t.Errorf("%s: %d bytes would be installed, the program has %d", name, installed.Len(), len(program))
		}
	}
}
