package payload

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
)

// Payload is an open appliance. Its methods may be called from several goroutines.
type Payload struct {
	src       *source
	manifest  *Manifest
	text      []byte // of the manifest
	signature []byte // nil if there is none
	members   []member
	tail      []byte // central directory and end records

	trust   func() (signedBy string, err error) // whether the compiled-in key, if there is one, signed this
	readers frameReaders
}

// Open opens an appliance, or the parts of one: path may name the file before it was split, or any of its parts.
// It reads the trailer, the directory and the manifest, which is kilobytes however large the file is, and proves that
// they fit each other and the size of the file. It does not read the components; see Verify.
//
// The error is ErrNoPayload for a program that ends where its ELF headers say, and a *CorruptError or *SchemaError for
// everything else that is not a whole appliance of this format.
func Open(path string) (*Payload, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, err
	}
	p, err := open(src)
	if err != nil {
		src.Close()
		return nil, err
	}
	return p, nil
}

// OpenSelf opens the payload of the running program, even if its file was replaced or removed since it started.
func OpenSelf() (*Payload, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program's own file: %w", err)
	}
	if partSuffix().MatchString(path) {
		return Open(path)
	}
	src, err := openSource("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	src.path = path // for messages
	p, err := open(src)
	if err != nil {
		src.Close()
		return nil, err
	}
	return p, nil
}

func open(src *source) (*Payload, error) {
	tail := make([]byte, min(src.size, 4096))
	if _, err := src.ReadAt(tail, src.size-int64(len(tail))); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", src.path, err)
	}
	t, err := parseTrailer(tail, src.size)
	if err != nil {
		return nil, diagnose(src, tail, err)
	}
	p := &Payload{src: src}
	p.trust = sync.OnceValues(p.checkCompiledKey)
	p.readers.freed.L = &p.readers.mu
	if err := p.readMembers(t); err != nil {
		return nil, err
	}
	return p, p.checkLayout(t)
}

// readMembers reads the directory far enough to find the manifest and its signature, and reads those.
func (p *Payload) readMembers(t trailer) error {
	digest, err := t.manifestDigest()
	if err != nil {
		var schema *SchemaError
		if errors.As(err, &schema) {
			return err
		}
		return p.corrupt("directory", t.start+t.size, "", err)
	}
	// The manifest allows no more members than this, with names no longer than this.
	if t.size > (2*maxComponents+2)*(zipDirLen+128) {
		return p.corrupt("directory", t.start, "it is impossibly large", nil)
	}
	p.tail = make([]byte, p.src.size-t.start)
	if _, err := p.src.ReadAt(p.tail, t.start); err != nil {
		return fmt.Errorf("cannot read the directory of %s: %w", p.src.path, err)
	}
	members, err := parseDirectory(p.tail[:t.size])
	if err != nil {
		return p.corrupt("directory", t.start, "", err)
	}
	if n := len(members); n > 1 && members[n-1].name == SignatureName {
		if p.signature, err = p.readMember(members[n-1], t.start, 1<<12); err != nil {
			return err
		}
		members = members[:n-1]
	}
	n := len(members)
	if n == 0 || members[n-1].name != ManifestName {
		return p.corrupt("directory", t.start, "it does not end with "+ManifestName, nil)
	}
	if p.text, err = p.readMember(members[n-1], t.start, maxManifest); err != nil {
		return err
	}
	if hexSHA256(p.text) != digest {
		return p.corrupt(ManifestName, members[n-1].dataOffset(), "its sha256 is not the one in the archive comment",
			nil)
	}
	return nil
}

// readMember reads a member that lies before limit and has at most max bytes.
func (p *Payload) readMember(m member, limit, max int64) ([]byte, error) {
	if m.offset < 0 || m.offset > limit || m.size < 0 || m.size > max || m.end() > limit {
		return nil, p.corrupt("directory", limit, fmt.Sprintf("the place of %s is impossible", m.name), nil)
	}
	b := make([]byte, m.size)
	if _, err := p.src.ReadAt(b, m.dataOffset()); err != nil {
		return nil, fmt.Errorf("cannot read %s of %s: %w", m.name, p.src.path, err)
	}
	if crc32.ChecksumIEEE(b) != m.crc32 {
		return nil, p.corrupt(m.name, m.dataOffset(), "its checksum is wrong", nil)
	}
	return b, nil
}

// checkLayout decodes the manifest, derives from it every byte of the file that is not program or member data, and
// compares them with the file. After this only data can be wrong, and all data has a sha256.
func (p *Payload) checkLayout(t trailer) error {
	m, err := DecodeManifest(p.text)
	if err != nil {
		var schema *SchemaError
		if errors.As(err, &schema) {
			return err
		}
		return p.corrupt("manifest", -1, "", err)
	}
	p.manifest = m
	p.members = layout(m, p.text, p.signature)
	start := place(m.Stub.Size, p.members)
	if start != t.start {
		return p.corrupt("directory", t.start, fmt.Sprintf("it is at %d where the manifest has it at %d", t.start,
			start), nil)
	}
	if at := mismatch(p.tail, directory(start, p.members, t.comment)); at >= 0 {
		return p.corrupt("directory", start+int64(at), "it is not what the manifest describes", nil)
	}
	for _, member := range p.members {
		if err := p.checkHeader(member); err != nil {
			return err
		}
	}
	end, arch, err := elfEnd(p.src)
	if err != nil || end != m.Stub.Size {
		return p.corrupt("program", 0, fmt.Sprintf("its headers describe %d bytes, the manifest %d", end, m.Stub.Size),
			err)
	}
	if want := m.Release.Platform; want != "linux/"+arch {
		return p.corrupt("program", 0, fmt.Sprintf("it is for linux/%s, the manifest says %s", arch, want), nil)
	}
	return nil
}

func (p *Payload) checkHeader(m member) error {
	want := m.localHeader()
	got := make([]byte, len(want))
	if _, err := p.src.ReadAt(got, m.offset); err != nil {
		return fmt.Errorf("cannot read %s: %w", p.src.path, err)
	}
	if at := mismatch(got, want); at >= 0 {
		return p.corrupt(m.name, m.offset+int64(at), "its header is not what the manifest describes", nil)
	}
	return nil
}

// layout lists the members of the archive in their order.
func layout(m *Manifest, text, signature []byte) []member {
	var members []member
	for _, c := range m.Components {
		members = append(members, member{name: c.Member, crc32: c.CRC32, size: c.StoredSize()})
	}
	for _, f := range m.Files {
		members = append(members, member{name: f.Name, crc32: f.CRC32, size: f.Size})
	}
	members = append(members, member{name: ManifestName, crc32: crc32.ChecksumIEEE(text), size: int64(len(text))})
	if signature != nil {
		members = append(members, member{name: SignatureName, crc32: crc32.ChecksumIEEE(signature),
			size: int64(len(signature))})
	}
	return members
}

// mismatch returns the index of the first byte that differs, or -1.
func mismatch(got, want []byte) int {
	if bytes.Equal(got, want) {
		return -1
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return i
		}
	}
	return min(len(got), len(want))
}

// diagnose says why a file without a good trailer is not an appliance: the usual reasons deserve their own words.
func diagnose(src *source, tail []byte, cause error) error {
	bad := func(component string, offset int64, reason, hint string) error {
		return &CorruptError{Path: src.path, Component: component, Offset: offset, Part: src.partsOf(offset, 1),
			Reason: reason, hint: hint}
	}
	end, _, err := elfEnd(src)
	switch {
	case errors.Is(err, errNotELF):
		return &CorruptError{Path: src.path, Component: "program", Part: src.partsOf(0, 1), Err: err,
			hint: "name the appliance itself; it begins with the installer program"}
	case err != nil && end <= src.size:
		return bad("program", 0, err.Error(), "")
	case errors.Is(cause, errTrailer) && err == nil && end == src.size && len(src.parts) == 1:
		return ErrNoPayload
	case !errors.Is(cause, errTrailer):
		return bad("directory", src.size-int64(zipEndLen+commentLen), cause.Error(), "")
	case end > src.size:
		return bad("program", src.size, fmt.Sprintf("the file ends after %d bytes, inside the program of %d", src.size,
			end), "")
	}
	if at := bytes.LastIndex(tail, []byte(commentPrefix)); at >= 0 {
		if extra := len(tail) - at - commentLen; extra > 0 {
			return bad("directory", src.size-int64(extra), fmt.Sprintf("%d bytes follow the end of the archive", extra),
				"")
		}
	}
	hint := ""
	if len(src.parts) > 1 {
		hint = "look for missing parts, then copy the last one again"
	}
	return bad("directory", src.size, "the file is cut short, or its last bytes were overwritten", hint)
}

func (p *Payload) corrupt(component string, offset int64, reason string, err error) *CorruptError {
	return p.corruptRange(component, offset, 1, reason, err)
}

// corruptRange is corrupt for size bytes of which it is not known which are wrong.
func (p *Payload) corruptRange(component string, offset, size int64, reason string, err error) *CorruptError {
	e := &CorruptError{Path: p.src.path, Part: p.src.partsOf(offset, size), Component: component, Offset: offset,
		Reason: reason, Err: err}
	if e.Part != "" {
		e.hint = "check the parts one by one, each against its .sha256, and copy the damaged one again"
	}
	return e
}

// Manifest describes the appliance. It must not be changed.
func (p *Payload) Manifest() *Manifest { return p.manifest }

// Component returns the component of that name.
func (p *Payload) Component(name string) (Component, bool) { return p.manifest.Component(name) }

// Digest is the sha256 of the manifest, in hex: it identifies the appliance, since the manifest covers everything in
// it.
func (p *Payload) Digest() string { return hexSHA256(p.text) }

// Path is the name the appliance was opened by.
func (p *Payload) Path() string { return p.src.path }

// Size is the length of the whole file in bytes, of all parts together if it is split.
func (p *Payload) Size() int64 { return p.src.size }

// Stub reads the program without its payload.
func (p *Payload) Stub() *io.SectionReader {
	return io.NewSectionReader(p.src, 0, p.manifest.Stub.Size)
}

// CopyStub writes the program without its payload to w and checks it on the way: on a *CorruptError what was written
// must be thrown away.
func (p *Payload) CopyStub(w io.Writer) error {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), p.Stub()); err != nil {
		return fmt.Errorf("cannot copy the program out of %s: %w", p.src.path, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != p.manifest.Stub.SHA256 {
		return p.corruptRange("program", 0, p.manifest.Stub.Size, "its sha256 is not the one in the manifest", nil)
	}
	return nil
}

// ReadFile returns a member that is not a component, such as an SBOM, after checking it.
func (p *Payload) ReadFile(name string) ([]byte, error) {
	for i, f := range p.manifest.Files {
		if f.Name != name {
			continue
		}
		m := p.members[len(p.manifest.Components)+i]
		b, err := p.readMember(m, p.src.size, maxFile)
		if err != nil {
			return nil, err
		}
		if hexSHA256(b) != f.SHA256 {
			return nil, p.corruptRange(name, m.dataOffset(), m.size, "its sha256 is not the one in the manifest", nil)
		}
		return b, nil
	}
	return nil, fmt.Errorf("cannot read %q from %s: there is no such member", name, p.src.path)
}

// Close closes the file. Nothing else may be running on the payload.
func (p *Payload) Close() error { return p.src.Close() }
