package payload

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ExtractOptions say how a component is unpacked.
type ExtractOptions struct {
	UID, GID int                     // owner of everything unpacked; -1 leaves it to the system
	Workers  int                     // 0 means one for each processor, at most 4; each holds about 33 MB
	Progress func(done, total int64) // bytes of the tar stream; called by one goroutine at a time
	// AllowNoExec lets a component be unpacked where the system will not run its programs.
	AllowNoExec bool
	// NoSync leaves it to the system when the data reaches the disk: for measurements, and trees that a crash may take.
	NoSync bool
}

// Extract unpacks a component to the directory target, which must not exist while its parent must. A frame's bytes are
// written only after its sha256 was checked, and to a staging directory beside target, which takes its name when everything
// is on the disk. So target is complete or absent: after an error or the end of ctx the staging directory is removed, and
// one that a killed process left is removed by the next Extract to the same target.
//
// If the program has a compiled-in public key, the payload must be signed with it.
func (p *Payload) Extract(ctx context.Context, name, target string, o ExtractOptions) (err error) {
	index := -1
	for i, c := range p.manifest.Components {
		if c.Name == name {
			index = i
		}
	}
	if index < 0 {
		return fmt.Errorf("cannot extract %q from %s: there is no such component", name, p.src.path)
	}
	if err := p.trust(); err != nil {
		return err
	}
	c := &p.manifest.Components[index]
	s, err := newStaging(target, c.Size, o)
	if err != nil {
		return fmt.Errorf("cannot extract %s to %s: %w", name, target, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	u := newUnpacker(c, s, o)
	defer u.close()
	err = inOrder(ctx, workers(o.Workers), len(c.Frames), func() (func(int) error, error) {
		w, err := p.newFrameReader(c, p.members[index].dataOffset())
		if err != nil {
			return nil, err
		}
		d := u.newWorker()
		return func(i int) error {
			raw, err := w.read(i)
			if err != nil {
				return err
			}
			return p.blame(c, w.base, i, d.unpack(ctx, i, raw))
		}, nil
	})
	if err == nil {
		err = p.blame(c, p.members[index].dataOffset(), len(c.Frames)-1, u.dest.finish(ctx))
	}
	if err == nil {
		err = s.commit(ctx)
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = &SpaceError{Path: filepath.Dir(target), Need: c.Size, Err: err}
	}
	if err != nil {
		return fmt.Errorf("cannot extract %s to %s: %w", name, target, err)
	}
	return nil
}

// blame turns what a frame's content makes impossible into an error about the appliance.
func (p *Payload) blame(c *Component, base int64, frame int, err error) error {
	if bad, ok := err.(*contentError); ok {
		return p.corrupt(c.Name, base+c.Frames[frame].Offset, bad.reason, bad.err)
	}
	return err
}

// contentError says that a tar stream is not what the manifest and the format promise.
type contentError struct {
	reason string
	err    error
}

func (e *contentError) Error() string {
	if e.err == nil {
		return e.reason
	}
	return strings.TrimPrefix(e.reason+": "+e.err.Error(), ": ")
}

func badContent(format string, args ...any) error {
	return &contentError{reason: fmt.Sprintf(format, args...)}
}

// frameReader reads, checks and decodes frames of one component, for one goroutine. What it returns is valid until the
// next call.
type frameReader struct {
	p    *Payload
	c    *Component
	base int64 // of the member's data in the file
	dec  decoder
	buf  []byte
}

func (p *Payload) newFrameReader(c *Component, base int64) (*frameReader, error) {
	var stored, raw int64
	for i := range c.Frames {
		stored, raw = max(stored, c.Frames[i].Size), max(raw, c.Frames[i].RawSize)
	}
	d, err := newDecoder(c.Codec, raw)
	return &frameReader{p: p, c: c, base: base, dec: d, buf: make([]byte, stored)}, err
}

func (r *frameReader) read(i int) ([]byte, error) {
	f := &r.c.Frames[i]
	at := r.base + f.Offset
	stored := r.buf[:f.Size]
	if _, err := r.p.src.ReadAt(stored, at); err != nil {
		return nil, r.p.readError(r.c.Name, at, err)
	}
	if hexSHA256(stored) != f.SHA256 {
		return nil, r.p.corruptRange(r.c.Name, at, f.Size, fmt.Sprintf("the sha256 of frame %d is not the one in the manifest", i), nil)
	}
	raw, err := r.dec.decode(stored, f.RawSize)
	if err != nil {
		return nil, r.p.corrupt(r.c.Name, at, fmt.Sprintf("cannot unpack frame %d", i), err)
	}
	return raw, nil
}
