package dynlink

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// Magic numbers of ld.so.cache, sysdeps/generic/dl-cache.h of glibc. Up to glibc 2.31 a file has the old format first,
// for programs of libc5, and behind it, aligned to 8 bytes, the new one.
const (
	oldCacheMagic = "ld.so-1.7.0"
	newCacheMagic = "glibc-ld.so.cache1.1"

	oldHeaderSize = 16 // magic, filling, number of entries
	oldEntrySize  = 12 // flags, key, value
	newHeaderSize = 48 // magic, number of entries, length of the strings, flags, extension offset, filling
	newEntrySize  = 24 // flags, key, value, os version, hwcap
)

// maxCacheEntries is a hundred times what a full desktop has.
const maxCacheEntries = 1 << 18

// cacheFlags are the kinds of library, FLAG_ELF_LIBC6 with the bits of the architecture, that a program of 64 bits can
// load: sysdeps/generic/ldconfig.h. Of RISC-V it is the ABI with double floats, of LoongArch that, too.
var cacheFlags = map[elf.Machine]uint32{
	elf.EM_X86_64: 0x0303, elf.EM_AARCH64: 0x0a03, elf.EM_RISCV: 0x1003, elf.EM_LOONGARCH: 0x1203,
}

// CacheEntry is a library that ld.so.cache has for every processor of a machine.
type CacheEntry struct{ Name, Path string }

// ErrCacheFormat is returned for a file that is no ld.so.cache of a known format and this byte order.
var ErrCacheFormat = errors.New("it is not an ld.so.cache of a known format")

// ParseCache lists the libraries for a machine, in the order that the file has them; for one name the first counts.
// What it has for special processors only is left out. The strings are copies, of at most as many bytes as data for
// each.
func ParseCache(data []byte, machine elf.Machine) ([]CacheEntry, error) {
	le := binary.LittleEndian
	if bytes.HasPrefix(data, []byte(oldCacheMagic)) && len(data) >= oldHeaderSize {
		end := oldHeaderSize + uint64(le.Uint32(data[12:]))*oldEntrySize
		end = (end + 7) &^ 7
		if end > uint64(len(data)) {
			return nil, fmt.Errorf("it has %d entries, and %d bytes", le.Uint32(data[12:]), len(data))
		}
		data = data[end:]
	}
	if !bytes.HasPrefix(data, []byte(newCacheMagic)) || len(data) < newHeaderSize {
		return nil, ErrCacheFormat
	}
	// cache_file_new_flags_endian: 0 was not set before glibc 2.33, 2 is little, 3 is big.
	if order := data[28] & 3; order != 0 && order != 2 {
		return nil, ErrCacheFormat
	}
	count := uint64(le.Uint32(data[20:]))
	if count > maxCacheEntries || newHeaderSize+count*newEntrySize > uint64(len(data)) {
		return nil, fmt.Errorf("it has %d entries, and %d bytes", count, len(data))
	}
	want, known := cacheFlags[machine]
	var out []CacheEntry
	spent := 0
	for e := range sliceChunks(data[newHeaderSize:newHeaderSize+count*newEntrySize], newEntrySize) {
		if !known || le.Uint32(e) != want || le.Uint64(e[16:]) != 0 {
			continue
		}
		name, ok1 := cacheText(data, le.Uint32(e[4:]))
		file, ok2 := cacheText(data, le.Uint32(e[8:]))
		if !ok1 || !ok2 {
			return nil, errors.New("an entry of it has no name")
		}
		if spent += len(name) + len(file); spent > 4*len(data) {
			return nil, errors.New("its entries share their names")
		}
		out = append(out, CacheEntry{name, file})
	}
	return out, nil
}

// cacheText reads a string of the cache; offsets count from the start of the new format.
func cacheText(data []byte, at uint32) (string, bool) {
	if uint64(at) >= uint64(len(data)) {
		return "", false
	}
	text := data[at:]
	end := bytes.IndexByte(text[:min(len(text), maxString)], 0)
	if end <= 0 {
		return "", false
	}
	return string(text[:end]), true
}
