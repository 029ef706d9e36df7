package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fate-installer/installer/golden"
	"fate-installer/payload"
)

// testdata/fill.yaml is written in every way that YAML allows a source to be; fill.golden.yaml is what becomes of it.
func TestFillKeepsTheText(t *testing.T) {
	text, err := os.ReadFile("testdata/fill.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, newline := range []string{"\n", "\r\n"} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "a.txt"), []byte("content of a\n"))
		writeFile(t, filepath.Join(dir, "é b.txt"), []byte("content of b\n"))
		writeFile(t, filepath.Join(dir, "dir/x/f"), []byte("f"))
		file := writeFile(t, filepath.Join(dir, "fill.yaml"), []byte(strings.ReplaceAll(string(text), "\n", newline)))
		if err := os.Chmod(file, 0o640); err != nil {
			t.Fatal(err)
		}
		result, err := Fill(context.Background(), FillOptions{File: file, Fetch: downloader(t)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if newline == "\n" {
			golden.Compare(t, "testdata/fill.golden.yaml", got)
		} else if strings.Count(string(got), "\n") != strings.Count(string(got), "\r\n") {
			t.Errorf("line ends are mixed:\n%q", got)
		}
		if len(result.Lock.Unlocked()) > 0 {
			t.Errorf("still missing: %v", result.Lock.Unlocked())
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		again, err := Fill(context.Background(), FillOptions{File: file})
		if err != nil || len(again.Filled) > 0 {
			t.Errorf("a second run filled %v, %v", again.Filled, err)
		}
	}
}

func TestFillUpdate(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.txt"), []byte("one"))
	writeFile(t, filepath.Join(dir, "b.txt"), []byte("one"))
	file := lockFile(t, dir, "  - {name: a, version: 1, sources: [{path: a.txt}]}\n  - {name: b, version: 1, "+
		"sources: [{path: b.txt}]}\n")
	if _, err := Fill(context.Background(), FillOptions{File: file}); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "a.txt"), []byte("changed"))
	writeFile(t, filepath.Join(dir, "b.txt"), []byte("changed"))
	result, err := Fill(context.Background(), FillOptions{File: file, Update: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Filled{{"a", "a.txt", blobOf([]byte("changed")), true}}
	if diff := cmp.Diff(want, result.Filled); diff != "" {
		t.Errorf("filled (-want +got):\n%s", diff)
	}
	lock, err := ReadLock(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := lock.Components[1].Sources[0].SHA256; got != blobOf([]byte("one")).SHA256 {
		t.Error("b was updated too")
	}
	var problems Problems
	if _, err := Fill(context.Background(), FillOptions{File: file, Update: []string{"c"}}); !errors.As(err,
		&problems) {
		t.Errorf("error %v, want that there is no c", err)
	}
}

// A digest without a size is a promise already: Fill may add the size, but not change the digest.
func TestFillRefusesOtherContent(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.txt"), []byte("one"))
	text := "  - {name: a, version: 1, sources: [{path: a.txt, sha256: \"" + digestA + "\"}]}\n"
	file := lockFile(t, dir, text)
	var mismatch *MismatchError
	if _, err := Fill(context.Background(), FillOptions{File: file}); !errors.As(err, &mismatch) {
		t.Errorf("error %v, want a MismatchError", err)
	}
	if got, _ := os.ReadFile(file); string(got) != head+text {
		t.Errorf("the file was changed:\n%s", got)
	}
}

func TestFillLeavesTheFileOnError(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.txt"), []byte("one"))
	text := "  - {name: a, version: 1, sources: [{path: a.txt}, {path: not-there}]}\n"
	file := lockFile(t, dir, text)
	if _, err := Fill(context.Background(), FillOptions{File: file}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want not exist", err)
	}
	if got, _ := os.ReadFile(file); string(got) != head+text {
		t.Errorf("the file was changed:\n%s", got)
	}
}

// The digest of a directory depends on what is taken of it, and on nothing else.
func TestDirectoryDigest(t *testing.T) {
	ctx := context.Background()
	digest := func(dir string, s Source) string {
		s.Path, s.Format = dir, FormatDir
		f := &filler{}
		b, err := f.measure(ctx, &s, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b.SHA256
	}
	make1 := func() string {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "a/b"), []byte("x"))
		writeFile(t, filepath.Join(dir, "log/today"), []byte("noise"))
		return dir
	}
	one, two := make1(), make1()
	if digest(one, Source{}) != digest(two, Source{}) {
		t.Error("two equal directories have different digests")
	}
	without := Source{Exclude: []string{"log"}}
	before := digest(one, without)
	writeFile(t, filepath.Join(one, "log/today"), []byte("other noise"))
	if digest(one, without) != before {
		t.Error("an excluded file counts")
	}
	if digest(one, Source{Exclude: []string{"log"}, Strip: 1, Into: "x"}) != before {
		t.Error("where the files go counts")
	}
	if err := os.Chmod(filepath.Join(one, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if digest(one, without) == before {
		t.Error("the mode of a file does not count")
	}
}

// Whatever a lock looks like, editing it either gives exactly the wanted lock or an error, and touches no other line.
func TestEditProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := head
		count := rapid.IntRange(1, 4).Draw(t, "components")
		for i := range count {
			text += "  - name: c" + string(rune('a'+i)) + "\n    version: 1" + comment(t) + "    sources:\n"
			for range rapid.IntRange(1, 3).Draw(t, "sources") {
				text += drawSource(t)
			}
		}
		lock, nodes, err := parseLock("x.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		var e editor
		added := 0
		for i := range lock.Components {
			for j := range lock.Components[i].Sources {
				s := &lock.Components[i].Sources[j]
				if s.Locked() || !rapid.Bool().Draw(t, "fill") {
					continue
				}
				b := payload.Blob{SHA256: strings.Repeat("0123456789abcdef", 4),
					Size: rapid.Int64Range(1, 1<<40).Draw(t, "size")}
				s.SHA256, s.Size = b.SHA256, b.Size
				e.lock(nodes[i][j], b)
				if m, ok := nodes[i][j].(*ast.MappingNode); !ok || !m.IsFlowStyle {
					added += 2
				}
			}
		}
		edited, err := e.apply([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseLock("x.yaml", edited)
		if err != nil {
			t.Fatalf("%v\nfrom\n%s\nto\n%s", err, text, edited)
		}
		if !got.equal(lock) {
			t.Fatalf("edited to something else, from\n%s\nto\n%s", text, edited)
		}
		if lines := strings.Count(string(edited), "\n") - strings.Count(text, "\n"); lines > added {
			t.Errorf("%d lines more, want at most %d", lines, added)
		}
	})
}

func comment(t *rapid.T) string {
	return rapid.SampledFrom([]string{"\n", " # é comment: {x}\n", "\n\n", "\n    # on its own line\n"}).Draw(t,
		"comment")
}

func drawSource(t *rapid.T) string {
	name := rapid.SampledFrom([]string{"a", `"é, }b"`, "'it''s'", "a#b"}).Draw(t, "name")
	if rapid.Bool().Draw(t, "flow") {
		keys := []string{"path: " + name}
		if rapid.Bool().Draw(t, "strip") {
			keys = append(keys, "strip: 1")
		}
		end := rapid.SampledFrom([]string{"}", " }", ",}", " , }"}).Draw(t, "end")
		return "      - {" + strings.Join(keys, ", ") + end + strings.TrimRight(comment(t), "\n") + "\n"
	}
	lines := []string{"path: " + name}
	switch rapid.IntRange(0, 3).Draw(t, "shape") {
	case 1:
		lines = []string{"url:", "  - http://h/x", "  - http://h/y"}
	case 2:
		lines = []string{"url: [http://h/x,", "      http://h/y]"}
	case 3:
		lines = append(lines, "member: m/n")
	}
	if rapid.Bool().Draw(t, "null") {
		lines = append(lines, rapid.SampledFrom([]string{"sha256:", "sha256: null", "size: ~",
			"size:   # later"}).Draw(t, "empty"))
	}
	if rapid.Bool().Draw(t, "more") {
		lines = append([]string{"include: [x]"}, lines...)
	}
	text := "      - "
	for i, line := range lines {
		if i > 0 {
			text += "        "
		}
		text += line + "\n"
	}
	return text
}
