package payload

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// This file knows the ZIP part of an appliance (APPNOTE.TXT 6.3.x). It has an encoder of its own rather than
// archive/zip because a reader compares what it finds with what the encoder gives, byte by byte: the text may
// never depend on the version of a library. Every member is stored, has ZIP64 sizes however small it is, the time
// 1980-01-01 and mode 0644, so all headers have one length and there is no second, seldom tried, form.

const (
	zipLocalSignature          = 0x04034b50
	zipDirSignature            = 0x02014b50
	zipEnd64Signature          = 0x06064b50
	zipLocatorSignature        = 0x07064b50
	zipEndSignature            = 0x06054b50
	zipVersion                 = 45                // the first with ZIP64
	zipMadeBy                  = 3<<8 | zipVersion // on Unix, so that the mode counts
	zipUTF8                    = 1 << 11
	zipDate                    = 1<<5 | 1 // 1980-01-01
	zipMode                    = 0o100644 << 16
	zip64ExtraID               = 1
	zipLocalLen                = 30 + 20
	zipDirLen                  = 46 + 28
	zipEndLen                  = 56 + 20 + 22
	max16               uint16 = 0xffff
	max32               uint32 = 0xffffffff
)

// commentPrefix starts the archive comment, which ends with the sha256 of manifest.json. It marks an appliance, names
// its format, and protects the manifest of an appliance that is not signed.
const commentPrefix = "fate-installer payload "

func archiveComment(schema int, manifestSHA256 string) string {
	return fmt.Sprintf("%s%03d manifest sha256 %s\n", commentPrefix, schema, manifestSHA256)
}

var commentLen = len(archiveComment(Schema, strings.Repeat("0", 64)))

// member is one entry of the archive.
type member struct {
	name   string
	crc32  uint32
	size   int64
	offset int64 // of its local header, from the start of the file
}

func (m member) dataOffset() int64 { return m.offset + zipLocalLen + int64(len(m.name)) }
func (m member) end() int64        { return m.dataOffset() + m.size }

// place gives each member its offset, the first at base, and returns where the directory begins.
func place(base int64, members []member) int64 {
	for i := range members {
		members[i].offset = base
		base = members[i].end()
	}
	return base
}

// localHeader is the header before the data of m.
func (m member) localHeader() []byte {
	b := make([]byte, 0, zipLocalLen+len(m.name))
	le := binary.LittleEndian
	b = le.AppendUint32(b, zipLocalSignature)
	b = m.appendCommon(b)
	b = le.AppendUint16(b, 20)
	b = append(b, m.name...)
	b = le.AppendUint16(b, zip64ExtraID)
	b = le.AppendUint16(b, 16)
	b = le.AppendUint64(b, uint64(m.size))
	return le.AppendUint64(b, uint64(m.size))
}

// appendCommon appends the fields that both headers of a member share: version needed … length of the name.
func (m member) appendCommon(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, zipVersion)
	b = le.AppendUint16(b, zipUTF8)
	b = le.AppendUint16(b, 0) // stored
	b = le.AppendUint16(b, 0) // 00:00:00
	b = le.AppendUint16(b, zipDate)
	b = le.AppendUint32(b, m.crc32)
	b = le.AppendUint32(b, max32) // both sizes are in the extra field
	b = le.AppendUint32(b, max32)
	return le.AppendUint16(b, uint16(len(m.name)))
}

// directory is everything behind the last member: the central directory at offset start and the three end records.
func directory(start int64, members []member, comment string) []byte {
	le := binary.LittleEndian
	var b []byte
	for _, m := range members {
		b = le.AppendUint32(b, zipDirSignature)
		b = le.AppendUint16(b, zipMadeBy)
		b = m.appendCommon(b)
		b = le.AppendUint16(b, 28)
		b = le.AppendUint16(b, 0) // comment
		b = le.AppendUint16(b, 0) // disk
		b = le.AppendUint16(b, 0) // internal attributes
		b = le.AppendUint32(b, zipMode)
		b = le.AppendUint32(b, max32)
		b = append(b, m.name...)
		b = le.AppendUint16(b, zip64ExtraID)
		b = le.AppendUint16(b, 24)
		b = le.AppendUint64(b, uint64(m.size))
		b = le.AppendUint64(b, uint64(m.size))
		b = le.AppendUint64(b, uint64(m.offset))
	}
	return append(b, endRecords(trailer{count: uint64(len(members)), size: int64(len(b)),
		start: start, comment: comment})...)
}

// trailer has the values of the three end records.
type trailer struct {
	count   uint64 // members
	size    int64  // of the central directory
	start   int64  // its offset
	comment string
}

func endRecords(t trailer) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, zipEndLen+len(t.comment))
	b = le.AppendUint32(b, zipEnd64Signature)
	b = le.AppendUint64(b, 56-12)
	b = le.AppendUint16(b, zipMadeBy)
	b = le.AppendUint16(b, zipVersion)
	b = le.AppendUint32(b, 0) // disk
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, t.count)
	b = le.AppendUint64(b, t.count)
	b = le.AppendUint64(b, uint64(t.size))
	b = le.AppendUint64(b, uint64(t.start))
	b = le.AppendUint32(b, zipLocatorSignature)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, uint64(t.start+t.size))
	b = le.AppendUint32(b, 1) // disks
	b = le.AppendUint32(b, zipEndSignature)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint16(b, max16)
	b = le.AppendUint16(b, max16)
	b = le.AppendUint32(b, max32)
	b = le.AppendUint32(b, max32)
	b = le.AppendUint16(b, uint16(len(t.comment)))
	return append(b, t.comment...)
}

var errTrailer = errors.New("there is no trailer")

// parseTrailer reads the end records from the last bytes of a file of the given size. It accepts what endRecords writes
// and nothing else.
func parseTrailer(tail []byte, size int64) (trailer, error) {
	n := zipEndLen + commentLen
	if len(tail) < n {
		return trailer{}, errTrailer
	}
	tail = tail[len(tail)-n:]
	comment := string(tail[zipEndLen:])
	if !strings.HasPrefix(comment, commentPrefix) {
		return trailer{}, errTrailer
	}
	le := binary.LittleEndian
	t := trailer{count: le.Uint64(tail[24:]), size: int64(le.Uint64(tail[40:])), start: int64(le.Uint64(tail[48:])),
		comment: comment}
	if t.start < 0 || t.start > size || t.size < 0 || t.size != size-int64(n)-t.start ||
		!bytes.Equal(endRecords(t), tail) {
		return trailer{}, errors.New("the end records are damaged")
	}
	return t, nil
}

// manifestDigest is the digest the comment carries, or an error if the comment is of another format.
func (t trailer) manifestDigest() (string, error) {
	var schema int
	var digest string
	if _, err := fmt.Sscanf(t.comment, commentPrefix+"%03d manifest sha256 %64s", &schema, &digest); err != nil {
		return "", errors.New("the archive comment is damaged")
	}
	if schema != Schema {
		return "", &SchemaError{Got: schema}
	}
	if t.comment != archiveComment(schema, digest) || !isSHA256(digest) {
		return "", errors.New("the archive comment is damaged")
	}
	return digest, nil
}

// parseDirectory reads the names, sizes and offsets of the members. Everything else in the directory is checked later,
// by comparing it with what the manifest says it must be.
func parseDirectory(b []byte) ([]member, error) {
	le := binary.LittleEndian
	var members []member
	for len(b) > 0 {
		if len(b) < zipDirLen || le.Uint32(b) != zipDirSignature {
			return nil, errors.New("the central directory is damaged")
		}
		n := int(le.Uint16(b[28:]))
		if len(b) < zipDirLen+n {
			return nil, errors.New("the central directory is damaged")
		}
		x := b[46+n:]
		members = append(members, member{
			name:   string(b[46 : 46+n]),
			crc32:  le.Uint32(b[16:]),
			size:   int64(le.Uint64(x[4:])),
			offset: int64(le.Uint64(x[20:])),
		})
		b = b[zipDirLen+n:]
	}
	return members, nil
}
