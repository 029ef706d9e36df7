package bundle

import (
	"fmt"
	"io"
)

// kind is the type of an entry.
type kind uint8

const (
	kindFile kind = iota + 1
	kindDir
	kindSymlink
	kindHardlink
)

func (k kind) String() string {
	switch k {
	case kindFile:
		return "file"
	case kindDir:
		return "directory"
	case kindSymlink:
		return "symbolic link"
	case kindHardlink:
		return "hard link"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// entry is one object of an archive, as the archive stores it.
type entry struct {
	path   string // clean; "." is the root
	kind   kind
	mode   uint32 // permissions with setuid, setgid and sticky, as in chmod(2)
	size   int64  // of a file
	target string // of a link: as stored when symbolic, a clean path of the same archive when hard
}

// visit receives the entries of an archive in stored order. body has the file's bytes, is nil for other kinds, and
// is valid during the call only.
type visit func(e entry, body io.Reader) error

// Bits of a mode beyond the permissions.
const (
	modeSetuid = 0o4000
	modeSetgid = 0o2000
	modeSticky = 0o1000
	modeAll    = 0o7777
	modeDir    = 0o755 // of directories no source describes
)

// ArchiveError says what is wrong with one entry of a source.
type ArchiveError struct {
	Archive string // the source
	Entry   string // path as stored; empty when the archive as a whole is meant
	Reason  string
	Err     error // cause, or nil
	hint    string
}

func (e *ArchiveError) Error() string {
	s := "cannot use " + e.Archive
	if e.Entry != "" {
		s += fmt.Sprintf(": entry %q", e.Entry)
	}
	if e.Reason != "" {
		if e.Entry != "" {
			s += " " + e.Reason
		} else {
			s += ": " + e.Reason
		}
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ArchiveError) Unwrap() error { return e.Err }

// Hint says which key of the lock file helps, if one does.
func (e *ArchiveError) Hint() string { return e.hint }

// maxEntries bounds the memory one component takes; the largest real ones (a Python environment) have some 100,000.
const maxEntries = 4 << 20
