package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"fate-installer/payload"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// entrySize is how much of an encrypted stream is one entry of the tar stream, in bytes.
const entrySize = 4 << 20

// entryName is the name of the entry i of a stream.
func entryName(i int) string { return fmt.Sprintf("%08d", i) }

// writeStream adds a stream to the file as a component, encrypted to the recipients, and returns the digest of what is
// encrypted. write produces its records but the last.
func writeStream(ctx context.Context, w *payload.Writer, name string, to []age.Recipient,
	write func(*recordWriter) error) (digest string, err error) {
	in, out := io.Pipe()
	entries := &entryWriter{tar: tar.NewWriter(out), sum: sha256.New()}
	produced := make(chan error, 1)
	go func() {
		err := produce(entries, to, write)
		out.CloseWithError(err)
		produced <- err
	}()
	err = w.AddComponent(ctx, payload.Component{Name: name, Version: "1"}, in)
	in.CloseWithError(errors.New("the backup was given up"))
	if wrong := <-produced; err == nil || wrong != nil && ctx.Err() == nil && errors.Is(err, wrong) {
		err = wrong // without what only says that it was read through a tar stream
	}
	return hex.EncodeToString(entries.sum.Sum(nil)), err
}

// produce writes records, compressed and encrypted, and the end of the tar stream.
func produce(entries *entryWriter, to []age.Recipient, write func(*recordWriter) error) error {
	sealed, err := age.Encrypt(entries, to...)
	if err != nil {
		return fmt.Errorf("cannot encrypt: %w", err)
	}
	packed, err := zstd.NewWriter(sealed, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window))
	if err != nil {
		return err
	}
	records := &recordWriter{bufio.NewWriterSize(packed, 1<<16)}
	if err := write(records); err != nil {
		return err
	}
	if err := records.put(recordEnd, nil); err != nil {
		return err
	}
	for _, end := range []func() error{records.w.Flush, packed.Close, sealed.Close, entries.flush, entries.tar.Close} {
		if err := end(); err != nil {
			return err
		}
	}
	return nil
}

// window is the size of the zstd window: what a reader must hold in memory.
const window = 8 << 20

// entryWriter cuts a stream into entries of a tar stream.
type entryWriter struct {
	tar *tar.Writer
	sum hash.Hash // over the stream
	buf []byte
	n   int // entries written
}

func (e *entryWriter) Write(p []byte) (int, error) {
	e.sum.Write(p)
	for rest := p; len(rest) > 0; {
		n := min(entrySize-len(e.buf), len(rest))
		e.buf, rest = append(e.buf, rest[:n]...), rest[n:]
		if len(e.buf) == entrySize {
			if err := e.flush(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

func (e *entryWriter) flush() error {
	if len(e.buf) == 0 {
		return nil
	}
	e.n++
	err := e.tar.WriteHeader(&tar.Header{Name: entryName(e.n), Mode: 0o600, Size: int64(len(e.buf)),
		ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = e.tar.Write(e.buf)
	}
	e.buf = e.buf[:0]
	return err
}

// entryReader joins the entries of a tar stream.
type entryReader struct {
	tar *tar.Reader
	sum hash.Hash
	n   int
	in  bool // inside an entry
}

func (e *entryReader) Read(p []byte) (int, error) {
	for {
		if !e.in {
			h, err := e.tar.Next()
			if err != nil {
				return 0, err
			}
			if e.n++; h.Typeflag != tar.TypeReg || h.Name != entryName(e.n) {
				return 0, fmt.Errorf("the entry %.40q is out of place", h.Name)
			}
			e.in = true
		}
		n, err := e.tar.Read(p)
		if errors.Is(err, io.EOF) {
			e.in, err = false, nil
		}
		if n > 0 || err != nil {
			e.sum.Write(p[:n])
			return n, err
		}
	}
}

// readStream decrypts a stream and hands its records to read, which must read to the last one. A digest that is not
// blank must be that of what is encrypted.
func readStream(ctx context.Context, p *payload.Payload, name, digest string, with []age.Identity,
	read func(*recordReader) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := p.CopyTar(ctx, name, out)
		out.CloseWithError(err)
		done <- err
	}()
	defer func() {
		cancel()
		in.CloseWithError(errNotRead)
		// What is wrong with the file says more than what that does to its decryption.
		if wrong := <-done; wrong != nil && !errors.Is(wrong, errNotRead) && !errors.Is(wrong, context.Canceled) {
			err = wrong
		}
	}()
	entries := &entryReader{tar: tar.NewReader(in), sum: sha256.New()}
	sealed := bufio.NewReaderSize(entries, 1<<16)
	plain, err := age.Decrypt(sealed, with...)
	if err != nil {
		return err
	}
	packed, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return err
	}
	defer packed.Close()
	records := newRecordReader(packed)
	if err := read(records); err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, records.r); err != nil || n > 0 {
		return errors.Join(err, errors.New("the stream goes on after its end"))
	}
	if _, err := io.Copy(io.Discard, sealed); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, in); err != nil { // the end of the tar stream
		return err
	}
	if got := hex.EncodeToString(entries.sum.Sum(nil)); digest != "" && got != digest {
		return errors.New("it belongs to another backup")
	}
	return nil
}

var errNotRead = errors.New("the stream is not read any more")
