package bundle

import (
	"archive/zip"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"slices"
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
	if err := overlap(archive, zr.File); err != nil {
		return err
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

// overlap refuses a ZIP of which two entries share bytes. APPNOTE has each entry's data follow its own header; entries
// over one body make a file of a few kB unpack to any size.
func overlap(archive string, files []*zip.File) error {
	type body struct {
		from, to int64
		name     string
	}
	var bodies []body
	for _, f := range files {
		if f.CompressedSize64 == 0 {
			continue
		}
		from, err := f.DataOffset()
		if err != nil || f.CompressedSize64 > 1<<62 {
			return &ArchiveError{Archive: archive, Entry: f.Name, Reason: "is damaged", Err: err}
		}
		bodies = append(bodies, body{from, from + int64(f.CompressedSize64), f.Name})
	}
	slices.SortFunc(bodies, func(a, b body) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	for i := 1; i < len(bodies); i++ {
		if a, b := bodies[i-1], bodies[i]; b.from < a.to {
			return &ArchiveError{Archive: archive, Entry: b.name,
				Reason: fmt.Sprintf("shares its data with entry %q", a.name)}
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
