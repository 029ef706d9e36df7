package payload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
)

// WriterOptions say how an appliance is written.
type WriterOptions struct {
	Release Release
	Codec   string // CodecZstd (also if empty) or CodecXZ
	// Level is the zstd level as the zstd tool counts it, of which this encoder has four (1, 3, 7, 11 and up). 0 is the
	// best.
	Level int
	// FrameSize is how many bytes of a tar stream are compressed together: from 64 KiB to MaxFrame, which 0 means.
	// Smaller frames need less memory where they are unpacked, and more space.
	FrameSize int
	// Compressor, if not nil, makes the frames in place of the built-in encoder, and Level has no meaning.
	Compressor *Compressor
	Workers    int         // frames compressed at once; 0 means one for each processor
	Key        *PrivateKey // signs the manifest, if not nil
}

// Compressor makes frames better than the built-in encoders do: a tool of the build host, as xz is one.
type Compressor struct {
	// Name is recorded in the manifest: program, version and options, on which the bytes depend.
	Name string
	// Compress gives one zstd frame with a window of at most 16 MiB, or one xz stream with a dictionary of at most 8
	// MiB and without the block sizes that threads need (xz -6 -T1). What it gives is unpacked and compared. It is
	// called by several goroutines at once.
	Compress func(ctx context.Context, raw []byte) ([]byte, error)
}

// Writer writes one appliance. The bytes depend on what is added, in which order, and on the options but Workers.
type Writer struct {
	out      *os.File
	o        WriterOptions
	m        Manifest
	encoders []encoder
	pieces   chan *piece
	offset   int64    // where the next member begins
	files    [][]byte // content of m.Files
	err      error    // the first failure; everything after it fails too
}

// NewWriter begins an appliance in the file out, which is empty and open for reading and writing, with the program
// stub, a static ELF executable without a payload. A Writer needs about 64 MB, and 100 MB for each worker that
// compresses with the best zstd level.
func NewWriter(out *os.File, stub io.Reader, o WriterOptions) (*Writer, error) {
	info, err := out.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot write the appliance: %w", err)
	}
	if info.Size() != 0 {
		return nil, fmt.Errorf("cannot write the appliance %s: it is not empty", out.Name())
	}
	if o.Codec == "" {
		o.Codec = CodecZstd
	}
	if o.FrameSize == 0 {
		o.FrameSize = MaxFrame
	}
	if o.FrameSize < minFrame || o.FrameSize > MaxFrame || o.FrameSize%tarBlock != 0 {
		return nil, fmt.Errorf("cannot write frames of %d bytes: the size must be a multiple of %d from %d to %d",
			o.FrameSize, tarBlock, minFrame, MaxFrame)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	w := &Writer{out: out, o: o, m: Manifest{Schema: Schema, Release: o.Release, Components: []Component{}},
		pieces: newPieces(o.Workers)}
	for range o.Workers {
		e, err := o.newEncoder()
		if err != nil {
			return nil, err
		}
		w.encoders = append(w.encoders, e)
	}
	return w, w.writeStub(stub)
}

func (o WriterOptions) newEncoder() (encoder, error) {
	if o.Compressor != nil {
		return newForeignEncoder(o.Codec, o)
	}
	return newEncoder(o.Codec, o.Level)
}

func (w *Writer) writeStub(stub io.Reader) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w.out, h), stub)
	if err != nil {
		return fmt.Errorf("cannot copy the program into the appliance: %w", err)
	}
	end, arch, err := elfEnd(w.out)
	if err != nil {
		return fmt.Errorf("cannot use this program for an appliance: %w", err)
	}
	if end != n {
		return fmt.Errorf("cannot use this program for an appliance: its headers describe %d bytes, it has %d; use "+
			"one without a payload", end, n)
	}
	if p := "linux/" + arch; p != w.o.Release.Platform {
		return fmt.Errorf("cannot use this program for an appliance: it is for %s, the release for %s", p,
			w.o.Release.Platform)
	}
	w.m.Stub = Blob{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}
	w.offset = n
	return nil
}

// AddComponent stores the tree of a tar stream as component c, whose name and description are filled in and whose sizes
// and frames are computed. The stream may be any tar: what is stored is its canonical form, with the entries in the
// same order and directories added that it does not list. It must not have two entries of one name, entries that are
// not regular files, directories or links, or links that lead out of the tree.
//
// After an error the appliance cannot be finished.
func (w *Writer) AddComponent(ctx context.Context, c Component, tarStream io.Reader) error {
	if w.err == nil {
		w.err = w.addComponent(ctx, c, tarStream)
	}
	return w.err
}

func (w *Writer) addComponent(ctx context.Context, c Component, tarStream io.Reader) error {
	c.Size, c.Files, c.Dirs, c.Links, c.Digest, c.CRC32, c.Frames = 0, 0, 0, 0, "", 0, nil
	c.Codec, c.Encoder = w.o.Codec, ""
	if w.o.Compressor != nil {
		c.Encoder = w.o.Compressor.Name
	}
	var err error
	if c.Member, err = memberOf(c.Name, c.Codec); err != nil {
		return err
	}
	m := member{name: c.Member, offset: w.offset}
	if _, err := w.out.WriteAt(m.localHeader(), m.offset); err != nil {
		return fmt.Errorf("cannot write the appliance: %w", err)
	}
	out := io.NewOffsetWriter(w.out, m.dataOffset())
	stored, err := newFramer(out, c, w.o.FrameSize, w.pieces).run(ctx, tarStream, w.encoders)
	if err != nil {
		return fmt.Errorf("cannot add component %s: %w", c.Name, err)
	}
	c = stored
	m.size, m.crc32 = c.StoredSize(), c.CRC32
	w.m.Components = append(w.m.Components, c)
	return w.finish(m)
}

// Components lists what AddComponent has stored so far, with everything computed.
func (w *Writer) Components() []Component { return w.m.Components }

// AddFile stores data as a member of its own, such as an SBOM. Files follow the components, whenever they are added.
func (w *Writer) AddFile(name string, data []byte) error {
	if w.err == nil {
		w.err = w.addFile(name, data)
	}
	return w.err
}

func (w *Writer) addFile(name string, data []byte) error {
	w.m.Files = append(w.m.Files, File{Name: name, Size: int64(len(data)), SHA256: hexSHA256(data),
		CRC32: crc32.ChecksumIEEE(data)})
	w.files = append(w.files, data)
	if err := w.m.check(); err != nil {
		return fmt.Errorf("cannot add file %s: %w", name, err)
	}
	return nil
}

// finish writes the header of a member whose data is in place.
func (w *Writer) finish(m member) error {
	if err := w.m.check(); err != nil {
		return fmt.Errorf("cannot add %s: %w", m.name, err)
	}
	if _, err := w.out.WriteAt(m.localHeader(), m.offset); err != nil {
		return fmt.Errorf("cannot write the appliance: %w", err)
	}
	w.offset = m.end()
	return nil
}

// Close writes the manifest, its signature and the directory, and flushes the file to disk, but leaves it open.
// The appliance is complete only if there is no error.
func (w *Writer) Close() (*Manifest, error) {
	if w.err != nil {
		return nil, w.err
	}
	w.err = errors.New("the appliance is closed")
	text, err := w.m.Encode()
	if err != nil {
		return nil, err
	}
	var signature []byte
	if w.o.Key != nil {
		signature = sign(*w.o.Key, &w.m, text)
	}
	if err := writeTail(w.out, &w.m, w.files, text, signature); err != nil {
		return nil, fmt.Errorf("cannot write the appliance: %w", err)
	}
	return &w.m, nil
}

// writeTail writes everything behind the components.
func writeTail(out *os.File, m *Manifest, files [][]byte, text, signature []byte) error {
	members := layout(m, text, signature)
	start := place(m.Stub.Size, members)
	data := append(files[:len(files):len(files)], text)
	if signature != nil {
		data = append(data, signature)
	}
	for i, member := range members[len(m.Components):] {
		if _, err := out.WriteAt(append(member.localHeader(), data[i]...), member.offset); err != nil {
			return err
		}
	}
	tail := directory(start, members, archiveComment(Schema, hexSHA256(text)))
	if _, err := out.WriteAt(tail, start); err != nil {
		return err
	}
	if err := out.Truncate(start + int64(len(tail))); err != nil {
		return err
	}
	return out.Sync()
}
