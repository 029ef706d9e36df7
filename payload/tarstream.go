package payload

import (
	"context"
	"fmt"
	"io"
)

// CopyTar writes the tar stream of a component to w, one frame after the other. A frame is written only after its
// sha256 was checked. Unlike Extract it does not ask for a signature: the caller decides whom to trust, and what
// the stream may do.
func (p *Payload) CopyTar(ctx context.Context, name string, w io.Writer) error {
	for i := range p.manifest.Components {
		if c := &p.manifest.Components[i]; c.Name == name {
			return p.copyFrames(ctx, c, p.members[i].dataOffset(), w)
		}
	}
	return fmt.Errorf("cannot read %q from %s: there is no such component", name, p.src.path)
}

func (p *Payload) copyFrames(ctx context.Context, c *Component, base int64, w io.Writer) error {
	largest := int64(0)
	for i := range c.Frames {
		largest = max(largest, c.Frames[i].RawSize)
	}
	d, err := newDecoder(c.Codec, largest)
	if err != nil {
		return err
	}
	var stored []byte
	for i := range c.Frames {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		f := &c.Frames[i]
		if int64(cap(stored)) < f.Size {
			stored = make([]byte, f.Size)
		}
		stored = stored[:f.Size]
		at := base + f.Offset
		if _, err := p.src.ReadAt(stored, at); err != nil {
			return p.readError(c.Name, at, err)
		}
		if hexSHA256(stored) != f.SHA256 {
			return p.corruptRange(c.Name, at, f.Size, "its sha256 is not the one in the manifest", nil)
		}
		raw, err := d.decode(stored, f.RawSize)
		if err != nil {
			return p.corruptRange(c.Name, at, f.Size, "", err)
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
	}
	return nil
}
