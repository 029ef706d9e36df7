package payload

import (
	"errors"
	"fmt"
)

// ErrNoPayload says that a file is a program and nothing else.
var ErrNoPayload error = noPayload{}

type noPayload struct{}

func (noPayload) Error() string { return "this program carries no payload" }

// Hint names the tools that silently cut a payload off: they copy only what the ELF headers mention.
func (noPayload) Hint() string {
	return "use the whole appliance file, or name one with --payload FILE; if this file was an appliance once, strip " +
		"or objcopy has cut its payload off"
}

// CorruptError says that an appliance is damaged, incomplete, or not made by a Writer.
type CorruptError struct {
	Path      string // the file the user named
	Part      string // of a split file: the part the damage is in, or two if it could be either
	Component string // or "program", "manifest", "signature", "directory", the name of a member
	Offset    int64  // in the file (in the whole of a split file), -1 if there is no single place
	Reason    string
	Err       error // what was found there, or nil
	hint      string
}

func (e *CorruptError) Error() string {
	if errors.Is(e.Err, errNotELF) {
		return e.Path + " is not an appliance: it does not begin with a program for Linux on 64-bit processors"
	}
	s := fmt.Sprintf("%s is damaged: %s", e.Path, e.Component)
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at offset %d", e.Offset)
	}
	if e.Part != "" {
		s += " (" + e.Part + ")"
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CorruptError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *CorruptError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "copy the file again from its source and compare its sha256sum with the one published next to it"
}

// SchemaError says that a manifest is of another version of the format.
type SchemaError struct{ Got int }

func (e *SchemaError) Error() string {
	return fmt.Sprintf("the manifest is of format %d, this program reads format %d", e.Got, Schema)
}

// Hint says which program to use instead.
func (e *SchemaError) Hint() string {
	return "run the appliance's own program: it reads the payload it was built with"
}

// SignatureError says that a signature is missing, or is not by the key that was asked for.
type SignatureError struct {
	Path   string
	Reason string
}

func (e *SignatureError) Error() string {
	return fmt.Sprintf("cannot trust %s: %s", e.Path, e.Reason)
}

// Hint says what to compare.
func (e *SignatureError) Hint() string {
	return "compare the key with the fingerprint its owner publishes; do not install from this file until they agree"
}
