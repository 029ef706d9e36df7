package bundle

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/blakesmith/ar"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// The helpers of this file make the inputs of the other tests, with other libraries than the ones under test where
// there are any.

// f, d, l and h describe the entries of a test archive: file, directory, symbolic and hard link.
func f(name, body string) *tar.Header { return fm(name, body, 0o644) }

func fm(name, body string, mode int64) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(body)), Uid: 1000,
		Uname:   "builder",
		ModTime: time.Unix(1700000000, 0), PAXRecords: map[string]string{"TEST.body": body}}
}

func d(name string) *tar.Header { return &tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755} }

func l(name, target string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}
}

func h(name, target string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target, Mode: 0o644}
}

// makeTar writes a tar of the entries; the body of a file travels in a PAX record of its header.
func makeTar(t testing.TB, entries ...*tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		header := *e
		body := header.PAXRecords["TEST.body"]
		header.PAXRecords = nil
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func compress(t testing.TB, name string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch name {
	case "gz":
		w = gzip.NewWriter(&out)
	case "xz":
		w, err = xz.NewWriter(&out)
	case "zst":
		w, err = zstd.NewWriter(&out)
	default:
		return data
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// makeDeb writes a Debian package with data.tar.<codec>.
func makeDeb(t testing.TB, arch, codec string, entries ...*tar.Header) []byte {
	t.Helper()
	control := makeTar(t, f("./control", "Package: p\nVersion: 1.0-1\nArchitecture: "+arch+"\n"), f("./md5sums", ""))
	name := "data.tar"
	if codec != "" {
		name += "." + codec
	}
	return makeAr(t,
		arMember{"debian-binary", []byte("2.0\n")},
		arMember{"control.tar.gz", compress(t, "gz", control)},
		arMember{name, compress(t, codec, makeTar(t, entries...))})
}

type arMember struct {
	name string
	body []byte
}

func makeAr(t testing.TB, members ...arMember) []byte {
	t.Helper()
	var out bytes.Buffer
	w := ar.NewWriter(&out)
	if err := w.WriteGlobalHeader(); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if err := w.WriteHeader(&ar.Header{Name: m.name, Size: int64(len(m.body)), Mode: 0o644,
			ModTime: time.Unix(0, 0)}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.body); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

type zipMember struct {
	name, body string
	mode       fs.FileMode // 0 makes an entry without Unix attributes
}

func makeZip(t testing.TB, members ...zipMember) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, m := range members {
		header := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		if m.mode != 0 {
			header.SetMode(m.mode)
		}
		entry, err := w.CreateHeader(header)
		if err == nil {
			_, err = io.WriteString(entry, m.body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// makeStub writes the smallest file that passes for a program of the machine: an ELF header and nothing to run.
func makeStub(t testing.TB, name string, machine elf.Machine) string {
	t.Helper()
	header := make([]byte, 64)
	copy(header, elf.ELFMAG)
	header[4], header[5], header[6] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	le := binary.LittleEndian
	le.PutUint16(header[16:], uint16(elf.ET_EXEC))
	le.PutUint16(header[18:], uint16(machine))
	le.PutUint32(header[20:], uint32(elf.EV_CURRENT))
	le.PutUint16(header[52:], 64)
	return writeFile(t, name, header)
}
