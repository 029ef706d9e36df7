package payload

import (
	"cmp"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// spreadFile is a file in more than one frame, written by whichever workers have those frames. The first to come
// creates it, the last closes it.
type spreadFile struct {
	mu      sync.Mutex
	fd      int
	missing int // pieces
	header  *entry
	pieces  []filePiece
}

// spreadMode is the mode with which such a file is created: its own mode may not be known yet.
const spreadMode = 0o600

type filePiece struct{ offset, size int64 }

// beginFile writes the first piece of a file, which follows its header.
func (d *destination) beginFile(dirs *dirStack, e entry, data []byte) error {
	return d.addPiece(dirs, e.name, 0, data, &e)
}

// continueFile writes a piece that a frame begins with.
func (d *destination) continueFile(dirs *dirStack, k *Continuation, data []byte) error {
	return atPath(k.Path, d.addPiece(dirs, k.Path, k.Offset, data, nil))
}

func (d *destination) addPiece(dirs *dirStack, name string, offset int64, data []byte, header *entry) error {
	f := d.spread[name]
	if f == nil {
		return badContent("entry %q is not continued in the next frame", name)
	}
	parent, base, err := d.enter(dirs, name)
	if err != nil {
		return err
	}
	fd, err := f.open(parent, base, header)
	if err != nil {
		return err
	}
	if header != nil {
		if err := preallocate(fd, header.size); err != nil {
			return err
		}
	}
	if err := d.fill(fd, data, offset); err != nil {
		return err
	}
	return d.finishPiece(f, parent, base, filePiece{offset, int64(len(data))})
}

// open returns the file, and creates it for the first of its pieces.
func (f *spreadFile) open(parent int, base string, header *entry) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if header != nil {
		if f.header != nil {
			return -1, badContent("entry %q is listed twice", header.name)
		}
		f.header = header
	}
	if f.fd < 0 {
		fd, err := createFile(parent, base, spreadMode)
		if err != nil {
			return -1, err
		}
		f.fd = fd
	}
	return f.fd, nil
}

// finishPiece counts a written piece, and finishes the file with the last of them.
func (d *destination) finishPiece(f *spreadFile, parent int, base string, piece filePiece) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pieces = append(f.pieces, piece)
	if f.missing--; f.missing > 0 {
		return nil
	}
	fd := f.fd
	f.fd = -1
	err := d.finishSpread(f, fd, parent, base)
	if e := unix.Close(fd); err == nil {
		err = e
	}
	return err
}

func (d *destination) finishSpread(f *spreadFile, fd, parent int, base string) error {
	if f.header == nil {
		return badContent("a file is continued that never began")
	}
	slices.SortFunc(f.pieces, func(a, b filePiece) int { return cmp.Compare(a.offset, b.offset) })
	var end int64
	for _, p := range f.pieces {
		if p.offset != end {
			return badContent("entry %q has a gap or an overlap at %d", f.header.name, min(p.offset, end))
		}
		end += p.size
	}
	if end != f.header.size {
		return badContent("entry %q has %d bytes, its header says %d", f.header.name, end, f.header.size)
	}
	return d.finishFile(fd, parent, base, *f.header, spreadMode)
}

// close closes what an interrupted run left open.
func (f *spreadFile) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fd >= 0 {
		unix.Close(f.fd)
		f.fd = -1
	}
}
