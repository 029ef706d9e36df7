package payload

import (
	"fmt"
	"strings"
	"sync"
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

// frameReader reads, checks and decodes frames, for one goroutine at a time. What it returns is valid until the next
// call. It has one buffer for the largest frame there is, whichever component that belongs to.
type frameReader struct {
	p        *Payload
	stored   []byte
	raw      int64 // the largest frame, unpacked
	decoders map[string]decoder
}

func newFrameReader(p *Payload) *frameReader {
	var stored, raw int64
	for _, c := range p.manifest.Components {
		for i := range c.Frames {
			stored, raw = max(stored, c.Frames[i].Size), max(raw, c.Frames[i].RawSize)
		}
	}
	return &frameReader{p: p, stored: newBuffer(stored), raw: raw, decoders: map[string]decoder{}}
}

// frameReaders are the ones of an appliance. Extractions that run at the same time share them, so that it takes no more
// memory, and no more processors, to unpack several components at once than to unpack one.
type frameReaders struct {
	mu    sync.Mutex
	freed sync.Cond
	users int // extractions
	limit int
	taken int
	idle  []*frameReader
}

// enter begins an extraction with so many workers.
func (s *frameReaders) enter(workers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
	s.limit = max(s.limit, workers)
}

// leave ends an extraction. After the last one the memory is free.
func (s *frameReaders) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		s.limit, s.idle = 0, nil
	}
}

// take waits for a reader, which takes no longer than another worker's frame.
func (s *frameReaders) take(p *Payload) *frameReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.taken >= s.limit {
		s.freed.Wait()
	}
	s.taken++
	n := len(s.idle)
	if n == 0 {
		return newFrameReader(p)
	}
	r := s.idle[n-1]
	s.idle = s.idle[:n-1]
	return r
}

func (s *frameReaders) give(r *frameReader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	s.idle = append(s.idle, r)
	s.freed.Signal()
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
		return nil, r.p.corruptRange(j.c.Name, at, f.Size,
			fmt.Sprintf("the sha256 of frame %d is not the one in the manifest", i), nil)
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
