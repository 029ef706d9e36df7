package payload

import (
	"fmt"
	"strings"
)

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

// frameReader reads, checks and decodes frames, for one goroutine. What it returns is valid until the next call. It has one
// buffer for the largest frame there is, whichever component that belongs to.
type frameReader struct {
	p        *Payload
	stored   []byte
	raw      int64 // the largest frame, unpacked
	decoders map[string]decoder
}

func newFrameReader(p *Payload, jobs []*job) *frameReader {
	var stored, raw int64
	for _, j := range jobs {
		for i := range j.c.Frames {
			stored, raw = max(stored, j.c.Frames[i].Size), max(raw, j.c.Frames[i].RawSize)
		}
	}
	return &frameReader{p: p, stored: newBuffer(stored), raw: raw, decoders: map[string]decoder{}}
}

// read returns the piece of the tar stream that frame i of the job's component holds.
func (r *frameReader) read(j *job, i int) ([]byte, error) {
	f := &j.c.Frames[i]
	at := j.base + f.Offset
	stored := r.stored[:f.Size]
	if _, err := r.p.src.ReadAt(stored, at); err != nil {
		return nil, r.p.readError(j.c.Name, at, err)
	}
	if hexSHA256(stored) != f.SHA256 {
		return nil, r.p.corruptRange(j.c.Name, at, f.Size, fmt.Sprintf("the sha256 of frame %d is not the one in the manifest", i), nil)
	}
	dec, err := r.decoder(j.c.Codec)
	if err != nil {
		return nil, err
	}
	raw, err := dec.decode(stored, f.RawSize)
	if err != nil {
		return nil, r.p.corrupt(j.c.Name, at, fmt.Sprintf("cannot unpack frame %d", i), err)
	}
	return raw, nil
}

func (r *frameReader) decoder(codec string) (decoder, error) {
	if r.decoders[codec] == nil {
		d, err := newDecoder(codec, r.raw)
		if err != nil {
			return nil, err
		}
		r.decoders[codec] = d
	}
	return r.decoders[codec], nil
}
