package payload

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func splitSample(t *testing.T, size int64) (path string, parts []string, whole []byte) {
	t.Helper()
	a := writeAppliance(t, WriterOptions{Level: 1, FrameSize: minFrame},
		map[string][]byte{"sample": makeTar(t, sampleEntries())})
	whole, err := os.ReadFile(a.path)
	if err != nil {
		t.Fatal(err)
	}
	parts, err = Split(context.Background(), a.path, size, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(a.path); err != nil {
		t.Fatal(err)
	}
	return a.path, parts, whole
}

func TestSplit(t *testing.T) {
	ctx := context.Background()
	for _, size := range []int64{5001, 100_000, 1 << 20, 1 << 30} {
		path, parts, whole := splitSample(t, size)
		var joined []byte
		for _, part := range parts {
			b, err := os.ReadFile(part)
			if err != nil {
				t.Fatal(err)
			}
			joined = append(joined, b...)
			if err := VerifyPart(ctx, part, nil); err != nil {
				t.Error(err)
			}
		}
		if !bytes.Equal(joined, whole) {
			t.Fatal("the parts are not the file")
		}
		for _, name := range []string{path, parts[0], parts[len(parts)-1]} {
			p, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Verify(ctx, VerifyOptions{}); err != nil {
				t.Error(err)
			}
			p.Close()
		}
		dir, err := extractTo(t, path, "sample", ExtractOptions{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sampleTree(), readTree(t, filepath.Join(dir, "out"))); diff != "" {
			t.Error(diff)
		}
	}
}

func TestDamagedParts(t *testing.T) {
	ctx := context.Background()
	for name, test := range map[string]struct {
		damage func(t *testing.T, path string, parts []string)
		part   int // index of the part the error names, -1 for none
	}{
		"first missing": {func(t *testing.T, path string, parts []string) { os.Remove(parts[0]) }, -1},
		"one missing":   {func(t *testing.T, path string, parts []string) { os.Remove(parts[3]) }, -1},
		"last missing":  {func(t *testing.T, path string, parts []string) { os.Remove(parts[len(parts)-1]) }, -1},
		"one cut":       {func(t *testing.T, path string, parts []string) { os.Truncate(parts[3], 99_999) }, 3},
		"one empty":     {func(t *testing.T, path string, parts []string) { os.Truncate(parts[3], 0) }, 3},
		"one longer":    {func(t *testing.T, path string, parts []string) { os.Truncate(parts[3], 100_001) }, 3},
		"one twice": {func(t *testing.T, path string, parts []string) {
			b, _ := os.ReadFile(parts[3])
			os.WriteFile(parts[4], b, 0o644)
		}, 4},
		"one changed": {func(t *testing.T, path string, parts []string) {
			b, _ := os.ReadFile(parts[3])
			b[50_000]++
			os.WriteFile(parts[3], b, 0o644)
		}, 3},
		"one too many": {func(t *testing.T, path string, parts []string) {
			os.WriteFile(partName(path, len(parts)+1), []byte("x"), 0o644)
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			path, parts, _ := splitSample(t, 100_000)
			test.damage(t, path, parts)
			err := check(path)
			if err == nil {
				t.Fatal("no error")
			}
			if test.part < 0 {
				return
			}
			var bad *CorruptError
			if !errors.As(err, &bad) || !strings.Contains(bad.Part, filepath.Base(parts[test.part])) ||
				bad.Hint() == "" {
				t.Errorf("error %v, want one that names part %03d", err, test.part+1)
			}
			if err := VerifyPart(ctx, parts[test.part], nil); !errors.As(err, &bad) {
				t.Errorf("the part alone: error %v", err)
			}
			if err := VerifyPart(ctx, parts[1], nil); err != nil {
				t.Errorf("another part: %v", err)
			}
		})
	}
}

func TestSplitRefuses(t *testing.T) {
	ctx := context.Background()
	path, parts, whole := splitSample(t, 1<<20)
	if _, err := Split(ctx, path, 1<<20, nil); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("split twice: error %v", err)
	}
	if err := VerifyPart(ctx, path, nil); err == nil {
		t.Error("a whole file was checked as a part")
	}
	os.Remove(sumsName(path))
	if err := VerifyPart(ctx, parts[0], nil); err == nil || !strings.Contains(err.Error(), ".sha256") {
		t.Errorf("digests missing: error %v", err)
	}
	for _, part := range parts {
		os.Remove(part)
	}
	if err := os.WriteFile(path, whole, 0o755); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	for name, split := range map[string]func() ([]string, error){
		"smaller than the program": func() ([]string, error) { return Split(ctx, path, 5000, nil) },
		"no size":                  func() ([]string, error) { return Split(ctx, path, 0, nil) },
		"interrupted":              func() ([]string, error) { return Split(canceled, path, 1<<20, nil) },
		"a part too many": func() ([]string, error) {
			if err := os.WriteFile(partName(path, 4), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(partName(path, 4))
			return Split(ctx, path, int64(len(whole)+2)/3, nil)
		},
	} {
		_, err := split()
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		left, _ := filepath.Glob(path + ".*")
		if len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// TestSplitReplacesWhatHasItsNames has another user put links in the places of the parts and their digests.
func TestSplitReplacesWhatHasItsNames(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("another file"), 0o600); err != nil {
		t.Fatal(err)
	}
	link, hard, pipe := filepath.Join(dir, "link"), filepath.Join(dir, "hard"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.Symlink(other, link), os.Link(other, hard), unix.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{link, hard, pipe} {
		f, err := createNew(name, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("a part"); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if text, _ := os.ReadFile(other); string(text) != "another file" {
		t.Errorf("another file has %q", text)
	}
	if _, err := createNew(dir, 0o644); err == nil {
		t.Error("a directory was replaced")
	}
}
