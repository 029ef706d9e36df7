package payload

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/golden"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The same input gives the same bytes, however many workers there are and however often a Writer is used.
func TestDeterministic(t *testing.T) {
	components := map[string][]byte{
		"one": makeTar(t, []testEntry{{name: "f", body: randomText(8, 1<<20)}, {name: "g", body: "g"}}),
		"two": makeTar(t, []testEntry{{name: "f", body: randomText(9, 1<<19)}}),
	}
	for _, codec := range []string{CodecZstd, CodecXZ} {
		var first []byte
		for _, workers := range []int{1, 3} {
			a := writeAppliance(t, WriterOptions{Codec: codec, Workers: workers, FrameSize: 256 << 10}, components)
			b, err := os.ReadFile(a.path)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = b
			}
			if !bytes.Equal(b, first) {
				t.Errorf("%s: %d workers give another file than 1", codec, workers)
			}
		}
	}
}

// A change of the format would make appliances unreadable that are in the field: the file of today must be readable for
// ever, and a file written today must be that file.
func TestFormatIsStable(t *testing.T) {
	const file = "testdata/appliance.golden"
	var key PrivateKey
	if err := key.UnmarshalText([]byte(testKey)); err != nil {
		t.Fatal(err)
	}
	a := writeAppliance(t, WriterOptions{Level: 1, FrameSize: minFrame, Key: &key}, map[string][]byte{
		"tree": makeTar(t, []testEntry{{name: "bin/run", body: "#!/bin/sh\n", mode: 0o755},
			{name: "big", body: strings.Repeat("0123456789", 20_000)}}),
	})
	if *golden.Update {
		b, err := os.ReadFile(a.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	pub := key.Public().(PublicKey)
	if _, err := p.Verify(context.Background(), VerifyOptions{PublicKey: &pub}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.Manifest(), a.m); diff != "" {
		t.Errorf("the manifest of the same input has changed: %s", diff)
	}
	got, _ := os.ReadFile(a.path)
	want, _ := os.ReadFile(file)
	if !bytes.Equal(got, want) {
		t.Error("the file for the same input has changed; if a codec now compresses better, run the test with -update")
	}
	dir, err := extractTo(t, file, "tree", ExtractOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tree := readTree(t, filepath.Join(dir, "out"))
	if len(tree) != 4 || tree["bin/run"] != "-rwxr-xr-x #!/bin/sh\n 1600000000" {
		t.Errorf("extracted %v", tree)
	}
}

// testKey signs the golden file, and nothing else.
const testKey = `untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAkA5h/rWRHPdmYXRlZmF0ZWZhdGVmYXRlZmF0ZWZhdGVmYXRlZmF0ZSewuBVR9MR2WuDx8nMR5f5WO6LmmNr0RA4lw335hAXEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
`

// Any tree comes out as it went in, with any frame size and number of workers.
func TestAnyTree(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		entries := randomEntries(r)
		o := WriterOptions{Level: 1, FrameSize: tarBlock * rapid.IntRange(minFrame/tarBlock, 1000).Draw(r, "blocks"),
			Workers: rapid.IntRange(1, 3).Draw(r, "writers")}
		a := writeAppliance(t, o, map[string][]byte{"tree": makeTar(t, entries)})
		c := a.m.Components[0]
		dir, err := extractTo(t, a.path, "tree", ExtractOptions{Workers: rapid.IntRange(1, 3).Draw(r, "readers")})
		if err != nil {
			r.Fatal(err)
		}
		got := readTree(t, filepath.Join(dir, "out"))
		for _, e := range entries {
			name := strings.TrimSuffix(e.name, "/")
			if _, ok := got[name]; !ok {
				r.Errorf("%s is missing", name)
			}
			if want := fmt.Sprintf("-%s ", perm(e.mode)); e.flag == 0 && !strings.HasPrefix(got[name], want) {
				r.Errorf("%s is %.20q, want mode %s", name, got[name], want)
			}
			if e.flag == 0 && len(e.body) > 100 && !strings.Contains(got[name],
				fmt.Sprintf(" %d %x ", len(e.body), sum([]byte(e.body)))) {
				r.Errorf("%s has another content: %.40s", name, got[name])
			}
		}
		if len(got)-1 != c.Files+c.Dirs+c.Links {
			r.Errorf("%d entries were extracted, the manifest has %d files, %d directories and %d links", len(got)-1,
				c.Files, c.Dirs, c.Links)
		}
	})
}

func perm(mode int64) string { return os.FileMode(mode).String()[1:] }

func randomEntries(r *rapid.T) []testEntry {
	var entries []testEntry
	var files []string
	for i := range rapid.IntRange(0, 30).Draw(r, "entries") {
		dir := rapid.SampledFrom([]string{"", "a/", "a/b/", "c/d/e/f/"}).Draw(r, "dir")
		e := testEntry{name: fmt.Sprintf("%s%d", dir, i),
			mode: int64(rapid.SampledFrom([]int{0o644, 0o755, 0o600, 0o444}).Draw(r, "mode"))}
		switch kind := rapid.IntRange(0, 9).Draw(r, "kind"); {
		case kind == 0:
			e.name, e.flag, e.mode = e.name+"/", '5', 0o755
		case kind == 1:
			e.flag, e.target = '2', "x/y"
		case kind == 2 && len(files) > 0:
			e.flag, e.target = '1', rapid.SampledFrom(files).Draw(r, "target")
		default:
			size := rapid.SampledFrom([]int{0, 1, 511, 512, 513, 4096, 60_000, 65_536, 200_000, 1_000_000}).Draw(r,
				"size")
			e.body = randomText(uint64(i), size)
			files = append(files, e.name)
		}
		entries = append(entries, e)
	}
	return entries
}

func FuzzOpen(f *testing.F) {
	whole, err := os.ReadFile("testdata/appliance.golden")
	if err != nil {
		f.Fatal(err)
	}
	stub, archive := whole[:5000], whole[5000:]
	f.Add(archive, uint(0))
	f.Add(archive[:len(archive)-1], uint(0))
	f.Add(archive[len(archive)-300:], uint(0))
	f.Add([]byte(nil), uint(10))
	f.Fuzz(func(t *testing.T, archive []byte, cut uint) {
		b := append(bytes.Clone(stub[:len(stub)-int(cut%uint(len(stub)+1))]), archive...)
		p, err := open(memorySource(b))
		if err != nil {
			return
		}
		// A file that opens has what was written: everything but the content of the frames has been compared.
		if _, err := p.Verify(context.Background(), VerifyOptions{Workers: 1}); err == nil && !bytes.Equal(b, whole) {
			t.Fatal("another file was accepted")
		}
	})
}

// memorySource is an appliance that is not on disk.
func memorySource(b []byte) *source {
	type file struct {
		*bytes.Reader
		io.Closer
	}
	return &source{path: "memory", size: int64(len(b)),
		parts: []part{{file: file{bytes.NewReader(b), io.NopCloser(nil)}, name: "memory", size: int64(len(b))}}}
}

// shell runs a command line with stock tools, and skips the test where one of them is not installed.
func shell(t *testing.T, dir, line string, tools ...string) string {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	cmd := exec.Command("bash", "-c", "set -e -o pipefail; "+line)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// What the package comment promises: an appliance can be read without this program.
func TestStockTools(t *testing.T) {
	for codec, tool := range map[string]string{CodecZstd: "zstd", CodecXZ: "xz"} {
		t.Run(codec, func(t *testing.T) {
			pub, key, err := GenerateKey()
			if err != nil {
				t.Fatal(err)
			}
			a := writeAppliance(t, WriterOptions{Codec: codec, Level: 1, FrameSize: minFrame, Key: &key},
				map[string][]byte{"sample": makeTar(t, sampleEntries())})
			dir := filepath.Dir(a.path)
			member := a.m.Components[0].Member
			if out := shell(t, dir, "unzip -t appliance", "unzip"); strings.Contains(out, "warning") ||
				!strings.Contains(out, "No errors detected") {
				t.Error(out)
			}
			if out := shell(t, dir, "zipinfo appliance "+member, "zipinfo"); !strings.Contains(out, "-rw-r--r--") ||
				!strings.Contains(out, "stor") {
				t.Error(out)
			}
			shell(t, dir, fmt.Sprintf("unzip -p appliance %s | %s -t", member, tool), "unzip", tool)
			shell(t, dir, fmt.Sprintf("mkdir stock; unzip -p appliance %s | %s -dc | tar -xp -C stock", member, tool),
				"unzip", tool, "tar")
			want := sampleTree()
			delete(want, ".")
			got := readTree(t, filepath.Join(dir, "stock"))
			delete(got, ".")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if out := shell(t, dir, fmt.Sprintf("unzip -p appliance %s | %s -dc | sha256sum", member, tool), "unzip",
				tool, "sha256sum"); !strings.HasPrefix(out, a.m.Components[0].Digest) {
				t.Errorf("sha256sum of the tar stream is %s, the manifest has %s", out, a.m.Components[0].Digest)
			}
			frame := a.m.Components[0].Frames[2]
			out := shell(t, dir,
				fmt.Sprintf("unzip -p appliance %s > member; dd if=member of=frame iflag=skip_bytes,count_bytes "+
					"skip=%d count=%d status=none; sha256sum < frame; %s -dc < frame | wc -c", member,
					frame.Offset, frame.Size, tool), "unzip", tool)
			if want := fmt.Sprintf("%s  -\n%d\n", frame.SHA256, frame.RawSize); out != want {
				t.Errorf("a frame alone: %q, want %q", out, want)
			}
			shell(t, dir, "unzip -p appliance manifest.json | python3 -m json.tool", "unzip", "python3")
			t.Run("minisign", func(t *testing.T) {
				shell(t, dir, "unzip -o -q appliance manifest.json manifest.sig; minisign -V -m manifest.json -x "+
					"manifest.sig -P "+pub.String(), "unzip", "minisign")
			})
		})
	}
}

// A better compressor than the built-in ones can make the frames, and cannot break them.
func TestForeignCompressor(t *testing.T) {
	tool := func(name string, args ...string) func(ctx context.Context, raw []byte) ([]byte, error) {
		return func(ctx context.Context, raw []byte) ([]byte, error) {
			cmd := exec.CommandContext(ctx, name, args...)
			cmd.Stdin = bytes.NewReader(raw)
			return cmd.Output()
		}
	}
	content := makeTar(t, sampleEntries())
	for _, test := range []struct {
		name     string
		codec    string
		compress func(ctx context.Context, raw []byte) ([]byte, error)
		want     string
	}{
		{"zstd", CodecZstd, tool("zstd", "-19", "-c"), ""},
		{"xz", CodecXZ, tool("xz", "-6", "-T1", "-c"), ""},
		{"xz", CodecXZ, tool("xz", "-9", "-T1", "-c"), "dictionary"},
		{"zstd", CodecXZ, tool("zstd", "-c"), "xz"},
		{"false", CodecZstd, tool("false"), "exit status"},
		{"cat", CodecZstd, tool("cat"), "refuse"},
		{"zstd", CodecZstd, func(ctx context.Context, raw []byte) ([]byte, error) {
			return tool("zstd", "-c")(ctx, append([]byte("x"), raw[1:]...))
		}, "other content"},
	} {
		if _, err := exec.LookPath(test.name); err != nil {
			t.Logf("%s is not installed", test.name)
			continue
		}
		w := newTestWriter(t, WriterOptions{Codec: test.codec,
			Compressor: &Compressor{Name: "test", Compress: test.compress}})
		err := w.AddComponent(context.Background(), Component{Name: "sample", Version: "1"}, bytes.NewReader(content))
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: error %v, want %q", test.name, err, test.want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if m, err := w.Close(); err != nil || m.Components[0].Encoder != "test" {
			t.Fatalf("closed with %+v, %v", m, err)
		}
		dir, err := extractTo(t, w.out.Name(), "sample", ExtractOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sampleTree(), readTree(t, filepath.Join(dir, "out"))); diff != "" {
			t.Error(diff)
		}
	}
}

func TestStockToolsOnParts(t *testing.T) {
	path, _, _ := splitSample(t, 1<<20)
	shell(t, filepath.Dir(path),
		"sha256sum -c appliance.sha256 && cat appliance.part??? > appliance && unzip -t appliance",
		"sha256sum", "unzip")
	if err := check(path); err != nil {
		t.Error(err)
	}
}
