package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Schema is the version of the format this package writes, and the only one it reads.
const Schema = 1

// Names of the two members that describe the others.
const (
	ManifestName  = "manifest.json"
	SignatureName = "manifest.sig"
)

// Codecs of a component's frames.
const (
	CodecZstd = "zstd"
	CodecXZ   = "xz"
)

// MaxFrame is the most bytes of tar stream one frame holds. It bounds what a worker keeps in memory,
// and with 16 MiB the frames together are 1 % larger than one stream of the same codec would be.
const MaxFrame = 16 << 20

// Manifest describes every byte of an appliance. It is the last member but the signature, which covers it.
type Manifest struct {
	Schema     int         `json:"schema"`
	Release    Release     `json:"release"`
	Stub       Blob        `json:"stub"` // the program in front of the archive
	Components []Component `json:"components"`
	Files      []File      `json:"files,omitempty"` // members that are not components, such as an SBOM
}

// Release says what an appliance installs.
type Release struct {
	FATE     string `json:"fate"`     // the FATE release
	Platform string `json:"platform"` // as in GOOS/GOARCH: linux/amd64
	// Revision counts the appliances that one maker signs: a host does not go back to a lower one unasked.
	Revision int64             `json:"revision,omitempty"`
	Env      map[string]string `json:"env,omitempty"` // versions a release records for its components (fate.env)
}

// Blob is a run of bytes with a known digest.
type Blob struct {
	Size   int64  `json:"size"`   // in bytes
	SHA256 string `json:"sha256"` // lower-case hex
}

// File is a member that is stored as it is.
type File struct {
	Name   string `json:"name"`   // name in the archive
	Size   int64  `json:"size"`   // in bytes
	SHA256 string `json:"sha256"` // lower-case hex
	CRC32  uint32 `json:"crc32"`  // as ZIP wants it: IEEE
}

// Component is one directory tree: what it is, where it came from, and how it is stored.
type Component struct {
	Name     string `json:"name"`               // unique in the appliance
	Version  string `json:"version"`            // of the software
	License  string `json:"license,omitempty"`  // an SPDX expression
	Platform string `json:"platform,omitempty"` // empty: runs on every platform
	// StandIn marks a tree that only takes the place of the real software, for tests and demonstrations.
	StandIn bool `json:"stand_in,omitempty"`
	// LibraryPath lists directories inside the tree that its programs need on LD_LIBRARY_PATH.
	LibraryPath []string `json:"library_path,omitempty"`
	Origins     []Origin `json:"origins,omitempty"` // the files that it was made from
	// Needs lists what the programs inside use of the machine; nil if that was not looked at.
	Needs *Needs `json:"needs,omitempty"`

	// What follows is computed by the Writer.

	Size   int64  `json:"size"`   // bytes of all regular files
	Files  int    `json:"files"`  // number of regular files
	Dirs   int    `json:"dirs"`   // number of directories
	Links  int    `json:"links"`  // symbolic and hard
	Digest string `json:"digest"` // sha256 of the tar stream, so it does not depend on codec or level
	Codec  string `json:"codec"`  // how the frames are compressed
	// Encoder is the tool that made the frames, with version and options, if it was not the Writer's own encoder.
	Encoder string  `json:"encoder,omitempty"`
	Member  string  `json:"member"` // name in the archive
	CRC32   uint32  `json:"crc32"`  // of the member
	Frames  []Frame `json:"frames"`
}

// Needs lists what ELF programs and libraries use of the machine they run on, so that it can be checked before anything
// is unpacked. Names are those of DT_NEEDED, sorted, without those of glibc and without what the dynamic loader finds
// in the component itself by DT_RPATH, DT_RUNPATH and LibraryPath.
type Needs struct {
	// Programs lists the libraries without which one of the programs cannot start: its own, and those of its libraries.
	Programs []string `json:"programs,omitempty"`
	// By names, for each of Programs, the programs that cannot start without it, by their paths in the tree, sorted. An
	// appliance built before this was recorded has none.
	By map[string][]string `json:"by,omitempty"`
	// Modules lists the others, of libraries that programs may load later, unless the program has loaded them by then.
	Modules []string `json:"modules,omitempty"`
	Glibc   string   `json:"glibc,omitempty"` // the latest version of the GNU C library whose symbols any of them uses
}

// Add notes that a program cannot start without a library.
func (n *Needs) Add(library, program string) {
	if n.By == nil {
		n.By = map[string][]string{}
	}
	if i, found := slices.BinarySearch(n.Programs, library); !found {
		n.Programs = slices.Insert(n.Programs, i, library)
	}
	if i, found := slices.BinarySearch(n.By[library], program); !found {
		n.By[library] = slices.Insert(n.By[library], i, program)
	}
}

// Origin is one file a component was made from.
type Origin struct {
	Name   string `json:"name"`          // file name, or directory
	URL    string `json:"url,omitempty"` // where it was fetched from
	Size   int64  `json:"size"`          // in bytes
	SHA256 string `json:"sha256"`        // of the file; of a canonical tar for a directory
}

// Frame is a run of the tar stream that is compressed, checked and decoded on its own.
type Frame struct {
	Offset  int64  `json:"offset"` // from the start of the member's data
	Size    int64  `json:"size"`   // compressed
	RawSize int64  `json:"raw_size"`
	SHA256  string `json:"sha256"` // of the compressed bytes
	// Continues is set when the frame does not begin with a tar header but inside a file.
	Continues *Continuation `json:"continues,omitempty"`
}

// Continuation names the file whose bytes a frame begins with, so that the frame can be written without
// the ones before it.
type Continuation struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"` // in the file
	Size   int64  `json:"size"`   // bytes of the file in this frame
}

// TarSize is the length of the component's tar stream.
func (c Component) TarSize() int64 {
	var n int64
	for _, f := range c.Frames {
		n += f.RawSize
	}
	return n
}

// StoredSize is the length of the component's member, in bytes.
func (c Component) StoredSize() int64 {
	var n int64
	for _, f := range c.Frames {
		n += f.Size
	}
	return n
}

// Component returns the component of that name.
func (m *Manifest) Component(name string) (Component, bool) {
	for _, c := range m.Components {
		if c.Name == name {
			return c, true
		}
	}
	return Component{}, false
}

// Encode returns the one JSON text of the manifest: no white space but a final newline, keys in the order of the
// fields, absent optional fields left out. It is an error if the manifest breaks a rule of the format.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	return m.encode()
}

func (m *Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("cannot encode the manifest: %w", err)
	}
	return b.Bytes(), nil
}

// DecodeManifest reads a manifest and checks every rule that can be checked without the rest of the file.
// Only the text Encode gives is accepted: an unknown or repeated key, white space or trailing data is an error,
// so there are never two readings of one signed text.
func DecodeManifest(text []byte) (*Manifest, error) {
	if !bytes.HasPrefix(text, fmt.Appendf(nil, `{"schema":%d,`, Schema)) {
		return nil, otherSchema(text)
	}
	m := new(Manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("cannot decode the manifest: %w", err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	again, err := m.encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, errNotCanonical
	}
	return m, nil
}

// otherSchema says why a text that does not begin like a manifest of this format is none.
func otherSchema(text []byte) error {
	var version struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return fmt.Errorf("cannot decode the manifest: %w", err)
	}
	if version.Schema != Schema {
		return &SchemaError{Got: version.Schema}
	}
	return errNotCanonical
}

var errNotCanonical = errors.New(
	"the manifest is not in its canonical form: it has unknown, repeated or reordered keys, or white space")
