package payload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// VerifyOptions say what Verify checks.
type VerifyOptions struct {
	// PublicKey must have signed the manifest. If it is nil, the compiled-in key must, and if there is none either,
	// the signature is not checked.
	PublicKey *PublicKey
	Workers   int                     // 0 means one for each processor, at most maxWorkers
	Progress  func(done, total int64) // bytes of the file; called by one goroutine at a time
}

// Report is Verify's result for an appliance that is whole.
type Report struct {
	Size       int64  // bytes of the file, every one of them checked
	Digest     string // sha256 of the manifest
	Components int
	Frames     int
	Files      int    // members that are not components
	SignedBy   string // id of the key the signature was checked with; empty if it was not
	Signed     bool   // whether there is a signature, checked or not
}

// verifyBuffer is how much is read and hashed at once.
const verifyBuffer = 256 << 10

// region is a run of the file with a known digest.
type region struct {
	what   string // for errors: a component, a member, or the program
	member string // the component's, empty for what is not a component
	frame  int    // of the component
	offset int64
	size   int64
	sha256 string
}

// Verify reads the whole file and proves every byte of it: program, frames and other members by the sha256 the
// manifest gives, and everything between them, which Open has already compared with what the manifest implies.
// What it does not do is unpack. The error is a *CorruptError for the lowest offset that is wrong, a *SignatureError,
// or one from reading.
func (p *Payload) Verify(ctx context.Context, o VerifyOptions) (Report, error) {
	signedBy, err := p.signedBy(o.PublicKey)
	if err != nil {
		return p.report(), err
	}
	r, err := p.VerifyContent(ctx, o)
	r.SignedBy = signedBy
	return r, err
}

// report is what is known of the file before its content was read.
func (p *Payload) report() Report {
	return Report{Size: p.src.size, Digest: p.Digest(), Components: len(p.manifest.Components),
		Files: len(p.manifest.Files), Signed: p.signature != nil}
}

// VerifyContent is Verify without the signature: for files in this format whose origin is proved in another way.
func (p *Payload) VerifyContent(ctx context.Context, o VerifyOptions) (Report, error) {
	r := p.report()
	regions := p.regions()
	for _, c := range p.manifest.Components {
		r.Frames += len(c.Frames)
	}
	progress := newProgress(o.Progress, p.src.size)
	var sum int64
	for _, x := range regions {
		sum += x.size
	}
	progress.add(p.src.size - sum) // checked by Open
	err := inOrder(ctx, workers(o.Workers), len(regions), func() (func(int) error, error) {
		buf := make([]byte, verifyBuffer)
		return func(i int) error { return p.verifyRegion(ctx, regions[i], buf, progress) }, nil
	})
	return r, err
}

// regions lists all data of the file in ascending order.
func (p *Payload) regions() []region {
	regions := []region{{what: "program", size: p.manifest.Stub.Size, sha256: p.manifest.Stub.SHA256}}
	for i, c := range p.manifest.Components {
		base := p.members[i].dataOffset()
		for n, f := range c.Frames {
			regions = append(regions, region{what: c.Name, member: c.Member, frame: n, offset: base + f.Offset,
				size: f.Size, sha256: f.SHA256})
		}
	}
	for i, f := range p.manifest.Files {
		m := p.members[len(p.manifest.Components)+i]
		regions = append(regions, region{what: f.Name, offset: m.dataOffset(), size: f.Size, sha256: f.SHA256})
	}
	return regions
}

func (p *Payload) verifyRegion(ctx context.Context, r region, buf []byte, progress *progress) error {
	h := sha256.New()
	for off, end := r.offset, r.offset+r.size; off < end; {
		if err := ctx.Err(); err != nil {
			return ctx.Err()
		}
		b := buf[:min(int64(len(buf)), end-off)]
		if _, err := p.src.ReadAt(b, off); err != nil {
			return p.readError(r.what, off, err)
		}
		h.Write(b)
		off += int64(len(b))
		progress.add(int64(len(b)))
	}
	if hex.EncodeToString(h.Sum(nil)) != r.sha256 {
		return p.corruptRange(r.what, r.offset, r.size, "its sha256 is not the one in the manifest", nil)
	}
	return nil
}

// readError tells a file that became shorter from a medium that cannot be read.
func (p *Payload) readError(what string, offset int64, err error) error {
	if errors.Is(err, io.EOF) {
		return p.corrupt(what, offset, "the file became shorter while it was read", nil)
	}
	return fmt.Errorf("cannot read %s at offset %d of %s: %w", what, offset, p.src.path, err)
}

// maxWorkers is how many goroutines work on an appliance unless more are asked for: each may hold a frame and its
// unpacked form in memory, so that three stay below 150 MB, and more would hardly be faster than the disk.
const maxWorkers = 3

// maxXZWorkers is the same for xz, whose decoder makes itself a dictionary for each frame.
const maxXZWorkers = 2

func workers(n int) int {
	if n <= 0 {
		n = min(runtime.GOMAXPROCS(0), maxWorkers)
	}
	return n
}

// inOrder has n workers do tasks 0 … count-1, starting them in this order, and returns the error of the lowest task
// that failed: tasks after a failed one are not started, those before it are finished. begin makes the state of a
// worker.
func inOrder(ctx context.Context, n, count int, begin func() (func(task int) error, error)) error {
	var (
		next atomic.Int64
		wg   sync.WaitGroup
		mu   sync.Mutex
		at   = count
		fail error
	)
	report := func(task int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if fail == nil || task < at {
			at, fail = task, err
		}
		next.Store(int64(count))
	}
	for range min(n, count) {
		wg.Go(func() {
			do, err := begin()
			if err != nil {
				report(count, err)
				return
			}
			for {
				task := int(next.Add(1)) - 1
				if task >= count {
					return
				}
				err := ctx.Err()
				if err == nil {
					err = do(task)
				}
				if err != nil {
					report(task, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return fail
}

// progress serialises the calls of a progress function.
type progress struct {
	mu    sync.Mutex
	f     func(done, total int64)
	done  int64
	total int64
}

func newProgress(f func(done, total int64), total int64) *progress {
	return &progress{f: f, total: total}
}

func (p *progress) add(n int64) {
	if p.f == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	p.f(p.done, p.total)
}
