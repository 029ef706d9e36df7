package main

import (
	"errors"
	"fmt"
	"testing"

	"fate-installer/bundle"
	"fate-installer/installer/exit"
	"fate-installer/payload"

	"golang.org/x/sys/unix"
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
