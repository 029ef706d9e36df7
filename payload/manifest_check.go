package payload

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Limits that keep the memory of a reader small whatever a manifest says.
const (
	maxManifest   = 16 << 20         // bytes of manifest.json, enough for a terabyte of frames
	maxFile       = 256 << 20        // bytes of one member that is not a component
	maxStored     = MaxFrame + 1<<16 // bytes of one compressed frame; a codec adds little to what it cannot shrink
	maxText       = 4096             // bytes of one text field
	maxComponents = 1000
	minFrame      = 64 << 10 // bytes of tar stream in a frame, as a Writer accepts it
	tarBlock      = 512
)

var (
	componentName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[a-z0-9][a-z0-9._+-]{0,63}$`)
	})
	memberName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$`)
	})
	platformName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+$`)
	})
)

// check reports the first rule of the format that the manifest breaks.
func (m *Manifest) check() error {
	if m.Schema != Schema {
		return &SchemaError{Got: m.Schema}
	}
	if err := m.Release.check(); err != nil {
		return err
	}
	if err := checkBlob("the program", m.Stub.Size, math.MaxInt64/4, m.Stub.SHA256); err != nil {
		return err
	}
	if len(m.Components) > maxComponents || len(m.Files) > maxComponents {
		return fmt.Errorf("the manifest lists more than %d members", maxComponents)
	}
	// Names are compared without case, so that an archive unpacked by hand is the same on every file system.
	seen := map[string]bool{ManifestName: true, SignatureName: true}
	total := m.Stub.Size
	for i := range m.Components {
		c := &m.Components[i]
		if err := c.check(); err != nil {
			return fmt.Errorf("component %q in the manifest: %w", c.Name, err)
		}
		if c.Platform != "" && c.Platform != m.Release.Platform {
			return fmt.Errorf("component %q is for %s in a release for %s", c.Name, c.Platform, m.Release.Platform)
		}
		if !claim(seen, c.Member) {
			return fmt.Errorf("the manifest lists the member %q twice", c.Member)
		}
		if total += c.StoredSize(); total < 0 || total > math.MaxInt64/4 {
			return errors.New("the sizes in the manifest are impossible")
		}
	}
	names := map[string]bool{}
	for _, c := range m.Components {
		if !claim(names, c.Name) {
			return fmt.Errorf("the manifest lists component %q twice", c.Name)
		}
	}
	for _, f := range m.Files {
		if !memberName().MatchString(f.Name) {
			return fmt.Errorf("the manifest lists a member with the name %q", f.Name)
		}
		if !claim(seen, f.Name) {
			return fmt.Errorf("the manifest lists the member %q twice", f.Name)
		}
		if err := checkBlob(fmt.Sprintf("member %q", f.Name), f.Size, maxFile, f.SHA256); err != nil {
			return err
		}
	}
	return nil
}

func claim(seen map[string]bool, name string) bool {
	name = strings.ToLower(name)
	if seen[name] {
		return false
	}
	seen[name] = true
	return true
}

func (r *Release) check() error {
	if !platformName().MatchString(r.Platform) {
		return fmt.Errorf("the platform %q in the manifest is not of the form linux/amd64", r.Platform)
	}
	texts := []string{r.FATE}
	for k, v := range r.Env {
		texts = append(texts, k, v)
	}
	return checkTexts(texts...)
}

func (n *Needs) check() error {
	if n == nil {
		return nil
	}
	for library, programs := range n.By {
		if !slices.Contains(n.Programs, library) {
			return fmt.Errorf("programs are named that need %.60q, which is not among the libraries", library)
		}
		for _, p := range programs {
			if err := checkPath(p); err != nil {
				return fmt.Errorf("a program that needs a library: %w", err)
			}
		}
	}
	return checkTexts(slices.Concat(n.Programs, n.Modules, []string{n.Glibc})...)
}

func (c *Component) check() error {
	if !componentName().MatchString(c.Name) {
		return errors.New("the name may only have lower-case letters, digits and . _ + -")
	}
	if c.Platform != "" && !platformName().MatchString(c.Platform) {
		return fmt.Errorf("the platform %q is not of the form linux/amd64", c.Platform)
	}
	if err := checkTexts(c.Version, c.License, c.Encoder); err != nil {
		return err
	}
	for _, dir := range c.LibraryPath {
		if err := checkPath(dir); err != nil {
			return fmt.Errorf("library path: %w", err)
		}
	}
	if err := c.Needs.check(); err != nil {
		return err
	}
	for _, o := range c.Origins {
		if err := checkTexts(o.Name, o.URL); err != nil {
			return err
		}
		if err := checkBlob(fmt.Sprintf("origin %q", o.Name), o.Size, math.MaxInt64, o.SHA256); err != nil {
			return err
		}
	}
	want, err := memberOf(c.Name, c.Codec)
	if err != nil {
		return err
	}
	if c.Member != want {
		return fmt.Errorf("the member is %q, want %q", c.Member, want)
	}
	if !isSHA256(c.Digest) {
		return fmt.Errorf("the digest %q is not a sha256", c.Digest)
	}
	if err := checkFrames(c.Frames); err != nil {
		return err
	}
	tar := c.TarSize()
	if c.Size < 0 || c.Size > tar || c.Files < 0 || c.Dirs < 0 || c.Links < 0 ||
		int64(c.Files) > tar/tarBlock || int64(c.Dirs) > tar/tarBlock || int64(c.Links) > tar/tarBlock {
		return fmt.Errorf("the counts do not fit into a tar stream of %d bytes", tar)
	}
	return nil
}

// checkFrames holds the frames to: no gap, no overlap, bounded size, and continuations that follow each other.
func checkFrames(frames []Frame) error {
	if len(frames) == 0 {
		return errors.New("there are no frames")
	}
	var end, raw int64
	for i := range frames {
		f := &frames[i]
		switch {
		case f.Offset != end:
			return fmt.Errorf("frame %d is at %d, want %d", i, f.Offset, end)
		case f.Size <= 0 || f.Size > maxStored:
			return fmt.Errorf("frame %d has an impossible size of %d bytes", i, f.Size)
		case f.RawSize <= 0 || f.RawSize > MaxFrame || f.RawSize%tarBlock != 0:
			return fmt.Errorf("frame %d has an impossible unpacked size of %d bytes", i, f.RawSize)
		case !isSHA256(f.SHA256):
			return fmt.Errorf("the digest %q of frame %d is not a sha256", f.SHA256, i)
		}
		if f.Continues != nil {
			if i == 0 {
				return errors.New("the first frame continues a file")
			}
			if err := checkContinuation(&frames[i-1], f); err != nil {
				return fmt.Errorf("frame %d: %w", i, err)
			}
		}
		end += f.Size
		raw += f.RawSize
		if end < 0 || raw < 0 || end > math.MaxInt64/4 || raw > math.MaxInt64/4 {
			return errors.New("the sizes of the frames are impossible")
		}
	}
	return nil
}

func checkContinuation(prev, f *Frame) error {
	k := f.Continues
	if err := checkPath(k.Path); err != nil {
		return err
	}
	if k.Offset <= 0 || k.Size <= 0 || k.Size > f.RawSize || k.Offset > math.MaxInt64/4 {
		return fmt.Errorf("the continuation of %q is impossible", k.Path)
	}
	if p := prev.Continues; p != nil && p.Path == k.Path {
		if p.Size != prev.RawSize || k.Offset != p.Offset+p.Size {
			return fmt.Errorf("the continuation of %q does not follow the frame before", k.Path)
		}
	}
	return nil
}

// memberOf names the archive member of a component, so that the stock tools know what it is.
func memberOf(component, codec string) (string, error) {
	switch codec {
	case CodecZstd:
		return component + ".tar.zst", nil
	case CodecXZ:
		return component + ".tar.xz", nil
	}
	return "", fmt.Errorf("unknown codec %q, want %s or %s", codec, CodecZstd, CodecXZ)
}

func checkBlob(what string, size, limit int64, digest string) error {
	if size < 0 || size > limit {
		return fmt.Errorf("%s has an impossible size of %d bytes in the manifest", what, size)
	}
	if !isSHA256(digest) {
		return fmt.Errorf("%s has a digest %q in the manifest, which is not a sha256", what, digest)
	}
	return nil
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func isSHA256(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// checkTexts refuses what could confuse a terminal, or a reader with another JSON library.
func checkTexts(texts ...string) error {
	for _, s := range texts {
		if len(s) > maxText || !isPrintable(s) {
			return fmt.Errorf("the text %.60q in the manifest is too long or not printable", s)
		}
	}
	return nil
}

func isPrintable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func isPath(p string) bool {
	return utf8.ValidString(p) && !strings.ContainsFunc(p, unicode.IsControl)
}

// checkPath accepts the path of an entry below the root of a component: relative, clean and printable.
func checkPath(p string) error {
	if len(p) > maxText {
		return fmt.Errorf("the path %.60q… is longer than %d bytes", p, maxText)
	}
	if !isPath(p) {
		return fmt.Errorf("the path %q is not UTF-8 text without control characters", p)
	}
	for name := range strings.SplitSeq(p, "/") {
		switch {
		case name == "":
			return fmt.Errorf("the path %q is absolute, or has an empty element", p)
		case name == "." || name == "..":
			return fmt.Errorf("the path %q has the element %q", p, name)
		case len(name) > 255:
			return fmt.Errorf("the path %q has an element of more than 255 bytes", p)
		}
	}
	return nil
}
