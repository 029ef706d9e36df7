package bundle

import (
	"archive/tar"
	"fmt"
	"io"
	"time"
)

// Epoch is the modification time of everything in a canonical tar: the first second that ZIP can express, so that
// tools which repack an installed tree as a ZIP (jar, wheel) do not fail on dates before it.
var Epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// readTar visits the entries of a tar. Go's reader knows V7, USTAR, PAX and GNU with their long names and sparse files.
func readTar(archive string, r io.Reader, v visit) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, r) // the checksum of a compressed tar comes after the last of its entries
			if err == nil {
				return nil
			}
		}
		if err != nil {
			return &ArchiveError{Archive: archive, Reason: "the tar is damaged", Err: err}
		}
		e, skip, reason := tarEntry(h)
		if reason != "" {
			return &ArchiveError{Archive: archive, Entry: h.Name, Reason: reason, hint: excludeHint}
		}
		if skip {
			continue
		}
		var body io.Reader
		if e.kind == kindFile {
			body = tr
		}
		if err := v(e, body); err != nil {
			return err
		}
	}
}

const excludeHint = "leave the entry out with the source's exclude key, if the component does not need it"

// tarEntry turns a tar header into an entry, or says why it is refused.
func tarEntry(h *tar.Header) (e entry, skip bool, reason string) {
	if h.Typeflag == tar.TypeXGlobalHeader { // git archive keeps the commit there
		return e, true, ""
	}
	name, err := cleanPath(h.Name)
	if err != nil {
		return e, false, err.Error()
	}
	e = entry{path: name, mode: uint32(h.Mode) & modeAll}
	switch h.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		e.kind, e.size = kindFile, h.Size
		if len(h.Name) > 0 && h.Name[len(h.Name)-1] == '/' { // the V7 way to store a directory
			e.kind, e.size = kindDir, 0
		}
	case tar.TypeDir:
		e.kind = kindDir
	case tar.TypeSymlink:
		e.kind, e.target = kindSymlink, h.Linkname
		if wrong := linkTarget(h.Linkname); wrong != "" {
			return e, false, wrong
		}
	case tar.TypeLink:
		e.kind = kindHardlink
		if e.target, err = cleanPath(h.Linkname); err != nil {
			return e, false, fmt.Sprintf("is a hard link to %q, which %v", h.Linkname, err)
		}
	case tar.TypeChar, tar.TypeBlock:
		return e, false, "is a device node"
	case tar.TypeFifo:
		return e, false, "is a FIFO"
	default:
		return e, false, fmt.Sprintf("is of the unknown tar type %q", h.Typeflag)
	}
	return e, false, ""
}

// linkTarget says what is wrong with the text of a symbolic link, wherever it leads.
func linkTarget(s string) string {
	if s == "" || len(s) > maxPath {
		return "is a symbolic link with no target, or one too long"
	}
	if wrong := oneLine(s); wrong != "" {
		return "is a symbolic link whose target " + wrong
	}
	return ""
}

// tarWriter writes canonical tar entries: the caller gives them sorted.
type tarWriter struct{ *tar.Writer }

func newTarWriter(w io.Writer) tarWriter { return tarWriter{tar.NewWriter(w)} }

// add writes one entry and returns once body is copied. It is an error if body is shorter or longer than size.
func (w tarWriter) add(e entry, body io.Reader) error {
	h := &tar.Header{Name: e.path, Mode: int64(e.mode & modeAll), ModTime: Epoch, Size: e.size, Typeflag: tar.TypeReg}
	switch e.kind {
	case kindDir:
		h.Typeflag, h.Name = tar.TypeDir, e.path+"/"
	case kindSymlink: // the mode of a link means nothing; all tools show 0777
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.target, 0o777
	case kindHardlink:
		h.Typeflag, h.Linkname = tar.TypeLink, e.target
	}
	if err := w.WriteHeader(h); err != nil {
		return fmt.Errorf("cannot archive %s: %w", e.path, err)
	}
	if e.kind != kindFile {
		return nil
	}
	n, err := io.Copy(w, body)
	if err == nil && n != e.size {
		err = fmt.Errorf("read %d bytes of %d", n, e.size)
	}
	if err != nil {
		return fmt.Errorf("cannot archive %s: %w", e.path, err)
	}
	return nil
}
