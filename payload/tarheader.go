package payload

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The tar stream inside a component has one form for each entry: a POSIX ustar header with numeric owner 0 and no
// names, preceded by a PAX extended header only if the path, the link target or the size does not fit into it. The
// reader accepts just this form, so that no two tar programs can disagree on what a component holds. See pax(1), "ustar
// Interchange Format" and "pax Header Block", for the layout.

// tarMagic is the magic and the version of ustar, from offset 257.
const tarMagic = "ustar\x0000"

// What fits into the fields of a ustar header.
const (
	ustarName = 100
	ustarSize = 1<<33 - 1 // also the latest time, in seconds
)

const typePAX = 'x'

// appendHeader appends the canonical header blocks of e.
func appendHeader(b []byte, e *entry) []byte {
	name, target, size := e.name, e.target, e.size
	if e.kind == kindDir {
		name += "/"
	}
	var records []byte
	if !fitsUstar(name) {
		records = appendRecord(records, "path", name)
	}
	if !fitsUstar(target) {
		records = appendRecord(records, "linkpath", target)
	}
	if size > ustarSize {
		records = appendRecord(records, "size", strconv.FormatInt(size, 10))
		size = 0
	}
	if records != nil {
		b = appendBlock(b, "PaxHeader", "", typePAX, 0o644, int64(len(records)), 0)
		b = append(b, records...)
		b = append(b, make([]byte, padded(int64(len(records)))-int64(len(records)))...)
	}
	return appendBlock(b, name, target, byte(e.kind), e.mode, size, e.mtime)
}

// fitsUstar tells whether s can stand in a name field of a ustar header. Other than ASCII is not defined there.
func fitsUstar(s string) bool {
	if len(s) > ustarName {
		return false
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// appendRecord appends a PAX record: its length in decimal, which counts its own digits, key and value.
func appendRecord(b []byte, key, value string) []byte {
	n := len(key) + len(value) + len(" =\n")
	digits := len(strconv.Itoa(n))
	if len(strconv.Itoa(n+digits)) > digits {
		digits++
	}
	return fmt.Appendf(b, "%d %s=%s\n", n+digits, key, value)
}

func appendBlock(b []byte, name, target string, typeflag byte, mode uint32, size, mtime int64) []byte {
	at := len(b)
	b = append(b, zeros[:tarBlock]...)
	h := b[at:]
	copy(h[:ustarName], name)
	putOctal(h[100:108], int64(mode))
	putOctal(h[108:116], 0) // uid
	putOctal(h[116:124], 0) // gid
	putOctal(h[124:136], size)
	putOctal(h[136:148], mtime)
	h[156] = typeflag
	copy(h[157:257], target)
	copy(h[257:265], tarMagic)
	putOctal(h[329:337], 0) // device numbers
	putOctal(h[337:345], 0)
	copy(h[148:156], "        ") // the sum counts its own field as blanks
	var sum int64
	for _, c := range h {
		sum += int64(c)
	}
	putOctal(h[148:155], sum)
	return b
}

var zeros [2 * tarBlock]byte

// putOctal fills field with n in octal and a final NUL.
func putOctal(field []byte, n int64) {
	field[len(field)-1] = 0
	for i := len(field) - 2; i >= 0; i-- {
		field[i] = '0' + byte(n&7)
		n >>= 3
	}
}

var errHeader = errors.New("a tar header is not in its canonical form")

// parseHeader reads the header blocks that raw begins with, and returns the entry and how many bytes they take.
func parseHeader(raw []byte) (entry, int, error) {
	var e entry
	var records []byte
	n := 0
	if len(raw) >= tarBlock && raw[156] == typePAX {
		size, ok := parseOctal(raw[124:136])
		// Each text in a record is bounded, and so are they together.
		if !ok || size > 3*maxText || tarBlock+padded(size) > int64(len(raw)) {
			return e, 0, errHeader
		}
		records = raw[tarBlock : tarBlock+size]
		n = tarBlock + int(padded(size))
	}
	if len(raw) < n+tarBlock {
		return e, 0, errHeader
	}
	h := raw[n : n+tarBlock]
	n += tarBlock
	mode, ok1 := parseOctal(h[100:108])
	size, ok2 := parseOctal(h[124:136])
	mtime, ok3 := parseOctal(h[136:148])
	if !ok1 || !ok2 || !ok3 {
		return e, 0, errHeader
	}
	e = entry{name: cString(h[:ustarName]), kind: kind(h[156]), mode: uint32(mode), size: size, mtime: mtime,
		target: cString(h[157:257])}
	if err := e.override(records); err != nil {
		return e, 0, err
	}
	if e.kind == kindDir {
		e.name = strings.TrimSuffix(e.name, "/")
	}
	if err := e.check(); err != nil {
		return e, 0, err
	}
	var canonical [4 * tarBlock]byte
	if !bytes.Equal(appendHeader(canonical[:0], &e), raw[:n]) {
		return e, 0, errHeader
	}
	return e, n, nil
}

// override applies the records of a PAX extended header. Whether they were needed, in the right order and well formed
// is seen when the entry is encoded again.
func (e *entry) override(records []byte) error {
	for len(records) > 0 {
		digits, _, ok := bytes.Cut(records, []byte(" "))
		n, err := strconv.Atoi(string(digits))
		if !ok || err != nil || n <= len(digits)+1 || n > len(records) || records[n-1] != '\n' {
			return errHeader
		}
		key, value, ok := strings.Cut(string(records[len(digits)+1:n-1]), "=")
		if !ok {
			return errHeader
		}
		switch key {
		case "path":
			e.name = value
		case "linkpath":
			e.target = value
		case "size":
			if e.size, err = strconv.ParseInt(value, 10, 64); err != nil || e.size < 0 {
				return errHeader
			}
		default:
			return fmt.Errorf("a tar header has the record %.40q", key)
		}
		records = records[n:]
	}
	return nil
}

// parseOctal reads a field that putOctal wrote.
func parseOctal(field []byte) (int64, bool) {
	var n int64
	for _, c := range field[:len(field)-1] {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | int64(c-'0')
	}
	return n, field[len(field)-1] == 0
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
