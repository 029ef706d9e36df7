package payload

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
)

// benchTar returns a tar stream to measure with: the file that PAYLOAD_BENCH_TAR names, for figures that mean
// something, or else 64 MiB of made-up files.
func benchTar(b testing.TB) []byte {
	b.Helper()
	if path := os.Getenv("PAYLOAD_BENCH_TAR"); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		return data
	}
	return syntheticTar(b, 64<<20)
}

// syntheticTar has small and large files of words, about size bytes in all.
func syntheticTar(b testing.TB, size int) []byte {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 5000)
	for i := range words {
		words[i] = randomText(uint64(i), 2+r.IntN(10)) + " "
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; out.Len() < size; i++ {
		n := 1 << (9 + r.IntN(10))
		if i%100 == 50 {
			n = 20 << 20
		}
		var body bytes.Buffer
		for body.Len() < n {
			body.WriteString(words[int(r.ExpFloat64()*500)%len(words)])
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("dir%d/%d", i/50, i), Mode: 0o644,
			Size: int64(body.Len())}
		if err := w.WriteHeader(h); err != nil {
			b.Fatal(err)
		}
		w.Write(body.Bytes())
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

func BenchmarkWrite(b *testing.B) {
	data := benchTar(b)
	for _, level := range []int{3, 7, 0} {
		b.Run(fmt.Sprintf("level=%d", level), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				a := writeAppliance(b, WriterOptions{Level: level}, map[string][]byte{"tree": data})
				b.ReportMetric(float64(a.m.Components[0].StoredSize())/float64(len(data)), "stored/raw")
				os.Remove(a.path)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	a := writeAppliance(b, WriterOptions{Level: 7}, map[string][]byte{"tree": benchTar(b)})
	p, err := Open(a.path)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.SetBytes(p.Size())
			for b.Loop() {
				if _, err := p.Verify(context.Background(), VerifyOptions{Workers: workers}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExtract writes below TMPDIR. Each tree is removed before the next is written, which some file systems make
// slower than the writing of a first tree; a tmpfs does not.
func BenchmarkExtract(b *testing.B) {
	data := benchTar(b)
	for _, level := range []int{7, 0} {
		a := writeAppliance(b, WriterOptions{Level: level}, map[string][]byte{"tree": data})
		p, err := Open(a.path)
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("level=%d/workers=%d", level, workers), func(b *testing.B) {
				target := filepath.Join(b.TempDir(), "tree")
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					if err := p.Extract(context.Background(), "tree", target,
						ExtractOptions{UID: -1, GID: -1, Workers: workers}); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					os.RemoveAll(target)
					b.StartTimer()
				}
			})
		}
	}
}

// hugeAppliance is an appliance of over 4 GiB whose frames are holes in the file: good enough to open.
func hugeAppliance(t testing.TB) string {
	t.Helper()
	const frames, size = 700, 6_200_000
	c := Component{Name: "x", Version: "1", Codec: CodecZstd, Member: "x.tar.zst", Digest: hexSHA256(nil)}
	for i := range int64(frames) {
		c.Frames = append(c.Frames, Frame{Offset: i * size, Size: size, RawSize: MaxFrame,
			SHA256: hexSHA256([]byte{byte(i)})})
	}
	stub := testStub(5000)
	m := &Manifest{Schema: Schema, Release: Release{FATE: "1", Platform: "linux/amd64"},
		Stub: Blob{Size: 5000, SHA256: hexSHA256(stub)}, Components: []Component{c}}
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return forgeTail(t, append(stub, member{name: c.Member, size: c.StoredSize()}.localHeader()...), m, nil, text)
}

func BenchmarkOpen(b *testing.B) {
	path := hugeAppliance(b)
	for b.Loop() {
		p, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		p.Close()
	}
}

// countingFile counts what is read.
type countingFile struct {
	*os.File
	n atomic.Int64
}

func (f *countingFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(b, off)
	f.n.Add(int64(n))
	return n, err
}

func TestOpenReadsLittle(t *testing.T) {
	f, err := os.Open(hugeAppliance(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := zip.OpenReader(f.Name()); err != nil {
		t.Errorf("archive/zip: %v", err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() < 4<<30 {
		t.Fatalf("the appliance has only %d bytes", info.Size())
	}
	counting := &countingFile{File: f}
	p, err := open(&source{path: f.Name(), size: info.Size(),
		parts: []part{{file: counting, name: f.Name(), size: info.Size()}}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if n := counting.n.Load(); n > 256<<10 {
		t.Errorf("opening %d bytes read %d bytes", info.Size(), n)
	}
}

// Two workers need less than 100 MB between them, however much there is to unpack.
func TestExtractMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks 160 MB")
	}
	a := writeAppliance(t, WriterOptions{Level: 1}, map[string][]byte{"tree": syntheticTar(t, 160<<20)})
	p, err := Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	debug.FreeOSMemory()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	before := heap()
	var peak uint64
	o := ExtractOptions{UID: -1, GID: -1, Workers: 2, Progress: func(done, total int64) { peak = max(peak, heap()) }}
	if err := p.Extract(context.Background(), "tree", filepath.Join(t.TempDir(), "x"), o); err != nil {
		t.Fatal(err)
	}
	if used := int64(peak) - int64(before); used > 100<<20 {
		t.Errorf("unpacking took %d MB of memory", used>>20)
	}
}
