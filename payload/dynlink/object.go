package dynlink

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Object has the fields of an ELF file that the dynamic loader reads before it looks for the libraries that the file
// needs.
type Object struct {
	Type    elf.Type
	Interp  string   // the loader that a program asks for; empty in a library and in a static program
	Soname  string   // DT_SONAME
	Needed  []string // DT_NEEDED, in the file's order
	RPath   []string // directories of DT_RPATH, as they are written; ignored by the loader when there is a DT_RUNPATH
	RunPath []string // directories of DT_RUNPATH, as they are written

	HasRunPath   bool
	NoDefaultLib bool // DF_1_NODEFLIB: neither the default directories nor what ld.so.cache has of them

	Versions []VersionNeed // DT_VERNEED
	Defines  []string      // names of DT_VERDEF, the file's own among them
}

// VersionNeed is a version of symbols that an object needs of one of its libraries.
type VersionNeed struct {
	Library string // as in DT_NEEDED
	Version string // such as GLIBC_2.17
	Weak    bool   // the loader only warns when it is missing
}

// IsProgram reports whether the file is started by the kernel with a dynamic loader. Libraries that can be run, such as
// libc.so.6 itself, are not: they have a name that others need them by.
func (o *Object) IsProgram() bool { return o.Interp != "" && o.Soname == "" }

// ErrOther is returned for a file that is no ELF file of the wanted class and machine.
var ErrOther = errors.New("it is not an ELF file for this machine")

// Limits of what is read of one file. The largest real files stay far below: libtorch has 3 MB of dynamic strings and
// some tens of needed libraries, chromium fewer.
const (
	maxHeaders  = 512       // program headers
	maxDynamic  = 64 << 10  // bytes of the dynamic section
	maxString   = 4 << 10   // of one name or path list, PATH_MAX
	maxStrings  = 512 << 10 // of all of them
	maxVersions = 4 << 10   // entries of DT_VERNEED, of DT_VERDEF, and of what hangs on them
)

const (
	headerSize  = 64 // ELF-64, System V ABI, "ELF Header"
	programSize = 56
)

// MachineOf reads no more than the header of a file. The error is ErrOther when it is no 64-bit little-endian ELF file.
func MachineOf(r io.ReaderAt) (elf.Machine, error) {
	h, err := readHeader(r)
	if err != nil {
		return 0, err
	}
	return elf.Machine(binary.LittleEndian.Uint16(h[18:])), nil
}

func readHeader(r io.ReaderAt) (h [headerSize]byte, err error) {
	if n, err := r.ReadAt(h[:], 0); n < headerSize {
		if err != nil && !errors.Is(err, io.EOF) {
			return h, fmt.Errorf("cannot read its header: %w", err)
		}
		return h, ErrOther
	}
	if string(h[:4]) != elf.ELFMAG || elf.Class(h[4]) != elf.ELFCLASS64 || elf.Data(h[5]) != elf.ELFDATA2LSB {
		return h, ErrOther
	}
	return h, nil
}

// Read reads an ELF file of 64 bits for a machine. The error is ErrOther for any other file, and a different one for a
// file whose tables are damaged.
func Read(r io.ReaderAt, machine elf.Machine) (*Object, error) {
	h, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if elf.Machine(le.Uint16(h[18:])) != machine {
		return nil, ErrOther
	}
	p := &reader{r: r}
	o := &Object{Type: elf.Type(le.Uint16(h[16:]))}
	dynamic, err := p.programHeaders(o, le.Uint64(h[32:]), le.Uint16(h[54:]), le.Uint16(h[56:]))
	if err != nil || dynamic == nil {
		return o, err
	}
	return o, p.dynamic(o, dynamic)
}

// segment is a PT_LOAD: a run of the file that is mapped at an address.
type segment struct{ address, offset, size uint64 }

type reader struct {
	r        io.ReaderAt
	segments []segment
	strings  segment // DT_STRTAB: where it is mapped, in the file, and its length
	spent    int     // bytes of strings so far
}

func (p *reader) bytes(offset uint64, size int) ([]byte, error) {
	if offset > 1<<62 {
		return nil, fmt.Errorf("a table is at offset %d, behind the end of the file", offset)
	}
	b := make([]byte, size)
	if n, err := p.r.ReadAt(b, int64(offset)); n < size {
		return nil, fmt.Errorf("cannot read %d bytes at offset %d: %w", size, offset, err)
	}
	return b, nil
}

// programHeaders notes what is mapped where, and returns the dynamic section; nil if there is none.
func (p *reader) programHeaders(o *Object, offset uint64, size, count uint16) ([]byte, error) {
	if count == 0 {
		return nil, nil
	}
	if size != programSize || count > maxHeaders {
		return nil, fmt.Errorf("it has %d program headers of %d bytes", count, size)
	}
	table, err := p.bytes(offset, int(count)*programSize)
	if err != nil {
		return nil, err
	}
	var dynamic []byte
	le := binary.LittleEndian
	for h := range sliceChunks(table, programSize) {
		at, length := le.Uint64(h[8:]), le.Uint64(h[32:])
		switch elf.ProgType(le.Uint32(h)) {
		case elf.PT_LOAD:
			p.segments = append(p.segments, segment{le.Uint64(h[16:]), at, length})
		case elf.PT_INTERP:
			b, err := p.bytes(at, int(min(length, maxString)))
			if err != nil {
				return nil, err
			}
			o.Interp = string(bytes.TrimRight(b, "\x00"))
		case elf.PT_DYNAMIC:
			if length > maxDynamic {
				return nil, fmt.Errorf("its dynamic section has %d bytes, more than %d", length, maxDynamic)
			}
			if dynamic, err = p.bytes(at, int(length)); err != nil {
				return nil, err
			}
		}
	}
	return dynamic, nil
}

// sliceChunks yields the whole chunks of a table.
func sliceChunks(table []byte, size int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for ; len(table) >= size; table = table[size:] {
			if !yield(table[:size]) {
				return
			}
		}
	}
}

// dynamicSize is the size of an entry of the dynamic section: a tag and a value.
const dynamicSize = 16

func (p *reader) dynamic(o *Object, table []byte) error {
	le := binary.LittleEndian
	values := map[elf.DynTag]uint64{}
	var needed []uint64
	for e := range sliceChunks(table, dynamicSize) {
		tag, value := elf.DynTag(le.Uint64(e)), le.Uint64(e[8:])
		if tag == elf.DT_NULL {
			break
		}
		if tag == elf.DT_NEEDED {
			needed = append(needed, value)
			continue
		}
		values[tag] = value // of several, the loader takes the last, too
	}
	if offset, ok := p.offsetOf(values[elf.DT_STRTAB]); ok {
		p.strings = segment{offset: offset, size: values[elf.DT_STRSZ]}
	}
	o.NoDefaultLib = elf.DynFlag1(values[elf.DT_FLAGS_1])&elf.DF_1_NODEFLIB != 0
	for _, at := range needed {
		name, err := p.text(at)
		if err != nil {
			return err
		}
		o.Needed = append(o.Needed, name)
	}
	_, o.HasRunPath = values[elf.DT_RUNPATH]
	for tag, set := range map[elf.DynTag]func(string){
		elf.DT_SONAME:  func(s string) { o.Soname = s },
		elf.DT_RPATH:   func(s string) { o.RPath = strings.Split(s, ":") },
		elf.DT_RUNPATH: func(s string) { o.RunPath = strings.Split(s, ":") },
	} {
		at, there := values[tag]
		if !there {
			continue
		}
		s, err := p.text(at)
		if err != nil {
			return err
		}
		set(s)
	}
	if err := p.versionNeeds(o, values[elf.DT_VERNEED], values[elf.DT_VERNEEDNUM]); err != nil {
		return err
	}
	return p.versionDefinitions(o, values[elf.DT_VERDEF], values[elf.DT_VERDEFNUM])
}

// offsetOf turns an address into an offset of the file.
func (p *reader) offsetOf(address uint64) (uint64, bool) {
	for _, s := range p.segments {
		if address >= s.address && address-s.address < s.size {
			return s.offset + address - s.address, true
		}
	}
	return 0, false
}

// text reads a string of DT_STRTAB.
func (p *reader) text(at uint64) (string, error) {
	if at >= p.strings.size {
		return "", fmt.Errorf("a name is at %d of its %d bytes of strings", at, p.strings.size)
	}
	b := make([]byte, min(p.strings.size-at, maxString))
	n, err := p.r.ReadAt(b, int64((p.strings.offset+at)&(1<<62-1)))
	end := bytes.IndexByte(b[:n], 0)
	if end < 0 {
		if err == nil {
			err = fmt.Errorf("it is longer than %d bytes", maxString)
		}
		return "", fmt.Errorf("cannot read a name: %w", err)
	}
	if p.spent += end; p.spent > maxStrings {
		return "", fmt.Errorf("its names are longer than %d bytes together", maxStrings)
	}
	return string(b[:end]), nil
}
