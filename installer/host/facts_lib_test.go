package host

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// elfHeader is the header of a shared library of 64 bits, which is all that is looked at.
func elfHeader(m elf.Machine, class elf.Class) []byte {
	h := make([]byte, 64)
	copy(h, elf.ELFMAG)
	h[4], h[5], h[6] = byte(class), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	binary.LittleEndian.PutUint16(h[16:], uint16(elf.ET_DYN))
	binary.LittleEndian.PutUint16(h[18:], uint16(m))
	return h
}

// libraryCache writes an ld.so.cache for x86-64 with pairs of name and path.
func libraryCache(pairs ...string) []byte {
	le := binary.LittleEndian
	table := make([]byte, 48+len(pairs)/2*24)
	copy(table, "glibc-ld.so.cache1.1")
	le.PutUint32(table[20:], uint32(len(pairs)/2))
	var strings []byte
	for i, s := range pairs {
		entry := table[48+i/2*24:]
		le.PutUint32(entry, 0x0303)
		le.PutUint32(entry[4+i%2*4:], uint32(len(table)+len(strings)))
		strings = append(append(strings, s...), 0)
	}
	return append(table, strings...)
}

func TestLibrariesFollowTheLoader(t *testing.T) {
	ours, other, old := elfHeader(elf.EM_X86_64, elf.ELFCLASS64), elfHeader(elf.EM_AARCH64, elf.ELFCLASS64),
		elfHeader(elf.EM_386, elf.ELFCLASS32)
	redHat := map[string][]byte{
		"/lib64/ld-linux-x86-64.so.2": ours, "/lib64/libc.so.6": ours, "/lib64/libz.so.1": ours,
		"/usr/local/lib/liblocal.so.1": ours, "/opt/db/lib/libdb.so.1": ours, "/usr/lib64/deep/libdeep.so.1": ours,
		"/usr/lib/libz.so.1": old, "/usr/lib/lib32only.so.1": old, "/lib64/libforeign.so.1": other,
		"/lib64/libtext.so": []byte("INPUT(libz.so.1)\n"),
		"/etc/ld.so.conf":   []byte("/opt/db/lib\n"),
	}
	debian := map[string][]byte{
		"/lib64/ld-linux-x86-64.so.2": ours, "/lib/x86_64-linux-gnu/libc.so.6": ours,
		"/usr/lib/x86_64-linux-gnu/libaio.so.1": ours,
		"/usr/lib/libplain.so.1":                ours, "/usr/lib64/libred.so.1": ours,
		"/usr/local/lib/liblocal.so.1": ours,
	}
	base := func(files map[string][]byte) map[string]string {
		out := map[string]string{}
		for name := range files {
			switch dir := filepath.Dir(name); {
			case strings.HasPrefix(name, "/lib64/lib") && name != "/lib64/libforeign.so.1" &&
				name != "/lib64/libtext.so":
				out[filepath.Base(name)] = dir
			}
		}
		return out
	}
	with := func(m map[string]string, pairs ...string) Libraries {
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for name, test := range map[string]struct {
		files   map[string][]byte
		cache   []byte
		want    Libraries
		unknown bool
	}{
		// What is only in a directory of ld.so.conf, or in /usr/local/lib, is not found until ldconfig has seen it.
		"nothing cached": {redHat, libraryCache(), with(base(redHat), "ld-linux-x86-64.so.2", "/lib64"), false},
		"cached": {redHat, libraryCache("libdb.so.1", "/opt/db/lib/libdb.so.1", "liblocal.so.1",
			"/usr/local/lib/liblocal.so.1", "libgone.so.1", "/opt/db/lib/libgone.so.1"),
			with(base(redHat), "ld-linux-x86-64.so.2", "/lib64", "libdb.so.1", "/opt/db/lib",
				"liblocal.so.1", "/usr/local/lib"), false},
		"no cache yet": {redHat, nil, with(base(redHat), "ld-linux-x86-64.so.2", "/lib64",
			"libdb.so.1", "/opt/db/lib"), false},
		"damaged cache": {redHat, []byte("glibc-ld.so.cache1.1, but not really"),
			with(base(redHat), "ld-linux-x86-64.so.2", "/lib64"), true},
		"Debian's places": {debian, libraryCache(), Libraries{"libc.so.6": "/lib/x86_64-linux-gnu",
			"libaio.so.1": "/usr/lib/x86_64-linux-gnu", "libplain.so.1": "/usr/lib"}, false},
		"no library there": {map[string][]byte{"/lib64/ld-linux-x86-64.so.2": ours}, nil, Libraries{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if test.cache != nil {
				writeAt(t, root, "/etc/ld.so.cache", test.cache)
			}
			for file, data := range test.files {
				writeAt(t, root, file, data)
			}
			h, err := New(root, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			f, err := Gather(context.Background(), h, FactsQuery{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, f.Libraries); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if (f.Unknown["ld.so.cache"] != "") != test.unknown {
				t.Errorf("unknown: %v", f.Unknown)
			}
		})
	}
}

func writeAt(t *testing.T, root, file string, data []byte) {
	t.Helper()
	name := filepath.Join(root, file)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// On this machine, every library that the loader finds for some programs is found, in the same directory.
func TestLibrariesAgreeWithLdd(t *testing.T) {
	ldd, err := exec.LookPath("ldd")
	if err != nil {
		t.Skip(err)
	}
	h, err := New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	f, err := Gather(context.Background(), h, FactsQuery{})
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, program := range []string{"/usr/bin/bash", "/usr/bin/ssh", "/usr/sbin/nginx", "/usr/sbin/mariadbd",
		"/usr/bin/git", "/usr/bin/gpg"} {
		out, err := exec.Command(ldd, program).Output()
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(out)) {
			name, path, ok := strings.Cut(strings.TrimSpace(line), " => /")
			if path, _, _ = strings.Cut(path, " "); !ok || strings.Contains(path, "hwcaps") {
				continue // for this processor only
			}
			compared++
			if want := "/" + filepath.Dir(path); f.Libraries[name] != want {
				t.Errorf("%s of %s is in %q, and the loader finds it in %s", name, program, f.Libraries[name], want)
			}
		}
	}
	if compared == 0 {
		t.Skip("none of the programs is here")
	}
}
