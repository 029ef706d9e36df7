package diagnosis

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// large is a bundle that does not compress well.
func large(name string) *Bundle {
	random := rand.New(rand.NewPCG(1, 2))
	b := &Bundle{Name: name, Made: time.Date(2026, 11, 29, 14, 0, 0, 0, time.UTC)}
	b.Add("version.json", "{}", time.Time{})
	for i := range 5 {
		text := make([]byte, 100_000)
		for k := range text {
			text[k] = byte('0' + random.IntN(64))
		}
		b.Add(fmt.Sprintf("logs/%d.log", i), string(text), time.Time{})
	}
	return b
}

// splitInto writes a bundle in parts and returns the name that they have before their numbers.
func splitInto(t *testing.T, dir string, b *Bundle, size int64) (file string, names []string) {
	t.Helper()
	parts, err := b.Split(size)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "bundle.tar.gz")
	for i, part := range parts {
		if int64(len(part)) > size {
			t.Errorf("part %d has %d bytes, more than %d", i+1, len(part), size)
		}
		names = append(names, PartName(file, i+1))
		if err := os.WriteFile(names[i], part, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file, names
}

// TestPartsAreTheBundle: any part, and the name before the numbers, stand for the whole, and so do the parts joined.
func TestPartsAreTheBundle(t *testing.T) {
	want := large("fate-diagnose-a-1")
	file, names := splitInto(t, t.TempDir(), want, 100_000)
	if len(names) < 3 {
		t.Fatalf("%d parts", len(names))
	}
	var joined bytes.Buffer
	for _, name := range names {
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		joined.Write(part)
	}
	whole := filepath.Join(t.TempDir(), "joined.tar.gz")
	if err := os.WriteFile(whole, joined.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, names[0], names[2], whole} {
		got, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		same := slices.EqualFunc(got.Entries, want.Entries, func(a, b Entry) bool {
			return a.Name == b.Name && a.Text == b.Text
		})
		if !same || got.Name != want.Name || !got.Made.Equal(want.Made) {
			t.Errorf("%s is not the bundle: %d files, made %v", name, len(got.Entries), got.Made)
		}
	}
}

// TestABadPartIsNamed: the error says which file to copy again.
func TestABadPartIsNamed(t *testing.T) {
	change := func(name string, how func([]byte) []byte) error {
		data, err := os.ReadFile(name)
		return errors.Join(err, os.WriteFile(name, how(data), 0o600))
	}
	for _, tt := range []struct {
		name, want string
		at         int // the part
		do         func(names []string) error
	}{
		{"missing", "it is missing", 2, func(names []string) error { return os.Remove(names[1]) }},
		{"the last is missing", "it is missing: the bundle has 5 parts", 5, func(names []string) error {
			return os.Remove(names[4])
		}},
		{"a changed byte", "", 3, func(names []string) error {
			return change(names[2], func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}},
		{"a changed checksum", "checksum", 2, func(names []string) error {
			return change(names[1], func(b []byte) []byte { b[len(b)-7] ^= 1; return b })
		}},
		{"cut off", "it is cut off", 2, func(names []string) error {
			return change(names[1], func(b []byte) []byte { return b[:len(b)-100] })
		}},
		{"longer", "something follows its end", 4, func(names []string) error {
			return change(names[3], func(b []byte) []byte { return append(b, 0) })
		}},
		{"empty", "it is not part 2", 2, func(names []string) error {
			return change(names[1], func([]byte) []byte { return nil })
		}},
		{"twice the same", "it is not part 3", 3, func(names []string) error {
			other, err := os.ReadFile(names[1])
			return errors.Join(err, os.WriteFile(names[2], other, 0o600))
		}},
		{"of another bundle", "it is a part of another bundle", 2, func(names []string) error {
			parts, err := large("fate-diagnose-b-1").Split(100_000)
			if err != nil {
				return err
			}
			return os.WriteFile(names[1], parts[1], 0o600)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, names := splitInto(t, t.TempDir(), large("fate-diagnose-a-1"), 100_000)
			if len(names) != 5 {
				t.Fatalf("%d parts", len(names))
			}
			if err := tt.do(names); err != nil {
				t.Fatal(err)
			}
			_, err := Read(file)
			var bad *NotABundleError
			if !errors.As(err, &bad) || bad.File != names[tt.at-1] || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want that %s: %s", err, names[tt.at-1], tt.want)
			}
		})
	}
	file, names := splitInto(t, t.TempDir(), large("fate-diagnose-a-1"), 100_000)
	if err := os.Remove(names[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the first part: %v", err)
	}
	var bad *NotABundleError
	if _, err := Read(names[1]); !errors.As(err, &bad) || bad.File != names[0] {
		t.Errorf("from the second part: %v", err)
	}
}

func TestSplitRefusesWhatCannotBe(t *testing.T) {
	if _, err := large("x").Split(LeastPart - 1); err == nil {
		t.Error("parts that are too small")
	}
	small := &Bundle{Name: "x", Made: time.Unix(0, 0)}
	small.Add("version.json", "{}", time.Time{})
	file, names := splitInto(t, t.TempDir(), small, LeastPart)
	if b, err := Read(file); err != nil || len(names) != 1 || len(b.Entries) != 1 {
		t.Errorf("one part: %d, %v", len(names), err)
	}
}
