package payload

import (
	"context"
	"sync"
)

// unpacker writes the frames of one component into a staging directory. Frames may come in any order and from several
// workers; what must wait for all of them (links, modes of directories) is done by finish.
type unpacker struct {
	c        *Component
	dest     *destination
	progress *progress

	mu      sync.Mutex
	workers []*worker
}

func newUnpacker(c *Component, s *staging, only map[string]bool, o ExtractOptions, p *progress) *unpacker {
	return &unpacker{c: c, dest: newDestination(c, s, only, o), progress: p}
}

// worker is an unpacker's state for one goroutine.
type worker struct {
	*unpacker
	dirs *dirStack
}

func (u *unpacker) newWorker() *worker {
	u.mu.Lock()
	defer u.mu.Unlock()
	w := &worker{unpacker: u, dirs: u.dest.newDirStack()}
	u.workers = append(u.workers, w)
	return w
}

// close closes whatever is still open, once all workers have returned.
func (u *unpacker) close() {
	for _, w := range u.workers {
		w.dirs.close()
	}
	for _, f := range u.dest.spread {
		f.close()
	}
}

// unpack writes the entries of frame i.
func (w *worker) unpack(ctx context.Context, i int, raw []byte) error {
	rest := raw
	if k := w.c.Frames[i].Continues; k != nil {
		if w.dest.wants(k.Path) {
			if err := w.dest.continueFile(w.dirs, k, rest[:k.Size]); err != nil {
				return err
			}
		}
		end := padded(k.Size)
		if !isZero(rest[k.Size:end]) {
			return badContent("entry %q is not followed by zeros", k.Path)
		}
		rest = rest[end:]
	}
	last := i == len(w.c.Frames)-1
	err := readEntries(rest, last, func(e entry, data []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !w.dest.wants(e.name) {
			return nil
		}
		return w.dest.add(w.dirs, e, data)
	})
	w.progress.add(int64(len(raw)))
	return err
}

// readEntries calls visit for each entry of a piece of a tar stream that begins with a header. The data of the last
// entry is shorter than its size if the entry goes on in the next frame. Only the last frame ends, and must end, with
// the two blocks of zeros that end a tar stream.
func readEntries(raw []byte, last bool, visit func(e entry, data []byte) error) error {
	if last {
		n := len(raw) - 2*tarBlock
		if n < 0 || !isZero(raw[n:]) {
			return badContent("the tar stream does not end with two blocks of zeros")
		}
		raw = raw[:n]
	}
	for len(raw) > 0 {
		e, n, err := parseHeader(raw)
		if err != nil {
			return &contentError{err: err}
		}
		raw = raw[n:]
		data := raw[:min(e.size, int64(len(raw)))]
		if int64(len(data)) < e.size && (last || len(data) == 0) {
			return badContent("entry %q is longer than the tar stream", e.name)
		}
		if err := visit(e, data); err != nil {
			return err
		}
		end := padded(int64(len(data)))
		if !isZero(raw[len(data):end]) {
			return badContent("entry %q is not followed by zeros", e.name)
		}
		raw = raw[end:]
	}
	return nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
