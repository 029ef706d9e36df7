package payload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// encoder compresses one frame at a time. The result depends only on the input and the options.
type encoder interface {
	// encode may use the memory of dst.
	encode(ctx context.Context, dst, raw []byte) ([]byte, error)
}

// xzDict is the dictionary of xz frames, that of xz -6. A larger one would cost each reader as much memory and save
// little, since a frame is only twice as large.
const xzDict = 8 << 20

func newEncoder(codec string, level int) (encoder, error) {
	switch codec {
	case CodecZstd:
		l := zstd.SpeedBestCompression
		if level != 0 {
			l = zstd.EncoderLevelFromZstd(level)
		}
		// The window spans the whole frame; readers hold the frame in memory anyway.
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(l), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(MaxFrame))
		return zstdEncoder{e}, err
	case CodecXZ:
		return xzEncoder{}, nil
	}
	return nil, fmt.Errorf("unknown codec %q, want %s or %s", codec, CodecZstd, CodecXZ)
}

type zstdEncoder struct{ z *zstd.Encoder }

func (e zstdEncoder) encode(_ context.Context, dst, raw []byte) ([]byte, error) {
	return e.z.EncodeAll(raw, dst[:0]), nil
}

type xzEncoder struct{}

func (xzEncoder) encode(_ context.Context, dst, raw []byte) ([]byte, error) {
	b := bytes.NewBuffer(dst[:0])
	w, err := xz.WriterConfig{DictCap: xzDict}.NewWriter(b)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(raw); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// foreignEncoder compresses with something else, and believes the result only after decoding it.
type foreignEncoder struct {
	compress func(ctx context.Context, raw []byte) ([]byte, error)
	check    decoder
}

func newForeignEncoder(codec string, o WriterOptions) (encoder, error) {
	d, err := newDecoder(codec, int64(o.FrameSize))
	return foreignEncoder{o.Compressor.Compress, d}, err
}

func (e foreignEncoder) encode(ctx context.Context, _, raw []byte) ([]byte, error) {
	stored, err := e.compress(ctx, raw)
	if err != nil {
		return nil, err
	}
	got, err := e.check.decode(stored, int64(len(raw)))
	if err != nil {
		return nil, fmt.Errorf("the compressor gave a frame that readers refuse: %w", err)
	}
	if !bytes.Equal(got, raw) {
		return nil, errors.New("the compressor gave a frame with other content")
	}
	return stored, nil
}

// decoder decompresses one frame at a time into memory of its own, which the next call overwrites.
type decoder interface {
	// decode fails unless the frame holds exactly size bytes, which must not be more than the decoder was made for.
	decode(stored []byte, size int64) ([]byte, error)
}

// newDecoder makes a decoder for frames of up to size bytes.
func newDecoder(codec string, size int64) (decoder, error) {
	switch codec {
	case CodecZstd:
		// sha256 over the compressed bytes has been checked by then, so the frame's own checksum is for stock tools
		// only.
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxFrame),
			zstd.WithDecoderMaxWindow(MaxFrame), zstd.WithDecodeAllCapLimit(true), zstd.IgnoreChecksum(true))
		return &zstdDecoder{z: z, buf: newBuffer(size + zstdSlack)}, err
	case CodecXZ:
		return &xzDecoder{buf: make([]byte, size)}, nil
	}
	return nil, fmt.Errorf("unknown codec %q, want %s or %s", codec, CodecZstd, CodecXZ)
}

var errRawSize = errors.New("it does not unpack to the size the manifest gives")

// zstdSlack lets the decoder write a little past the end, which is faster.
const zstdSlack = 1 << 10

type zstdDecoder struct {
	z   *zstd.Decoder
	buf []byte
}

func (d *zstdDecoder) decode(stored []byte, size int64) ([]byte, error) {
	raw, err := d.z.DecodeAll(stored, d.buf[:0:size+zstdSlack])
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || err == nil && int64(len(raw)) != size {
		return nil, errRawSize
	}
	return raw, err
}

type xzDecoder struct {
	buf []byte
}

func (d *xzDecoder) decode(stored []byte, size int64) ([]byte, error) {
	if err := checkXZDict(stored); err != nil {
		return nil, err
	}
	r, err := xz.ReaderConfig{DictCap: xzDict, SingleStream: true}.NewReader(bytes.NewReader(stored))
	if err != nil {
		return nil, err
	}
	raw := d.buf[:size]
	if _, err := io.ReadFull(r, raw); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errRawSize
		}
		return nil, err
	}
	// Reading on to the end checks the stream's own index and footer.
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		if err != nil && err != io.EOF {
			return nil, err
		}
		return nil, errRawSize
	}
	return raw, nil
}

// checkXZDict refuses a stream that asks for a larger dictionary than the encoder uses: the library would allocate it.
// See "The .xz File Format", 3.1 Block Header, for the layout.
func checkXZDict(stored []byte) error {
	const header = 12
	b := stored
	if len(b) < header+12 {
		return io.ErrUnexpectedEOF
	}
	b = b[header:]
	if b[1] != 0 || b[2] != 0x21 || b[3] != 1 {
		return errors.New("its xz filters are not plain LZMA2")
	}
	if bits := b[4]; bits > 40 || int64(2|bits&1)<<(bits/2+11) > xzDict {
		return errors.New("its xz dictionary is too large")
	}
	return nil
}
