package dynlink

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Sizes of the entries of DT_VERNEED and DT_VERDEF: Elf64_Verneed, Elf64_Vernaux, Elf64_Verdef and Elf64_Verdaux in the
// Linux Standard Base, "Symbol Versioning".
const (
	verneedSize = 16
	vernauxSize = 16
	verdefSize  = 20
	verdauxSize = 8
)

// chain walks entries that each say how far the next one is. It calls each with the offset and bytes of an entry, which
// returns the distance to the next one; 0 ends the chain.
func (p *reader) chain(offset, count uint64, size int, each func(at uint64, entry []byte) (next uint32,
	err error)) error {
	if count > maxVersions {
		return fmt.Errorf("it has %d entries of symbol versions, more than %d", count, maxVersions)
	}
	for range count {
		entry, err := p.bytes(offset, size)
		if err != nil {
			return err
		}
		next, err := each(offset, entry)
		if err != nil || next == 0 {
			return err
		}
		offset += uint64(next)
	}
	return nil
}

func (p *reader) versionNeeds(o *Object, address, count uint64) error {
	offset, ok := p.offsetOf(address)
	if !ok || count == 0 {
		return nil
	}
	le := binary.LittleEndian
	return p.chain(offset, count, verneedSize, func(at uint64, e []byte) (uint32, error) {
		library, err := p.text(uint64(le.Uint32(e[4:])))
		if err != nil {
			return 0, err
		}
		err = p.chain(at+uint64(le.Uint32(e[8:])), uint64(le.Uint16(e[2:])), vernauxSize,
			func(_ uint64, a []byte) (uint32, error) {
				version, err := p.text(uint64(le.Uint32(a[8:])))
				if err != nil {
					return 0, err
				}
				if len(o.Versions) == maxVersions {
					return 0, fmt.Errorf("it needs more than %d symbol versions", maxVersions)
				}
				weak := elf.DynamicVersionFlag(le.Uint16(a[4:]))&elf.VER_FLG_WEAK != 0
				o.Versions = append(o.Versions, VersionNeed{Library: library, Version: version, Weak: weak})
				return le.Uint32(a[12:]), nil
			})
		return le.Uint32(e[12:]), err
	})
}

func (p *reader) versionDefinitions(o *Object, address, count uint64) error {
	offset, ok := p.offsetOf(address)
	if !ok || count == 0 {
		return nil
	}
	le := binary.LittleEndian
	return p.chain(offset, count, verdefSize, func(at uint64, e []byte) (uint32, error) {
		// The first name is the version's own; further ones are those it inherits from.
		err := p.chain(at+uint64(le.Uint32(e[12:])), 1, verdauxSize, func(_ uint64, a []byte) (uint32, error) {
			version, err := p.text(uint64(le.Uint32(a)))
			o.Defines = append(o.Defines, version)
			return 0, err
		})
		return le.Uint32(e[16:]), err
	})
}
