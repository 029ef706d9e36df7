package payload

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stream is a canonical tar stream of entries, with the blocks that end it.
func stream(entries ...entry) []byte {
	return append(partStream(entries...), zeros[:]...)
}

// partStream is a canonical tar stream of entries without an end. The data of each file is as many letters x as it has
// bytes.
func partStream(entries ...entry) []byte {
	var b []byte
	for _, e := range entries {
		if e.mode == 0 {
			e.mode = 0o755
		}
		b = appendHeader(b, &e)
		b = append(b, bytes.Repeat([]byte("x"), int(e.size))...)
		b = append(b, make([]byte, padded(e.size)-e.size)...)
	}
	return b
}

// A Writer refuses, by name, what the format does not have.
func TestWriterRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		entries []testEntry
		want    string
	}{
		"absolute path":            {[]testEntry{{name: "/etc/passwd"}}, "/etc/passwd"},
		"path outside":             {[]testEntry{{name: "a/../../etc/passwd"}}, "a/../../etc/passwd"},
		"empty element":            {[]testEntry{{name: "a//b"}}, "a//b"},
		"control character":        {[]testEntry{{name: "a\nb"}}, `a\nb`},
		"character device":         {[]testEntry{{name: "dev/null", flag: tar.TypeChar}}, "a device"},
		"block device":             {[]testEntry{{name: "dev/sda", flag: tar.TypeBlock}}, "a device"},
		"named pipe":               {[]testEntry{{name: "pipe", flag: tar.TypeFifo}}, "a named pipe"},
		"absolute link":            {[]testEntry{{name: "a", flag: tar.TypeSymlink, target: "/etc"}}, "/etc"},
		"link outside":             {[]testEntry{{name: "a/b", flag: tar.TypeSymlink, target: "../../c"}}, "../../c"},
		"link through a link":      {[]testEntry{{name: "a", flag: tar.TypeSymlink, target: "b/../c"}}, "b/../c"},
		"empty link":               {[]testEntry{{name: "a", flag: tar.TypeSymlink}}, "empty"},
		"hard link to nothing":     {[]testEntry{{name: "a", flag: tar.TypeLink, target: "b"}}, `"b"`},
		"hard link outside":        {[]testEntry{{name: "a", flag: tar.TypeLink, target: "../b"}}, "../b"},
		"hard link to a later one": {[]testEntry{{name: "a", flag: tar.TypeLink, target: "b"}, {name: "b"}}, `"b"`},
		"hard link to a directory": {[]testEntry{{name: "b/", flag: tar.TypeDir},
			{name: "a", flag: tar.TypeLink, target: "b"}}, `"b"`},
		"file twice":         {[]testEntry{{name: "a"}, {name: "a"}}, "twice"},
		"directory twice":    {[]testEntry{{name: "a/", flag: tar.TypeDir}, {name: "a", flag: tar.TypeDir}}, "twice"},
		"file and directory": {[]testEntry{{name: "a"}, {name: "a/", flag: tar.TypeDir}}, "twice"},
		"below a file":       {[]testEntry{{name: "a"}, {name: "a/b"}}, `"a"`},
		"below a link":       {[]testEntry{{name: "a", flag: tar.TypeSymlink, target: "."}, {name: "a/b"}}, `"a"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWriter(t, WriterOptions{Level: 1, Workers: 2})
			var b bytes.Buffer
			tw := tar.NewWriter(&b)
			for _, e := range test.entries {
				h := &tar.Header{Name: e.name, Typeflag: e.flag, Linkname: e.target, Mode: 0o644}
				if e.flag == 0 {
					h.Typeflag = tar.TypeReg
				}
				if err := tw.WriteHeader(h); err != nil {
					t.Fatal(err)
				}
			}
			err := w.AddComponent(context.Background(), Component{Name: "x"}, &b)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %s", err, test.want)
			}
			if _, err := w.Close(); err == nil {
				t.Error("the appliance was finished all the same")
			}
		})
	}
}

func newTestWriter(t testing.TB, o WriterOptions) *Writer {
	t.Helper()
	o.Release, o.FrameSize = Release{Platform: "linux/amd64"}, minFrame
	f, err := os.Create(filepath.Join(t.TempDir(), "appliance"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	w, err := NewWriter(f, bytes.NewReader(testStub(5000)), o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWriterRefusesInput(t *testing.T) {
	ctx := context.Background()
	valid := makeTar(t, []testEntry{{name: "a", body: randomText(1, 500)}})
	for name, add := range map[string]func(w *Writer) error{
		"cut tar": func(w *Writer) error {
			return w.AddComponent(ctx, Component{Name: "x"},
				bytes.NewReader(valid[:700]))
		},
		"not a tar": func(w *Writer) error {
			return w.AddComponent(ctx, Component{Name: "x"},
				strings.NewReader("hello"))
		},
		"component name": func(w *Writer) error {
			return w.AddComponent(ctx, Component{Name: "../x"},
				bytes.NewReader(valid))
		},
		"other platform": func(w *Writer) error {
			return w.AddComponent(ctx, Component{Name: "x", Platform: "linux/arm64"}, bytes.NewReader(valid))
		},
		"component twice": func(w *Writer) error {
			w.AddComponent(ctx, Component{Name: "x"}, bytes.NewReader(valid))
			return w.AddComponent(ctx, Component{Name: "x"}, bytes.NewReader(valid))
		},
		"file name":  func(w *Writer) error { return w.AddFile("a/b", nil) },
		"file twice": func(w *Writer) error { w.AddFile("a", nil); return w.AddFile("a", nil) },
		"manifest":   func(w *Writer) error { return w.AddFile(ManifestName, nil) },
		"ctx": func(w *Writer) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return w.AddComponent(ctx, Component{Name: "x"}, bytes.NewReader(valid))
		},
	} {
		w := newTestWriter(t, WriterOptions{Level: 1, Workers: 2})
		if err := add(w); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := w.Close(); err == nil {
			t.Errorf("%s: the appliance was finished all the same", name)
		}
	}
}

func TestWriterRefusesStub(t *testing.T) {
	arm := testStub(500)
	arm[18] = 183
	for name, stub := range map[string][]byte{
		"empty":         nil,
		"a script":      []byte("#!/bin/sh\n"),
		"trailing data": append(testStub(500), 0),
		"cut":           testStub(500)[:499],
		"other machine": arm,
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "appliance"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewWriter(f, bytes.NewReader(stub),
			WriterOptions{Release: Release{Platform: "linux/amd64"}}); err == nil {
			t.Errorf("%s: the program was accepted", name)
		}
		f.Close()
	}
}

// What a Writer would never write, but someone else could: the reader says so, and leaves nothing.
func TestHostileComponent(t *testing.T) {
	file := func(name string, size int64) entry { return entry{name: name, kind: kindFile, size: size} }
	dir := func(name string) entry { return entry{name: name, kind: kindDir} }
	link := func(name, target string) entry {
		return entry{name: name, kind: kindSymlink, mode: 0o777, target: target}
	}
	hard := func(name, target string) entry { return entry{name: name, kind: kindLink, target: target} }
	one := func(raw []byte) []forgedFrame { return []forgedFrame{{raw: raw}} }
	patched := func(b []byte, at int, with string) []byte { copy(b[at:], with); return b }
	for name, test := range map[string]struct {
		counts Component
		frames []forgedFrame
	}{
		"path outside":             {Component{Files: 1, Size: 1}, one(stream(file("../escaped", 1)))},
		"absolute path":            {Component{Files: 1, Size: 1}, one(stream(file("/tmp/escaped", 1)))},
		"device":                   {Component{Files: 1}, one(stream(entry{name: "null", kind: tar.TypeChar}))},
		"link outside":             {Component{Links: 1}, one(stream(link("l", "../../etc")))},
		"file below a link":        {Component{Links: 1, Files: 1}, one(stream(link("l", "."), file("l/f", 0)))},
		"file twice":               {Component{Files: 2}, one(stream(file("f", 0), file("f", 0)))},
		"file and directory":       {Component{Files: 1, Dirs: 1}, one(stream(file("f", 0), dir("f")))},
		"directory twice":          {Component{Dirs: 2}, one(stream(dir("d"), dir("d")))},
		"link over a file":         {Component{Files: 1, Links: 1}, one(stream(file("f", 0), link("f", "g")))},
		"file below a file":        {Component{Files: 2}, one(stream(file("f", 0), file("f/g", 0)))},
		"hard link to nothing":     {Component{Links: 1}, one(stream(hard("h", "f")))},
		"hard link to a link":      {Component{Links: 2}, one(stream(link("a", "b"), hard("h", "a")))},
		"hard link to a directory": {Component{Links: 1, Dirs: 1}, one(stream(dir("d"), hard("h", "d")))},
		"hard link to a hard link": {Component{Files: 1, Links: 2},
			one(stream(file("f", 0), hard("g", "f"), hard("h", "g")))},
		"unlisted directory":   {Component{Files: 1}, one(stream(file("d/f", 0)))},
		"too many files":       {Component{Files: 1}, one(stream(file("f", 0), file("g", 0)))},
		"too few files":        {Component{Files: 2}, one(stream(file("f", 0)))},
		"too many bytes":       {Component{Files: 1, Size: 1}, one(stream(file("f", 2)))},
		"too many directories": {Component{}, one(stream(dir("d")))},
		"too many links":       {Component{}, one(stream(link("l", "m")))},
		"no end":               {Component{Files: 1}, one(partStream(file("f", 0)))},
		"half an end":          {Component{Files: 1}, one(append(partStream(file("f", 0)), zeros[:tarBlock]...))},
		"two ends":             {Component{Files: 1}, one(append(stream(file("f", 0)), zeros[:]...))},
		"end in the middle": {Component{Files: 2}, []forgedFrame{{raw: stream(file("f", 0))},
			{raw: stream(file("g", 0))}}},
		"longer than its frame": {Component{Files: 1, Size: 9000},
			one(append(partStream(file("f", 9000))[:2048], zeros[:]...))},
		"data after a file": {Component{Files: 1, Size: 1}, one(patched(stream(file("f", 1)), 600, "hidden"))},
		"owner":             {Component{Files: 1}, one(patched(stream(file("f", 0)), 265, "root"))},
		"wrong checksum":    {Component{Files: 1}, one(patched(stream(file("f", 0)), 150, "1"))},
		"blank in a number": {Component{Files: 1}, one(patched(stream(file("f", 0)), 100, " "))},
		"extended header of a file it is not needed for": {Component{Files: 1},
			one(append(paxBlocks("path=f"), stream(file("f", 0))...))},
		"unknown record": {Component{Files: 1},
			one(append(paxBlocks("GNU.sparse.size=99"), stream(file("f", 0))...))},
		"bad record": {Component{Files: 1}, one(append(paxBlocks("path"), stream(file("f", 0))...))},
		"continues nothing": {Component{Files: 1, Size: 512},
			[]forgedFrame{{raw: partStream(file("f", 0))}, {append(make([]byte, 512), zeros[:]...),
				&Continuation{"g", 512, 512}}}},
		"continues a whole file": {Component{Files: 1, Size: 512},
			[]forgedFrame{{raw: partStream(file("f", 512))},
				{append(make([]byte, 512), zeros[:]...), &Continuation{"f", 512, 512}}}},
		"continues with a gap": {Component{Files: 1, Size: 1024},
			[]forgedFrame{{raw: partStream(file("f", 1024))[:1024]},
				{append(make([]byte, 512), zeros[:]...), &Continuation{"f", 1024, 512}}}},
		"continues too far": {Component{Files: 1, Size: 1024},
			[]forgedFrame{{raw: partStream(file("f", 1024))[:1024]},
				{append(make([]byte, 1024), zeros[:]...), &Continuation{"f", 512, 1024}}}},
		"continues too short": {Component{Files: 1, Size: 2000},
			[]forgedFrame{{raw: partStream(file("f", 2000))[:1024]},
				{append(make([]byte, 512), zeros[:]...), &Continuation{"f", 512, 100}}}},
		"is not continued": {Component{Files: 1, Size: 2000},
			[]forgedFrame{{raw: partStream(file("f", 2000))[:1024]}, {raw: stream()}}},
		"begins twice": {Component{Files: 2, Size: 2048},
			[]forgedFrame{{raw: partStream(file("f", 1024))[:1024]},
				{append(make([]byte, 512), partStream(file("f", 1024))[:1024]...), &Continuation{"f", 512, 512}},
				{append(make([]byte, 512), zeros[:]...), &Continuation{"f", 512, 512}}}},
		"continues a directory": {Component{Dirs: 1}, []forgedFrame{{raw: partStream(dir("f"))},
			{append(make([]byte, 512), zeros[:]...), &Continuation{"f", 512, 512}}}},
	} {
		t.Run(name, func(t *testing.T) {
			path := forgeComponent(t, test.counts, test.frames...)
			dir, err := extractTo(t, path, "x", ExtractOptions{Workers: 2})
			wantCorrupt(t, name, err)
			if dir != "" {
				wantEmpty(t, dir)
			}
		})
	}
	t.Run("nothing wrong", func(t *testing.T) {
		path := forgeComponent(t, Component{Files: 3, Dirs: 1, Links: 3, Size: 2003},
			forgedFrame{raw: partStream(dir("d"), file("d/f", 2000))[:2048]},
			forgedFrame{append(make([]byte, 1024), stream(file("d/g", 3), file("e", 0), link("l", "d/f"),
				hard("h", "d/g"), hard("i", "d/g"))...), &Continuation{"d/f", 1024, 976}})
		if _, err := extractTo(t, path, "x", ExtractOptions{Workers: 2}); err != nil {
			t.Fatal(err)
		}
	})
}

// paxBlocks is an extended header with one record.
func paxBlocks(record string) []byte {
	key, value, ok := strings.Cut(record, "=")
	b := appendRecord(nil, key, value)
	if !ok {
		b = []byte("9 " + record + "\n")
	}
	blocks := appendBlock(nil, "PaxHeader", "", typePAX, 0o644, int64(len(b)), 0)
	return append(append(blocks, b...), make([]byte, padded(int64(len(b)))-int64(len(b)))...)
}

// Frames that are intact but do not hold what the manifest says.
func TestLyingSizes(t *testing.T) {
	for _, codec := range []string{CodecZstd, CodecXZ} {
		a := writeAppliance(t, WriterOptions{Codec: codec, Level: 1, FrameSize: minFrame},
			map[string][]byte{"sample": makeTar(t,
				[]testEntry{{name: "f", body: randomText(1, 300_000), mode: 0o644}})})
		for name, change := range map[string]func(c *Component){
			"frame is larger":  func(c *Component) { c.Frames[0].RawSize -= tarBlock; c.Frames[1].Continues = nil },
			"frame is smaller": func(c *Component) { c.Frames[len(c.Frames)-1].RawSize += tarBlock },
			"frame is cut":     func(c *Component) { f := &c.Frames[len(c.Frames)-1]; f.Size--; c.CRC32++ },
			"more bytes":       func(c *Component) { c.Size++ },
			"fewer bytes":      func(c *Component) { c.Size-- },
			"more files":       func(c *Component) { c.Files++ },
			"fewer frames": func(c *Component) {
				c.Frames = c.Frames[:len(c.Frames)-1]
				c.Size = c.TarSize() - 4096
			},
		} {
			path := rewrite(t, a.path, func(m *Manifest) { change(&m.Components[0]) })
			dir, err := extractTo(t, path, "sample", ExtractOptions{Workers: 2})
			wantCorrupt(t, codec+": "+name, err)
			if dir != "" {
				wantEmpty(t, dir)
			}
		}
	}
}

// A frame that unpacks to more than a frame may, or asks for more memory than a reader will give it.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 3*MaxFrame)
	for _, codec := range []string{CodecZstd, CodecXZ} {
		e, err := newEncoder(codec, 1)
		if err != nil {
			t.Fatal(err)
		}
		bomb, err := e.encode(context.Background(), nil, zeros[:MaxFrame+MaxFrame/8])
		if err != nil {
			t.Fatal(err)
		}
		d, err := newDecoder(codec, MaxFrame)
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := d.decode(bomb, 512); err == nil {
			t.Errorf("%s: a bomb of %d bytes was unpacked", codec, len(raw))
		}
		if raw, err := d.decode(bomb[:len(bomb)-1], MaxFrame); err == nil {
			t.Errorf("%s: a cut frame gave %d bytes", codec, len(raw))
		}
		if raw, err := d.decode(nil, 512); err == nil {
			t.Errorf("%s: no bytes gave %d bytes", codec, len(raw))
		}
	}
	small, err := xzEncoder{}.encode(context.Background(), nil, zeros[:1<<16])
	if err != nil {
		t.Fatal(err)
	}
	small[12+4] = 40 // a dictionary of 4 GiB
	if _, err := (&xzDecoder{buf: make([]byte, 1<<16)}).decode(small, 1<<16); err == nil ||
		!strings.Contains(err.Error(), "dictionary") {
		t.Errorf("xz with a huge dictionary: error %v", err)
	}
}
