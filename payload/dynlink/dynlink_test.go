package dynlink

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hostMachine is the machine whose files this one has.
var hostMachine = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]

// hostFiles lists ELF files that this machine happens to have.
func hostFiles(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"/usr/bin/*", "/usr/sbin/*", "/usr/lib/*-linux-gnu/*.so*", "/usr/lib64/*.so*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				out = append(out, file)
			}
		}
	}
	return out
}

// What is read of real files is what the standard library's parser reads, which goes by their section headers.
func TestReadAgreesWithDebugELF(t *testing.T) {
	compared := 0
	for _, name := range hostFiles(t) {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		compared += compareWithDebugELF(t, f)
		f.Close()
	}
	if compared == 0 {
		t.Skip("there are no ELF files in the usual directories")
	}
	t.Logf("%d files", compared)
}

func compareWithDebugELF(t *testing.T, f *os.File) int {
	t.Helper()
	std, err := elf.NewFile(f)
	if err != nil || std.Machine != hostMachine || std.Class != elf.ELFCLASS64 {
		if _, err := Read(f, hostMachine); !errors.Is(err, ErrOther) {
			t.Errorf("%s: error %v, want %v", f.Name(), err, ErrOther)
		}
		return 0
	}
	o, err := Read(f, hostMachine)
	if err != nil {
		t.Errorf("%s: %v", f.Name(), err)
		return 0
	}
	needed, _ := std.ImportedLibraries()
	soname, _ := std.DynString(elf.DT_SONAME)
	runpath, _ := std.DynString(elf.DT_RUNPATH)
	rpath, _ := std.DynString(elf.DT_RPATH)
	versions, _ := std.DynamicVersionNeeds()
	var wanted []string
	for _, v := range versions {
		for _, n := range v.Needs {
			wanted = append(wanted, v.Name+" "+n.Dep)
		}
	}
	var got []string
	for _, v := range o.Versions {
		got = append(got, v.Library+" "+v.Version)
	}
	defined, _ := std.DynamicVersions()
	var defines []string
	for _, d := range defined {
		defines = append(defines, d.Name)
	}
	interp := ""
	if s := std.Section(".interp"); s != nil {
		data, _ := s.Data()
		interp = strings.TrimRight(string(data), "\x00")
	}
	type facts struct {
		Interp, Soname, RunPath, RPath   string
		Needed, VersionNeeds, VersionHas []string
	}
	want := facts{interp, strings.Join(soname, ""), strings.Join(runpath, ":"), strings.Join(rpath, ":"),
		needed, wanted, defines}
	have := facts{o.Interp, o.Soname, strings.Join(o.RunPath, ":"), strings.Join(o.RPath, ":"),
		o.Needed, got, o.Defines}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s (-debug/elf +dynlink):\n%s", f.Name(), diff)
	}
	return 1
}

// The cache of this machine has what its own tool lists of it.
func TestParseCacheAgreesWithLdconfig(t *testing.T) {
	data, err := os.ReadFile("/etc/ld.so.cache")
	if err != nil {
		t.Skip(err)
	}
	ldconfig := "/sbin/ldconfig"
	out, err := exec.Command(ldconfig, "-p").Output()
	if err != nil {
		t.Skip(err)
	}
	kind := map[string]string{"amd64": "(libc6,x86-64", "arm64": "(libc6,AArch64"}[runtime.GOARCH]
	var want []CacheEntry
	for line := range strings.Lines(string(out)) {
		name, path, ok := strings.Cut(strings.TrimSpace(line), " => ")
		if name, of, _ := strings.Cut(name, " "); ok && strings.HasPrefix(of, kind) && !strings.Contains(of, "hwcap") {
			want = append(want, CacheEntry{name, path})
		}
	}
	got, err := ParseCache(data, hostMachine)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-ldconfig +parsed:\n%s", diff)
	}
}

// makeCache writes an ld.so.cache of the new format, as ldconfig does since glibc 2.32.
func makeCache(entries ...cacheLine) []byte {
	le := binary.LittleEndian
	var strings []byte
	table := make([]byte, newHeaderSize+len(entries)*newEntrySize)
	copy(table, newCacheMagic)
	le.PutUint32(table[20:], uint32(len(entries)))
	table[28] = 2
	for i, e := range entries {
		at := table[newHeaderSize+i*newEntrySize:]
		le.PutUint32(at, e.flags)
		le.PutUint32(at[4:], uint32(len(table)+len(strings)))
		strings = append(append(strings, e.name...), 0)
		le.PutUint32(at[8:], uint32(len(table)+len(strings)))
		strings = append(append(strings, e.path...), 0)
		le.PutUint64(at[16:], e.hwcap)
	}
	le.PutUint32(table[24:], uint32(len(strings)))
	return append(table, strings...)
}

type cacheLine struct {
	name, path string
	flags      uint32
	hwcap      uint64
}

// withOldFormat puts the format for libc5's programs in front, as ldconfig did up to glibc 2.31.
func withOldFormat(cache []byte, entries int) []byte {
	old := make([]byte, (oldHeaderSize+entries*oldEntrySize+7)&^7)
	copy(old, oldCacheMagic)
	binary.LittleEndian.PutUint32(old[12:], uint32(entries))
	return append(old, cache...)
}

func TestParseCache(t *testing.T) {
	whole := makeCache(
		cacheLine{"libz.so.1", "/lib64/libz.so.1", 0x0303, 0},
		cacheLine{"libz.so.1", "/lib/libz.so.1", 0x0003, 0}, // for 32 bits
		cacheLine{"libz.so.1", "/lib/aarch64-linux-gnu/libz.so.1", 0x0a03, 0},
		cacheLine{"libfast.so.1", "/lib64/glibc-hwcaps/x86-64-v3/libfast.so.1", 0x0303, 1 << 62},
		cacheLine{"libaio.so.1", "/usr/local/lib/libaio.so.1", 0x0303, 0})
	want := []CacheEntry{{"libz.so.1", "/lib64/libz.so.1"}, {"libaio.so.1", "/usr/local/lib/libaio.so.1"}}
	big := slices.Clone(whole)
	big[28] = 3
	many := slices.Clone(whole)
	binary.LittleEndian.PutUint32(many[20:], 1<<31)
	nameless := slices.Clone(whole)
	binary.LittleEndian.PutUint32(nameless[newHeaderSize+4:], 1<<30)
	for name, test := range map[string]struct {
		data    []byte
		machine elf.Machine
		want    []CacheEntry
		fails   bool
	}{
		"of now":      {data: whole, machine: elf.EM_X86_64, want: want},
		"of CentOS 7": {data: withOldFormat(whole, 3), machine: elf.EM_X86_64, want: want},
		"for another machine": {data: whole, machine: elf.EM_AARCH64,
			want: []CacheEntry{{"libz.so.1", "/lib/aarch64-linux-gnu/libz.so.1"}}},
		"for an unknown machine": {data: whole, machine: elf.EM_S390},
		"of another byte order":  {data: big, machine: elf.EM_X86_64, fails: true},
		"too many entries":       {data: many, machine: elf.EM_X86_64, fails: true},
		"a name outside":         {data: nameless, machine: elf.EM_X86_64, fails: true},
		"cut short":              {data: whole[:len(whole)/2], machine: elf.EM_X86_64, fails: true},
		"only the old format":    {data: withOldFormat(nil, 2), machine: elf.EM_X86_64, fails: true},
		"old format cut short":   {data: withOldFormat(nil, 200)[:300], machine: elf.EM_X86_64, fails: true},
		"empty":                  {machine: elf.EM_X86_64, fails: true},
	} {
		got, err := ParseCache(test.data, test.machine)
		if (err != nil) != test.fails || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, test.want)
		}
	}
}

// FuzzRead feeds whatever calls itself an ELF file. The limits hold, and a file is read to the same end twice.
func FuzzRead(f *testing.F) {
	for _, name := range hostFiles(f) {
		if info, err := os.Stat(name); err == nil && info.Size() < 40<<10 {
			data, err := os.ReadFile(name)
			if err == nil {
				f.Add(data)
			}
		}
	}
	f.Add([]byte(elf.ELFMAG))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		o, err := Read(bytes.NewReader(data), elf.EM_X86_64)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 128<<20 {
			t.Errorf("%d bytes of memory for %d of input", spent, len(data))
		}
		if o == nil {
			if err == nil {
				t.Error("neither an object nor an error")
			}
			return
		}
		size := len(o.Soname)
		for _, list := range [][]string{o.Needed, o.RPath, o.RunPath, o.Defines} {
			for _, s := range list {
				size += len(s)
			}
		}
		if size > maxStrings+maxVersions || len(o.Versions) > maxVersions || len(o.Defines) > maxVersions {
			t.Errorf("%d bytes of strings, %d and %d versions", size, len(o.Versions), len(o.Defines))
		}
		s := Search{Files: onlyFile{"/x/y", o}, LibraryPath: []string{"/x"}, Lib: "lib64"}
		if r := s.List("/x/y", o); len(r.Loaded)+len(r.Missing) > 2*len(o.Needed)+1 {
			t.Errorf("%d libraries found and %d missing of %d", len(r.Loaded), len(r.Missing), len(o.Needed))
		}
	})
}

// onlyFile is a file system with one file.
type onlyFile struct {
	path string
	o    *Object
}

func (f onlyFile) Object(file string) (*Object, error) {
	if file == f.path {
		return f.o, nil
	}
	return nil, nil
}

func FuzzParseCache(f *testing.F) {
	whole := makeCache(cacheLine{"libz.so.1", "/lib64/libz.so.1", 0x0303, 0},
		cacheLine{"libz.so.1", "/lib/libz.so.1", 0x0003, 1})
	f.Add(whole)
	f.Add(withOldFormat(whole, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := ParseCache(data, elf.EM_X86_64)
		if err != nil && entries != nil {
			t.Error("entries of a damaged cache")
		}
		size := 0
		for _, e := range entries {
			if e.Name == "" || e.Path == "" {
				t.Error("an entry without a name")
			}
			size += len(e.Name) + len(e.Path)
		}
		if size > 4*len(data) {
			t.Errorf("%d bytes of names from %d", size, len(data))
		}
	})
}
