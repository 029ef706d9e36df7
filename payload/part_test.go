package payload

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestExtractFiles: some entries of a component come as they are in the whole, with their directories and with the file
// that a hard link leads to.
func TestExtractFiles(t *testing.T) {
	a := writeAppliance(t, WriterOptions{FrameSize: minFrame}, map[string][]byte{"sample": makeTar(t, sampleEntries())})
	p, err := Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, tt := range []struct{ names, want []string }{
		{[]string{"empty"}, []string{"empty"}},
		{[]string{"lib/deep/er/file", "bin/link"}, []string{"lib", "lib/deep", "lib/deep/er", "lib/deep/er/file",
			"bin", "bin/link"}},
		{[]string{"big"}, []string{"big"}},
		{[]string{"a-hard"}, []string{"a-hard", "bin", "bin/run"}},
		{[]string{"locked"}, []string{"locked"}},
		{[]string{"locked/in"}, []string{"locked", "locked/in"}},
		{nil, nil},
	} {
		want := map[string]string{".": sampleTree()["."]}
		for _, name := range tt.want {
			want[name] = sampleTree()[name]
		}
		for _, workers := range []int{1, 3} {
			target := filepath.Join(tempDir(t), "out")
			o := ExtractOptions{UID: -1, GID: -1, Workers: workers}
			if err := p.ExtractFiles(context.Background(), Target{Component: "sample", Path: target}, tt.names,
				o); err != nil {
				t.Fatalf("%v: %v", tt.names, err)
			}
			if diff := cmp.Diff(want, readTree(t, target)); diff != "" {
				t.Errorf("%v: %s", tt.names, diff)
			}
		}
	}
	dir := tempDir(t)
	err = p.ExtractFiles(context.Background(), Target{Component: "sample", Path: filepath.Join(dir, "out")},
		[]string{"bin/nosuch", "big"}, ExtractOptions{UID: -1, GID: -1})
	if err == nil || !strings.Contains(err.Error(), "has no bin/nosuch") {
		t.Errorf("an entry that is not there: %v", err)
	}
	if left, err := fs.Glob(os.DirFS(dir), "*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
