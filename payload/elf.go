package payload

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The offsets below are those of ELF-64, "ELF Header" and following, System V ABI.
const (
	elfHeaderSize  = 64
	elfProgramSize = 56
	elfSectionSize = 64
)

// elfArch maps the machines a stub may be built for to Go's names for them.
var elfArch = map[elf.Machine]string{
	elf.EM_X86_64:    "amd64",
	elf.EM_AARCH64:   "arm64",
	elf.EM_RISCV:     "riscv64",
	elf.EM_LOONGARCH: "loong64",
}

var errNotELF = errors.New("it is not a 64-bit little-endian ELF program")

// elfEnd computes where the ELF file in r ends according to its own headers, and the architecture it is for.
// A program as the Go linker (or strip) leaves it has nothing behind that point.
func elfEnd(r io.ReaderAt) (end int64, arch string, err error) {
	var h [elfHeaderSize]byte
	if _, err := r.ReadAt(h[:], 0); err != nil {
		if errors.Is(err, io.EOF) {
			err = errNotELF
		}
		return 0, "", err
	}
	if string(h[:4]) != elf.ELFMAG || elf.Class(h[4]) != elf.ELFCLASS64 || elf.Data(h[5]) != elf.ELFDATA2LSB {
		return 0, "", errNotELF
	}
	le := binary.LittleEndian
	t := elfTable{r: r}
	phoff, phsize, phnum := le.Uint64(h[32:]), le.Uint16(h[54:]), le.Uint16(h[56:])
	shoff, shsize, shnum := le.Uint64(h[40:]), le.Uint16(h[58:]), le.Uint16(h[60:])
	t.reach(0, elfHeaderSize)
	t.read("program", phoff, phsize, phnum, elfProgramSize, func(p []byte) {
		t.reach(le.Uint64(p[8:]), le.Uint64(p[32:]))
	})
	t.read("section", shoff, shsize, shnum, elfSectionSize, func(s []byte) {
		if typ := elf.SectionType(le.Uint32(s[4:])); typ != elf.SHT_NOBITS && typ != elf.SHT_NULL {
			t.reach(le.Uint64(s[24:]), le.Uint64(s[32:]))
		}
	})
	return t.end, elfArch[elf.Machine(le.Uint16(h[18:]))], t.err
}

// elfTable follows the two header tables of an ELF file and remembers the furthest byte either mentions.
type elfTable struct {
	r   io.ReaderAt
	end int64
	err error
}

func (t *elfTable) reach(off, size uint64) {
	const limit = 1 << 40 // no program is larger, and sums below it cannot overflow
	if off > limit || size > limit {
		if t.err == nil {
			t.err = fmt.Errorf("its headers point to offset %d", off)
		}
		return
	}
	t.end = max(t.end, int64(off+size))
}

func (t *elfTable) read(what string, off uint64, size, num, want uint16, entry func([]byte)) {
	if num == 0 || t.err != nil {
		return
	}
	if size != want {
		t.err = fmt.Errorf("its %s headers have %d bytes each, want %d", what, size, want)
		return
	}
	table := make([]byte, int(size)*int(num))
	t.reach(off, uint64(len(table)))
	if t.err != nil {
		return
	}
	if _, err := t.r.ReadAt(table, int64(off)); err != nil {
		t.err = fmt.Errorf("cannot read its %s headers: %w", what, err)
		return
	}
	for ; len(table) > 0; table = table[size:] {
		entry(table[:size])
	}
}
