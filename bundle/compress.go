package bundle

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds the memory a decoder of a source may take: zstd --long=27 and xz -9 stay within it.
const maxWindow = 128 << 20

// compression is a container of one compressed stream.
type compression uint8

const (
	plain compression = iota
	gzipped
	bzipped
	xzipped
	zstandard
)

// magics are the first bytes of each, from the formats' specifications. bzip2 is "BZh", the block size and the
// digits of pi or, for an empty file, of its square root; "BZh" alone would begin many a text.
var magics = []struct {
	c     compression
	match func(head []byte) bool
}{
	{gzipped, prefix("\x1f\x8b\x08")},
	{xzipped, prefix("\xfd7zXZ\x00")},
	{zstandard, prefix("\x28\xb5\x2f\xfd")},
	{zstandard, func(b []byte) bool { // a skippable frame first, as pzstd and appliance members may have
		return len(b) >= 4 && b[0]&0xf0 == 0x50 && string(b[1:4]) == "\x2a\x4d\x18"
	}},
	{bzipped, func(b []byte) bool {
		return len(b) >= 10 && string(b[:3]) == "BZh" && b[3] >= '1' && b[3] <= '9' &&
			(string(b[4:10]) == "1AY&SY" || string(b[4:10]) == "\x17\x72\x45\x38\x50\x90")
	}},
}

func prefix(magic string) func([]byte) bool {
	return func(b []byte) bool { return bytes.HasPrefix(b, []byte(magic)) }
}

// compressionOf looks at the beginning of a file.
func compressionOf(head []byte) compression {
	for _, m := range magics {
		if m.match(head) {
			return m.c
		}
	}
	return plain
}

// decompress returns the plain bytes of r, which may be compressed in any of the known ways or not at all.
func decompress(r *bufio.Reader) (io.ReadCloser, error) {
	head, err := r.Peek(64)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch compressionOf(head) {
	case gzipped:
		return gzip.NewReader(r)
	case bzipped:
		return io.NopCloser(bzip2.NewReader(r)), nil
	case xzipped:
		if size := xzWindow(head); size > maxWindow {
			return nil, fmt.Errorf("the xz stream wants %d MiB of memory, at most %d are given",
				size>>20, maxWindow>>20)
		}
		x, err := xz.NewReader(r)
		return io.NopCloser(x), err
	case zstandard:
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

// xzWindow reads the dictionary size from the first block header of an xz stream, 0 when there is none. The reader
// allocates it before it has seen a byte of data. Layout: xz file format 1.2.1, sections 2.1 and 3.1; every block has
// one LZMA2 filter in practice, and the later blocks of a stream are made by the same encoder.
func xzWindow(head []byte) int64 {
	const streamHeader = 12
	if len(head) < streamHeader+2 {
		return 0
	}
	block := head[streamHeader:]
	flags, rest := block[1], block[2:]
	for _, present := range []bool{flags&0x40 != 0, flags&0x80 != 0} { // compressed and uncompressed size
		for n := 0; present && n < len(rest); n++ {
			if rest[n]&0x80 == 0 { // last byte of a variable-length integer
				rest, present = rest[n+1:], false
			}
		}
	}
	const lzma2 = 0x21
	if at := bytes.Index(rest, []byte{lzma2, 1}); at >= 0 && at+2 < len(rest) {
		if bits := rest[at+2] & 0x3f; bits < 40 {
			return int64(2|bits&1) << (bits/2 + 11)
		}
		return 4 << 30
	}
	return 0
}

// content is the kind of a source's bytes.
type content struct {
	format   Format
	archived io.ReadCloser // the bytes, decompressed when the format is tar
}

// identify decides how to read the file called name from its bytes. format is what the lock says, or auto.
func identify(name string, format Format, r *bufio.Reader) (content, error) {
	if format == FormatFile {
		return content{FormatFile, io.NopCloser(r)}, nil
	}
	head, err := r.Peek(512)
	if err != nil && err != io.EOF {
		return content{}, err
	}
	found := content{FormatFile, io.NopCloser(r)}
	switch c := compressionOf(head); {
	case c != plain || looksLikeTar(head):
		if found, err = identifyCompressed(r, c); err != nil {
			return content{}, err
		}
	case bytes.HasPrefix(head, []byte(arMagic+"debian-binary")):
		found.format = FormatDeb
	case isZip(head) && (format == FormatZip || !isProgramArchive(name)):
		found.format = FormatZip
	}
	if format == FormatWheels && (found.format == FormatTar || isZip(head)) {
		return found, nil
	}
	if format != FormatAuto && format != found.format {
		found.archived.Close()
		return content{}, fmt.Errorf("the lock says format %s, but its bytes are of format %s", format, found.format)
	}
	return found, nil
}

// identifyCompressed tells a compressed tar from another compressed file.
func identifyCompressed(r *bufio.Reader, c compression) (content, error) {
	inside, err := decompress(r)
	if err != nil {
		return content{}, err
	}
	buffered := bufio.NewReaderSize(inside, 64<<10)
	head, err := buffered.Peek(512)
	if err != nil && err != io.EOF {
		inside.Close()
		return content{}, err
	}
	if c != plain && !looksLikeTar(head) {
		inside.Close()
		return content{}, &notTarError{}
	}
	return content{FormatTar, struct {
		io.Reader
		io.Closer
	}{buffered, inside}}, nil
}

// notTarError stops a build where guessing would be wrong half of the time.
type notTarError struct{}

func (*notTarError) Error() string { return "it is compressed, but not a tar" }
func (*notTarError) Hint() string {
	return "to put the compressed file into the component as it is, set format: file"
}

// looksLikeTar recognises a tar header by its checksum, the one thing that V7, POSIX and GNU tars have in common.
func looksLikeTar(head []byte) bool {
	if len(head) < 512 {
		return false
	}
	head = head[:512]
	var sum int64
	for i, b := range head {
		if i >= 148 && i < 156 { // the checksum itself counts as blanks
			b = ' '
		}
		sum += int64(b)
	}
	var stored int64
	field := strings.Trim(string(head[148:156]), " \x00")
	if _, err := fmt.Sscanf(field, "%o", &stored); err != nil {
		return false
	}
	return stored == sum
}

func isZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

// isProgramArchive recognises the ZIP files that programs load as they are.
func isProgramArchive(name string) bool {
	for _, suffix := range []string{".jar", ".war", ".whl", ".egg"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
