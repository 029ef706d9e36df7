package bundle

import (
	"archive/tar"
	"bufio"
	"fmt"
	"io"
	"os"
)

// nested reads members of an archive as sources of their own, without unpacking it: an official offline package is
// a tar of tars. It keeps its place in the archive it read last, so that members asked for in stored order, which is
// how import writes them into a lock, cost one pass together.
type nested struct {
	path  string
	file  *os.File
	plain io.Closer
	tr    *tar.Reader
}

// open returns a reader of the member and its size. The reader is valid until the next call.
func (n *nested) open(archive, member string) (io.Reader, int64, error) {
	resumed := n.tr != nil && n.path == archive
	for {
		if !resumed {
			if err := n.start(archive); err != nil {
				return nil, 0, err
			}
		}
		r, size, err := n.find(member)
		if err != io.EOF {
			return r, size, err
		}
		if !resumed {
			return nil, 0, &ArchiveError{
				Archive: archive, Reason: fmt.Sprintf("it has no member %q", member),
				hint: "tar -t lists what it has; for an official package, bundle import writes the lock file from " +
					"what is there",
			}
		}
		resumed = false // it may lie before the place we were at
	}
}

func (n *nested) start(archive string) error {
	if err := n.close(); err != nil {
		return err
	}
	f, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("cannot read the archive: %w", err)
	}
	c, err := identify(archive, FormatTar, bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		f.Close()
		return &ArchiveError{Archive: archive, Reason: "it cannot be read as an archive with members", Err: err}
	}
	n.path, n.file, n.plain, n.tr = archive, f, c.archived, tar.NewReader(c.archived)
	return nil
}

// find moves on to the member; io.EOF says that it is not between here and the end.
func (n *nested) find(member string) (io.Reader, int64, error) {
	for {
		h, err := n.tr.Next()
		if err == io.EOF {
			return nil, 0, io.EOF
		}
		if err != nil {
			return nil, 0, damagedArchive(n.path, err)
		}
		name, err := cleanPath(h.Name)
		if err != nil || name != member {
			continue // an entry that is not asked for need not be valid
		}
		if h.Typeflag != tar.TypeReg {
			return nil, 0, &ArchiveError{Archive: n.path, Reason: fmt.Sprintf("member %q is not a regular file",
				member)}
		}
		return n.tr, h.Size, nil
	}
}

func (n *nested) close() error {
	if n.tr == nil {
		return nil
	}
	n.plain.Close()
	err := n.file.Close()
	*n = nested{}
	return err
}

// damagedArchive is the error for an archive whose bytes make no sense, which a download that was cut short is as well.
func damagedArchive(archive string, err error) error {
	return &ArchiveError{Archive: archive, Reason: "it is damaged or cut short", Err: err,
		hint: "fetch it again, and compare its size with the original's"}
}
