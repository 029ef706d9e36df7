package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// list visits an archive and prints what it has, or the error.
func list(read func(v visit) error) string {
	var s strings.Builder
	err := read(func(e entry, body io.Reader) error {
		s.WriteString(modeString(e) + " " + e.path + " " + e.target)
		if body != nil {
			text, err := io.ReadAll(body)
			if err != nil {
				return err
			}
			s.Write(text)
		}
		s.WriteByte('\n')
		return nil
	})
	if err != nil {
		return "error: " + err.Error()
	}
	return s.String()
}

func TestReadTarDialects(t *testing.T) {
	long := strings.Repeat("long/", 40) + "name"
	longLink := strings.Repeat("../", 80) + "x"
	for _, format := range []tar.Format{tar.FormatGNU, tar.FormatPAX} {
		header := f(long, "body")
		header.Format = format
		link := l("l", longLink)
		link.Format = format
		got := list(func(v visit) error { return readTar("t", bytes.NewReader(makeTar(t, header, link)), v) })
		if want := "-0644 " + long + " body\nl0777 l " + longLink + "\n"; got != want {
			t.Errorf("format %v: %q", format, got)
		}
	}
	global := &tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header",
		PAXRecords: map[string]string{"comment": "0123"}}
	plainFile := f("a", "1")
	plainFile.Name, plainFile.Typeflag = "a", '\x00'
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, err := range []error{w.WriteHeader(global),
		w.WriteHeader(&tar.Header{Name: "old", Typeflag: tar.TypeReg, Size: 1, Mode: 0o600}),
		write(w, "1"), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := list(func(v visit) error { return readTar("t", &out, v) }); got != "-0600 old 1\n" {
		t.Errorf("global header: %q", got)
	}
}

func write(w io.Writer, s string) error {
	_, err := io.WriteString(w, s)
	return err
}

// testdata/sparse.tar is made by GNU tar --sparse, in PAX format: a file of 1 MiB, all hole but for "begin" and "end".
func TestReadTarSparse(t *testing.T) {
	data, err := os.ReadFile("testdata/sparse.tar")
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 1<<20)
	copy(want, "begin")
	copy(want[len(want)-3:], "end")
	visited := 0
	err = readTar("t", bytes.NewReader(data), func(e entry, body io.Reader) error {
		visited++
		got, err := io.ReadAll(body)
		if e.size != int64(len(want)) || !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes, want %d with the text at both ends", e.path, len(got), len(want))
		}
		return err
	})
	if err != nil || visited != 1 {
		t.Errorf("%d entries, %v", visited, err)
	}
}

func TestReadDeb(t *testing.T) {
	data := []*tar.Header{d("./"), f("./usr/f", "x"), l("./usr/l", "/usr/f")}
	control := compress(t, "gz",
		makeTar(t, f("./control", "Package: p\nArchitecture: all\nDescription: x\n Package: not this\n")))
	tree := makeTar(t, data...)
	version := arMember{"debian-binary", []byte("2.0\n")}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"gz", makeDeb(t, "all", "gz", data...), "d0755 . \n-0644 usr/f x\nl0777 usr/l /usr/f\n"},
		{"xz", makeDeb(t, "all", "xz", data...), "d0755 . \n-0644 usr/f x\nl0777 usr/l /usr/f\n"},
		{"zst", makeDeb(t, "all", "zst", data...), "d0755 . \n-0644 usr/f x\nl0777 usr/l /usr/f\n"},
		{"plain", makeDeb(t, "all", "", data...), "d0755 . \n-0644 usr/f x\nl0777 usr/l /usr/f\n"},
		{"vendor member", makeAr(t, version, arMember{"_gpgorigin", []byte("x")}, arMember{"control.tar.gz", control},
			arMember{"data.tar", tree}),
			"d0755 . \n-0644 usr/f x\nl0777 usr/l /usr/f\n"},
		{"second data member", makeAr(t, version, arMember{"control.tar.gz", control}, arMember{"data.tar", tree},
			arMember{"data.tar.gz", compress(t, "gz", tree)}),
			`error: cannot use p.deb: the .deb has a second data member, "data.tar.gz"`},
		{"member after the data", makeAr(t, version, arMember{"control.tar.gz", control}, arMember{"data.tar", tree},
			arMember{"control.tar", tree}),
			`error: cannot use p.deb: the .deb is damaged: unexpected member "control.tar" after its data`},
		{"signature after the data", makeAr(t, version, arMember{"control.tar.gz", control}, arMember{"data.tar", tree},
			arMember{"_gpgorigin", []byte("x")}),
			"d0755 . \n-0644 usr/f x\nl0777 usr/l /usr/f\n"},
		{"not ar", []byte("hello, world"),
			"error: cannot use p.deb: it is not a .deb: it does not begin as an ar archive"},
		{"empty", nil, "error: cannot use p.deb: it is not a .deb: it does not begin as an ar archive"},
		{"no data", makeAr(t, version, arMember{"control.tar.gz", control}),
			"error: cannot use p.deb: it is not a .deb: it ends before its data member"},
		{"data first", makeAr(t, version, arMember{"data.tar", tree}, arMember{"control.tar.gz", control}),
			`error: cannot use p.deb: the .deb is damaged: data.tar: unexpected member "data.tar"`},
		{"other version", makeAr(t, arMember{"debian-binary", []byte("3.0\n")}),
			`error: cannot use p.deb: the .deb is damaged: debian-binary: format "3.0\n" is not 2.x`},
		{"no control file", makeAr(t, version, arMember{"control.tar", makeTar(t, f("x", "y"))}),
			"error: cannot use p.deb: the .deb is damaged: control.tar: there is no control file"},
		{"damaged compression", makeAr(t, version, arMember{"control.tar.gz", control},
			arMember{"data.tar.gz", []byte("\x1f\x8b\x08 not gzip")}), "error: cannot use p.deb: "},
		{"a device in it", makeDeb(t, "all", "gz", &tar.Header{Name: "./dev/sda", Typeflag: tar.TypeBlock}),
			`error: cannot use p.deb: entry "./dev/sda" is a device node`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var info debInfo
			got := list(func(v visit) error {
				return readDeb("p.deb", bytes.NewReader(test.data), func(i debInfo) error { info = i; return nil }, v)
			})
			if strings.HasPrefix(test.want, "error") && !strings.HasPrefix(got, test.want) ||
				!strings.HasPrefix(test.want, "error") && got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if !strings.HasPrefix(got, "error") && (info.Package != "p" || info.Architecture != "all") {
				t.Errorf("control: %+v", info)
			}
		})
	}
}

// Cut anywhere, a .deb is an error and never a shorter tree.
func TestReadDebCutShort(t *testing.T) {
	whole := makeDeb(t, "all", "gz", f("./a", "x"), f("./b", "y"))
	end := len(bytes.TrimRight(whole, "\n")) // the padding byte of the last member may go
	for n := range end {
		got := list(func(v visit) error {
			return readDeb("p.deb", bytes.NewReader(whole[:n]), func(debInfo) error { return nil }, v)
		})
		if !strings.HasPrefix(got, "error: cannot use p.deb") {
			t.Fatalf("cut to %d of %d bytes: %s", n, len(whole), got)
		}
	}
}

func TestDebArchitecture(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/p.deb", makeDeb(t, "arm64", "gz", f("./a", "x")))
	_, _, err := build(t, lockFile(t, dir, "  - {name: a, version: 1, sources: [{path: p.deb}]}\n"), nil)
	if err == nil || !strings.Contains(err.Error(),
		"package p is for architecture arm64, component a is for linux/amd64") {
		t.Errorf("error %v", err)
	}
	_, _, err = build(t, lockFile(t, dir,
		"  - {name: a, version: 1, platform: linux/arm64, sources: [{path: p.deb}]}\n"), nil)
	if err == nil || !strings.Contains(err.Error(), "is for linux/arm64 in a release for linux/amd64") {
		t.Errorf("a component for another platform than the release's: error %v", err)
	}
}

// oneBody makes a ZIP with many entries of one size, and has the directory name the first one's body for all of them.
func oneBody(t *testing.T, entries int) []byte {
	t.Helper()
	var members []zipMember
	for i := range entries {
		members = append(members, zipMember{fmt.Sprintf("f%04d", i), strings.Repeat("0", 1<<16), 0o644})
	}
	data := makeZip(t, members...)
	const header = "PK\x01\x02"
	const offset = 42 // of the local header, in a header of the directory (APPNOTE 4.3.12)
	for at := bytes.Index(data, []byte(header)); at >= 0; {
		copy(data[at+offset:], []byte{0, 0, 0, 0})
		next := bytes.Index(data[at+4:], []byte(header))
		if next < 0 {
			break
		}
		at += 4 + next
	}
	return data
}

func TestReadZip(t *testing.T) {
	encrypted := makeZip(t, zipMember{"secret", "x", 0o644})
	// The flags of the one directory entry, at offset 8 of its header.
	at := bytes.LastIndex(encrypted, []byte("PK\x01\x02"))
	encrypted[at+8] |= zipEncrypted
	damaged := makeZip(t, zipMember{"a", strings.Repeat("abc", 100), 0o644})
	damaged[40] ^= 0xff
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"kinds and modes", makeZip(t, zipMember{"d/", "", fs.ModeDir | 0o750}, zipMember{"d/f", "x", 0o4711 &^ 0o4000},
			zipMember{"l", "d/f", fs.ModeSymlink | 0o777}),
			"d0750 d \n-0711 d/f x\nl0777 l d/f\n"},
		{"no Unix modes", makeZip(t, zipMember{"d/", "", 0}, zipMember{"d/f", "x", 0}), "d0755 d \n-0644 d/f x\n"},
		{"setuid is seen", makeZip(t, zipMember{"f", "x", fs.ModeSetuid | 0o755}), "-4755 f x\n"},
		{"a way out", makeZip(t, zipMember{"../f", "x", 0o644}),
			`error: cannot use z.zip: entry "../f" has ".." in it`},
		{"a backslash", makeZip(t, zipMember{`d\f`, "x", 0o644}),
			`error: cannot use z.zip: entry "d\\f" has a backslash in its name`},
		{"absolute", makeZip(t, zipMember{"/f", "x", 0o644}), `error: cannot use z.zip: entry "/f" is absolute`},
		{"a FIFO", makeZip(t, zipMember{"p", "", fs.ModeNamedPipe | 0o644}),
			`error: cannot use z.zip: entry "p" is a FIFO`},
		{"a device", makeZip(t, zipMember{"p", "", fs.ModeDevice | 0o644}),
			`error: cannot use z.zip: entry "p" is a device node`},
		{"an empty link", makeZip(t, zipMember{"l", "", fs.ModeSymlink | 0o777}),
			`error: cannot use z.zip: entry "l" is a symbolic link with no target`},
		{"a password", encrypted, `error: cannot use z.zip: entry "secret" is encrypted`},
		{"damaged data", damaged, "error: "},
		{"one body", oneBody(t, 2000), `error: cannot use z.zip: entry "f0001" shares its data with entry "f0000"`},
		{"not a ZIP", []byte("PK\x03\x04 but no directory"), "error: cannot use z.zip: the ZIP is damaged"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := list(func(v visit) error {
				return readZip("z.zip", bytes.NewReader(test.data),
					int64(len(test.data)), v)
			})
			if !strings.HasPrefix(got, test.want) || !strings.HasPrefix(test.want, "error") && got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestIdentify(t *testing.T) {
	tarball := makeTar(t, f("a", "x"))
	zipped := makeZip(t, zipMember{"a", "x", 0o644})
	notTar := compress(t, "gz", []byte("just text"))
	tests := []struct {
		name, file string
		format     Format
		data       []byte
		want       Format
		err        string
	}{
		{"tar", "x", FormatAuto, tarball, FormatTar, ""},
		{"tar.gz by its bytes, not its name", "x.zip", FormatAuto, compress(t, "gz", tarball), FormatTar, ""},
		{"tar.zst after a skippable frame", "x", FormatAuto,
			append([]byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc"), compress(t, "zst", tarball)...), FormatTar, ""},
		{"zip", "x", FormatAuto, zipped, FormatZip, ""},
		{"jar", "x.jar", FormatAuto, zipped, FormatFile, ""},
		{"jar as zip", "x.jar", FormatZip, zipped, FormatZip, ""},
		{"deb", "x", FormatAuto, makeDeb(t, "all", "gz"), FormatDeb, ""},
		{"another ar", "x.a", FormatAuto, makeAr(t, arMember{"a.o", []byte("x")}), FormatFile, ""},
		{"script", "x.sh", FormatAuto, []byte("#!/bin/sh\n"), FormatFile, ""},
		{"nothing", "x", FormatAuto, nil, FormatFile, ""},
		{"zeros", "x", FormatAuto, make([]byte, 4096), FormatFile, ""},
		{"compressed text", "x.gz", FormatAuto, notTar, "", "it is compressed, but not a tar"},
		{"compressed text as it is", "x.gz", FormatFile, notTar, FormatFile, ""},
		{"text that begins like bzip2", "x", FormatAuto, []byte("BZhang wrote this"), FormatFile, ""},
		{"tar asked for", "x", FormatTar, zipped, "", "the lock says format tar, but its bytes are of format zip"},
		{"file asked for", "x", FormatFile, tarball, FormatFile, ""},
		{"deb asked for", "x", FormatDeb, tarball, "", "the lock says format deb, but its bytes are of format tar"},
		{"gzip header and no more", "x", FormatAuto, []byte("\x1f\x8b\x08"), "", "unexpected EOF"},
		{"xz that wants 4 GiB", "x", FormatAuto, hugeXZ(t), "",
			"the xz stream wants 4096 MiB of memory, at most 128 are given"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := identify(test.file, test.format, bufio.NewReader(bytes.NewReader(test.data)))
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer got.archived.Close()
			if got.format != test.want {
				t.Errorf("format %s, want %s", got.format, test.want)
			}
		})
	}
}

// hugeXZ claims the largest dictionary there is: byte 40 of the LZMA2 filter's property.
func hugeXZ(t *testing.T) []byte {
	data := compress(t, "xz", makeTar(t, f("a", "x")))
	at := bytes.Index(data[12:32], []byte{0x21, 1})
	if at < 0 {
		t.Fatal("no LZMA2 filter in the block header")
	}
	data[12+at+2] = 40
	return data
}

func TestCompressedNotTarHint(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/x.gz", compress(t, "gz", []byte("text")))
	_, _, err := build(t, lockFile(t, dir, "  - {name: a, version: 1, sources: [{path: x.gz}]}\n"), nil)
	var wrong *ArchiveError
	if !errors.As(err, &wrong) || !strings.Contains(wrong.Hint(), "format: file") {
		t.Errorf("error %v", err)
	}
}

func TestNestedMembers(t *testing.T) {
	inner := compress(t, "gz", makeTar(t, f("top/a", "inner")))
	zipped := makeZip(t, zipMember{"z", "zipped", 0o644})
	outer := compress(t, "gz", makeTar(t, d("pkg/"), f("pkg/one.tar.gz", string(inner)),
		f("pkg/two.zip", string(zipped)), f("pkg/three.txt", "plain"), l("pkg/four", "three.txt"),
		f("pkg/x.deb", string(makeDeb(t, "all", "gz", f("./d", "deb"))))))
	dir := t.TempDir()
	writeFile(t, dir+"/outer.tgz", outer)
	// Not in stored order, and one of them twice.
	file := lockFile(t, dir, `  - name: a
    version: 1
    sources:
      - {path: outer.tgz, member: pkg/three.txt}
      - {path: outer.tgz, member: pkg/one.tar.gz, strip: 1}
      - {path: outer.tgz, member: pkg/x.deb}
      - {path: outer.tgz, member: pkg/two.zip}
      - {path: outer.tgz, member: pkg/two.zip, into: again}
`)
	result, out, err := build(t, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "-0644 a inner\nd0755 again \n-0644 again/z zipped\n-0644 d deb\n-0644 three.txt plain\n-0644 z zipped\n"
	if diff := cmp.Diff(want, contentOf(t, out, "a")); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	if got := result.Manifest.Components[0].Origins[1].Name; got != "outer.tgz!pkg/one.tar.gz" {
		t.Errorf("origin %q", got)
	}
	for member, want := range map[string]string{
		"pkg/five": `it has no member "pkg/five"`,
		"pkg/four": `member "pkg/four" is not a regular file`,
	} {
		_, _, err := build(t, lockFile(t, dir, "  - {name: a, version: 1, sources: [{path: outer.tgz, member: "+member+
			"}]}\n"), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
