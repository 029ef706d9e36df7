package backup

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A stream is a sequence of records: a byte that says what it is, the length of its content as a uvarint, and the
// content. The last one is recordEnd; a stream that ends before it was cut.
const (
	recordTree  = 'T' // JSON: a directory of files begins
	recordDir   = 'd' // JSON: a directory in it
	recordFile  = 'f' // JSON: a file in it begins; recordChunk and then recordWhole or recordVoid follow
	recordChunk = 'c' // bytes of the file
	recordWhole = 'w' // the file is complete
	recordVoid  = 'v' // the file changed while it was read: it does not count
	recordTable = 't' // JSON: a table begins
	recordRow   = 'r' // a row: for each column a uvarint, 0 for NULL or the length and 1, and the value
	recordRows  = 'n' // JSON: the table is complete
	recordDoc   = 'j' // JSON: the secrets
	recordEnd   = 'z'
)

// Limits of a record.
const (
	maxRecord = 256 << 20 // a row; MySQL's packets are at most 1 GiB, and 64 MiB by default
	chunkSize = 1 << 20   // bytes of a file in one record
)

// recordWriter writes records.
type recordWriter struct{ w *bufio.Writer }

func (r *recordWriter) put(kind byte, content []byte) error {
	if len(content) > maxRecord {
		return fmt.Errorf("a record of %d bytes is longer than a backup can have", len(content))
	}
	var head [1 + binary.MaxVarintLen64]byte
	head[0] = kind
	n := binary.PutUvarint(head[1:], uint64(len(content)))
	if _, err := r.w.Write(head[:1+n]); err != nil {
		return err
	}
	_, err := r.w.Write(content)
	return err
}

func (r *recordWriter) json(kind byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return r.put(kind, data)
}

// recordReader reads records.
type recordReader struct {
	r   *bufio.Reader
	buf bytes.Buffer
}

func newRecordReader(r io.Reader) *recordReader {
	return &recordReader{r: bufio.NewReaderSize(r, 1<<16)}
}

// errCut is the end of a stream before its last record.
var errCut = errors.New("the stream ends too early")

// next returns a record. Its content is valid until the next call. Memory is taken only for what is there.
func (r *recordReader) next() (kind byte, content []byte, err error) {
	if kind, err = r.r.ReadByte(); err != nil {
		return 0, nil, cutIfEOF(err)
	}
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		return 0, nil, cutIfEOF(err)
	}
	if n > maxRecord {
		return 0, nil, fmt.Errorf("a record has an impossible length of %d bytes", n)
	}
	r.buf.Reset()
	if _, err := io.CopyN(&r.buf, r.r, int64(n)); err != nil {
		return 0, nil, cutIfEOF(err)
	}
	return kind, r.buf.Bytes(), nil
}

func cutIfEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}

// decode reads a JSON record strictly.
func decode(content []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// appendValue appends a value of a row; nil is NULL.
func appendValue(row, value []byte) []byte {
	if value == nil {
		return binary.AppendUvarint(row, 0)
	}
	row = binary.AppendUvarint(row, uint64(len(value))+1)
	return append(row, value...)
}

// splitRow returns the values of a row with n columns.
func splitRow(row []byte, n int) ([][]byte, error) {
	values := make([][]byte, n)
	for i := range values {
		size, used := binary.Uvarint(row)
		if used <= 0 {
			return nil, errors.New("a row is damaged")
		}
		row = row[used:]
		if size == 0 {
			continue
		}
		if size-1 > uint64(len(row)) {
			return nil, errors.New("a row is damaged")
		}
		values[i] = row[: size-1 : size-1]
		row = row[size-1:]
	}
	if len(row) != 0 {
		return nil, errors.New("a row has too many values")
	}
	return values, nil
}

// unexpected is a record at a place where it cannot be.
func unexpected(kind byte) error { return fmt.Errorf("a record of kind %q is out of place", kind) }
