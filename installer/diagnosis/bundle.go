package diagnosis

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// Entry is a file of a bundle.
type Entry struct {
	Name string // its path below the directory of the bundle
	Text string
	Time time.Time // of the last change of the file whose end this is; zero: when the bundle was made
}

// Bundle is what was collected of a host.
type Bundle struct {
	Name    string    // of the directory that all files are in
	Made    time.Time // when it was made, by the clock of the host
	Entries []Entry
	// Left are what was not taken, when the bundle was made here.
	Left []LeftOut

	size int64
	at   map[string]int // places of entries, by their names
}

// AboutName is the file that says what a bundle is. Bundles of early releases have none.
const AboutName = "bundle.json"

// Schema is the version of the format of a bundle.
const Schema = 1

// About is the content of the file AboutName.
type About struct {
	Schema  int       `json:"schema"`
	Made    time.Time `json:"made"`     // by the clock of the host
	Zone    int       `json:"zone"`     // what the host's local time is ahead of UTC, in seconds
	Host    string    `json:"host"`     // its name
	Base    string    `json:"base"`     // the base directory
	Version string    `json:"version"`  // of the program that made the bundle
	Live    bool      `json:"live"`     // false: of a directory tree, in which nothing runs
	Since   string    `json:"since"`    // how far back the logs go; blank: as far as there was room
	MaxSize int64     `json:"max_size"` // bound of the content, in bytes
	LeftOut []LeftOut `json:"left_out"` // what was not taken
}

// LeftOut is a file of which a bundle has nothing, or the end alone.
type LeftOut struct {
	Name  string `json:"name"`  // the file in the bundle
	Bytes int64  `json:"bytes"` // how many bytes of it were left out
	Why   string `json:"why"`   // which bound it was
}

// Bounds of what is read: a bundle comes from another machine.
const (
	mostBytes   = 512 << 20 // of all that a bundle unpacks to, its headers included
	mostPacked  = 512 << 20 // of the file, or of all of its parts
	mostEntries = 50_000
	mostOfOne   = 64 << 20 // of one file in it
	longestName = 1024

	mostOfDocument = 16 << 20 // of a JSON document
)

// MostContent is the largest bound that a bundle can be made with, in bytes.
const MostContent = 256 << 20

// NotABundleError is a file that is no bundle, or a damaged one.
type NotABundleError struct {
	File string // the file, or the part of it that is at fault
	Why  error
	Hint string
}

func (e *NotABundleError) Error() string {
	return fmt.Sprintf("cannot read the bundle %s: %v", e.File, e.Why)
}

func (e *NotABundleError) Unwrap() error { return e.Why }

// Add puts a text into the bundle.
func (b *Bundle) Add(name, text string, changed time.Time) {
	if b.at == nil {
		b.at = map[string]int{}
	}
	if _, there := b.at[name]; !there { // of two of a name the first is read
		b.at[name] = len(b.Entries)
	}
	b.Entries = append(b.Entries, Entry{name, text, changed})
	b.size += int64(len(text))
}

// Size is how many bytes the files of the bundle have.
func (b *Bundle) Size() int64 { return b.size }

// Write writes the bundle as a tar, without compressing it.
func (b *Bundle) Write(out io.Writer) error {
	archive := tar.NewWriter(out)
	for _, e := range b.Entries {
		changed := e.Time
		if changed.IsZero() {
			changed = b.Made
		}
		header := &tar.Header{Name: b.Name + "/" + e.Name, Mode: 0o600, Size: int64(len(e.Text)), ModTime: changed,
			Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.WriteString(archive, e.Text); err != nil {
			return err
		}
	}
	return archive.Close()
}

// WriteCompressed writes the bundle as a tar.gz.
func (b *Bundle) WriteCompressed(out io.Writer) error {
	zipped := gzip.NewWriter(out)
	return errors.Join(b.Write(zipped), zipped.Close())
}

// errTooLarge ends the reading of what unpacks to more than a bundle has.
var errTooLarge = fmt.Errorf("it unpacks to more than %d MiB", mostBytes>>20)

// boundedReader fails after so many bytes, instead of ending there.
type boundedReader struct {
	from io.Reader
	left int64
}

func (r *boundedReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errTooLarge
	}
	n, err := r.from.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

// readTar reads a bundle from the tar that it is. Everything in it but plain files below one directory is an error: no
// bundle has that.
func readTar(in io.Reader) (*Bundle, error) {
	b := &Bundle{}
	for archive := tar.NewReader(&boundedReader{in, mostBytes}); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			if len(b.Entries) == 0 {
				return nil, errors.New("it is empty")
			}
			if err := b.check(); err != nil {
				return nil, err
			}
			b.date()
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		dir, name, err := checkHeader(h)
		switch {
		case err != nil:
			return nil, err
		case len(b.Entries) == mostEntries:
			return nil, fmt.Errorf("it has more than %d files", mostEntries)
		case b.Name == "":
			b.Name = dir
		case dir != b.Name:
			return nil, fmt.Errorf("it has files below %q and below %q", b.Name, dir)
		case b.entry(name) != nil:
			return nil, fmt.Errorf("it has %q twice", name)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		b.Add(name, string(text), inYears(h.ModTime))
	}
}

func checkHeader(h *tar.Header) (dir, name string, err error) {
	if len(h.Name) > longestName {
		return "", "", fmt.Errorf("a name in it has %d bytes", len(h.Name))
	}
	dir, name, below := strings.Cut(h.Name, "/")
	switch {
	case h.Typeflag != tar.TypeReg:
		return "", "", fmt.Errorf("%q in it is no plain file", h.Name)
	case !below || dir == "" || dir == "." || dir == ".." || path.Clean("/"+name) != "/"+name || name == "":
		return "", "", fmt.Errorf("it has a file named %q", h.Name)
	case h.Size > mostOfOne:
		return "", "", fmt.Errorf("%q in it has %d MiB", h.Name, h.Size>>20)
	}
	return dir, name, nil
}

// date finds out when a bundle was made: its own word, or else the time of what was written last.
func (b *Bundle) date() {
	if about, ok := b.about(); ok && !about.Made.IsZero() {
		b.Made = inYears(about.Made)
		return
	}
	b.Made = slices.MaxFunc(b.Entries, func(x, y Entry) int { return x.Time.Compare(y.Time) }).Time
}

// inYears returns the nearest time that a JSON document can have: its years have four digits.
func inYears(t time.Time) time.Time {
	t = t.UTC()
	switch {
	case t.Year() < 1:
		return time.Time{}
	case t.Year() > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return t
}

// errNoBundle is a tar.gz of something else.
var errNoBundle = errors.New("it is no file of diagnose: it has none of the documents of one that can be read")

// FormatError is a bundle of a format that this program does not read.
type FormatError struct {
	Schema int // the version of its format
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("it has format %d, and this program reads format %d", e.Schema, Schema)
}

// earlyDocuments are those of bundles that do not say what they are.
var earlyDocuments = []string{"version.json", "site.json", "facts.json", "check.json", "plan.json", statusName}

// check refuses what is no bundle, and formats that are not known.
func (b *Bundle) check() error {
	if about, ok := b.about(); ok {
		if about.Schema != Schema {
			return &FormatError{about.Schema}
		}
		return nil
	}
	for _, name := range earlyDocuments {
		var v any
		if b.decode(name, &v) {
			return nil
		}
	}
	return errNoBundle
}

// about is what the bundle says of itself.
func (b *Bundle) about() (a About, ok bool) { return a, b.decode(AboutName, &a) }

// entry is a file of the bundle; nil: it has none of that name.
func (b *Bundle) entry(name string) *Entry {
	at, there := b.at[name]
	if !there {
		return nil
	}
	return &b.Entries[at]
}

// decode reads a JSON document of the bundle, and reports whether it is there and can be understood.
func (b *Bundle) decode(name string, into any) bool {
	e := b.entry(name)
	return e != nil && e.decode(into)
}

// decode reads a JSON document, and reports whether it can be understood. One that is null says nothing.
func (e *Entry) decode(into any) bool {
	return len(e.Text) <= mostOfDocument && strings.TrimSpace(e.Text) != "null" &&
		json.Unmarshal([]byte(e.Text), into) == nil
}

// below lists the files of a directory of the bundle, in the order of their names.
func (b *Bundle) below(dir string) []Entry {
	var out []Entry
	for _, e := range b.Entries {
		if strings.HasPrefix(e.Name, dir+"/") {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(x, y Entry) int { return cmp.Compare(x.Name, y.Name) })
	return out
}
