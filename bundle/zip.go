package bundle

import (
	"archive/zip"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// zipEncrypted is the flag of an entry that needs a password (APPNOTE 4.4.4, bit 0).
const zipEncrypted = 1

// zipCreatorUnix marks entries whose external attributes hold a Unix mode (APPNOTE 4.4.2).
const zipCreatorUnix = 3

// readZip visits the entries of a ZIP in the order of its directory.
func readZip(archive string, r io.ReaderAt, size int64, v visit) error {
	zr, err := zip.NewReader(r, size)
	if err != nil {
		return &ArchiveError{Archive: archive, Reason: "the ZIP is damaged", Err: err}
	}
	for _, f := range zr.File {
		if err := readZipEntry(f, v); err != nil {
			if wrong, ok := err.(*ArchiveError); ok && wrong.Archive == "" {
				wrong.Archive, wrong.Entry = archive, f.Name
			}
			return err
		}
	}
	return nil
}

func readZipEntry(f *zip.File, v visit) error {
	e, reason := zipEntry(f)
	if reason != "" {
		return &ArchiveError{Reason: reason, hint: excludeHint}
	}
	if e.kind == kindDir {
		return v(e, nil)
	}
	body, err := f.Open()
	if err != nil {
		return &ArchiveError{Reason: "is damaged", Err: err}
	}
	defer body.Close()
	if e.kind != kindSymlink {
		return v(e, body)
	}
	target, err := io.ReadAll(io.LimitReader(body, maxPath+1))
	if err != nil {
		return &ArchiveError{Reason: "is damaged", Err: err}
	}
	if wrong := linkTarget(string(target)); wrong != "" {
		return &ArchiveError{Reason: wrong, hint: excludeHint}
	}
	e.target, e.size = string(target), 0
	return v(e, nil)
}

// zipEntry turns a directory entry of a ZIP into ours, or says why it is refused.
func zipEntry(f *zip.File) (e entry, reason string) {
	switch name, err := cleanPath(f.Name); {
	case err != nil:
		return e, err.Error()
	case strings.Contains(name, `\`):
		return e, "has a backslash in its name"
	case f.Flags&zipEncrypted != 0:
		return e, "is encrypted"
	case f.UncompressedSize64 > 1<<62:
		return e, "has an impossible size"
	default:
		e = entry{path: name, mode: 0o644, size: int64(f.UncompressedSize64)}
	}
	mode := f.Mode()
	if f.CreatorVersion>>8 == zipCreatorUnix && f.ExternalAttrs>>16&modeAll != 0 {
		e.mode = f.ExternalAttrs >> 16 & modeAll
	} else if mode.IsDir() {
		e.mode = modeDir
	}
	switch mode.Type() {
	case 0:
		e.kind = kindFile
	case fs.ModeDir:
		e.kind, e.size = kindDir, 0
	case fs.ModeSymlink:
		e.kind = kindSymlink
	default:
		return e, fmt.Sprintf("is a %s", typeName(mode))
	}
	return e, ""
}

// typeName names the types of file that have no place in a component.
func typeName(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "FIFO"
	case mode&fs.ModeDevice != 0:
		return "device node"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "file of unknown type"
}
