package payload

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"golang.org/x/sync/errgroup"
)

// framer turns a tar stream into frames: it cuts the canonical stream, has workers compress the pieces, and writes the
// results in their order. There are two pieces more than encoders.
type framer struct {
	out  io.Writer
	size int // of a frame
	tree tree
	c    Component // being filled in
	tar  hash.Hash // over the canonical stream
	crc  hash.Hash32

	cur   *piece
	free  chan *piece
	queue chan *piece // in stream order, to the one that writes
	work  chan *piece // to the ones that compress
}

// piece is a frame in the making.
type piece struct {
	raw       []byte
	continues *Continuation
	stored    []byte
	done      chan error
}

// newPieces makes the pieces that framers use one after the other, so that a Writer allocates them once.
func newPieces(workers int) chan *piece {
	free := make(chan *piece, workers+2)
	for range cap(free) {
		free <- &piece{done: make(chan error, 1)}
	}
	return free
}

func newFramer(out io.Writer, c Component, size int, free chan *piece) *framer {
	return &framer{
		out: out, size: size, tree: tree{}, c: c, tar: sha256.New(), crc: crc32.NewIEEE(),
		free:  free,
		queue: make(chan *piece, cap(free)),
		work:  make(chan *piece, cap(free)),
	}
}

// whole is the size from which a file may be spread over frames. Smaller ones move to the next frame whole, which
// wastes little and leaves few files that several workers have to share.
func (f *framer) whole() int64 { return int64(f.size / 16) }

// run stores stream and returns the component with everything computed.
func (f *framer) run(ctx context.Context, stream io.Reader, encoders []encoder) (Component, error) {
	g, ctx := errgroup.WithContext(ctx)
	for _, e := range encoders {
		g.Go(func() error { return f.compress(ctx, e) })
	}
	g.Go(func() error { return f.write(ctx) })
	g.Go(func() error {
		defer close(f.queue)
		defer close(f.work)
		return f.cut(ctx, stream)
	})
	if err := g.Wait(); err != nil {
		return Component{}, err
	}
	f.c.Digest = hex.EncodeToString(f.tar.Sum(nil))
	f.c.CRC32 = f.crc.Sum32()
	return f.c, nil
}

func (f *framer) compress(ctx context.Context, e encoder) error {
	for p := range f.work {
		var err error
		p.stored, err = e.encode(ctx, p.stored, p.raw)
		p.done <- err
	}
	return nil
}

// write appends finished frames to the archive in their order.
func (f *framer) write(ctx context.Context) error {
	var offset int64
	for p := range f.queue {
		select {
		case err := <-p.done:
			if err != nil {
				return fmt.Errorf("cannot compress %s: %w", f.c.Name, err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if _, err := f.out.Write(p.stored); err != nil {
			return err
		}
		f.crc.Write(p.stored)
		f.c.Frames = append(f.c.Frames, Frame{Offset: offset, Size: int64(len(p.stored)), RawSize: int64(len(p.raw)),
			SHA256: hexSHA256(p.stored), Continues: p.continues})
		offset += int64(len(p.stored))
		f.free <- p
	}
	return nil
}

// cut reads the stream entry by entry and fills pieces with its canonical form.
func (f *framer) cut(ctx context.Context, stream io.Reader) error {
	r := tar.NewReader(stream)
	if err := f.next(ctx); err != nil {
		return err
	}
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("cannot read the tar stream of %s: %w", f.c.Name, err)
		}
		e, err := newEntry(h)
		if err != nil {
			return err
		}
		if err := f.entry(ctx, e, r); err != nil {
			return err
		}
	}
	// Two blocks of zeros end a tar stream.
	if err := f.room(ctx, 2*tarBlock); err != nil {
		return err
	}
	f.append(zeros[:])
	return f.flush(ctx)
}

// entry stores e and the directories it needs, whose entries the stream left out.
func (f *framer) entry(ctx context.Context, e entry, data io.Reader) error {
	if e.name == "" {
		return nil // the root: its mode is not part of a component
	}
	missing, err := f.tree.add(&e)
	if err != nil {
		return err
	}
	for _, dir := range missing {
		if err := f.header(ctx, entry{name: dir, kind: kindDir, mode: 0o755, mtime: e.mtime}); err != nil {
			return err
		}
	}
	if err := f.header(ctx, e); err != nil {
		return err
	}
	return f.data(ctx, e, data)
}

// header appends the header of e where the rest of the entry may follow, and counts it.
func (f *framer) header(ctx context.Context, e entry) error {
	blocks := appendHeader(nil, &e)
	need := int64(len(blocks))
	if e.size < f.whole() {
		need += padded(e.size)
	} else {
		need += tarBlock // so that a continuation never begins at offset 0
	}
	if err := f.room(ctx, need); err != nil {
		return err
	}
	f.append(blocks)
	switch e.kind {
	case kindFile:
		f.c.Files++
		f.c.Size += e.size
	case kindDir:
		f.c.Dirs++
	default:
		f.c.Links++
	}
	return nil
}

// data appends the content of the file e, over as many frames as it needs.
func (f *framer) data(ctx context.Context, e entry, data io.Reader) error {
	for off := int64(0); off < e.size; {
		free := int64(f.size - len(f.cur.raw))
		if free == 0 {
			if err := f.flush(ctx); err != nil {
				return err
			}
			if err := f.next(ctx); err != nil {
				return err
			}
			free = int64(f.size)
			f.cur.continues = &Continuation{Path: e.name, Offset: off, Size: min(free, e.size-off)}
		}
		n := min(free, e.size-off)
		at := len(f.cur.raw)
		f.cur.raw = f.cur.raw[:at+int(padded(n))]
		if _, err := io.ReadFull(data, f.cur.raw[at:at+int(n)]); err != nil {
			return fmt.Errorf("cannot read entry %q: %w", e.name, err)
		}
		clear(f.cur.raw[at+int(n):])
		off += n
	}
	return nil
}

func (f *framer) append(b []byte) { f.cur.raw = append(f.cur.raw, b...) }

// room begins a new frame if the current one has less than n bytes left.
func (f *framer) room(ctx context.Context, n int64) error {
	if int64(len(f.cur.raw))+n <= int64(f.size) {
		return nil
	}
	if err := f.flush(ctx); err != nil {
		return err
	}
	return f.next(ctx)
}

// next takes an empty piece, waiting until one is free.
func (f *framer) next(ctx context.Context) error {
	select {
	case p := <-f.free:
		if p.raw == nil {
			p.raw = make([]byte, 0, f.size)
			p.stored = make([]byte, 0, f.size+f.size/64) // so that an encoder need not let it grow
		}
		p.raw, p.continues = p.raw[:0], nil
		f.cur = p
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flush hands the current piece on. Neither channel can be full: there are no more pieces than they hold.
func (f *framer) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.tar.Write(f.cur.raw)
	f.queue <- f.cur
	f.work <- f.cur
	f.cur = nil
	return nil
}

func padded(n int64) int64 { return (n + tarBlock - 1) / tarBlock * tarBlock }
