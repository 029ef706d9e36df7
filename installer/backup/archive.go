package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"

	"fate-installer/payload"
	"fate-installer/payload/count"

	"filippo.io/age"
)

// Names of the streams.
const (
	streamDatabase = "database"
	streamFiles    = "files"
	streamSecrets  = "secrets"
)

// Sealed is what the stream of the secrets has.
type Sealed struct {
	Site    json.RawMessage   `json:"site"`              // the request for the installation
	Secrets json.RawMessage   `json:"secrets,omitempty"` // the passwords
	Records json.RawMessage   `json:"records,omitempty"` // their history
	Keys    map[string][]byte `json:"keys,omitempty"`    // TLS keys by their file names

	// What Create fills in.
	Identity string            `json:"identity"` // of age, which decrypts the other streams
	Manifest string            `json:"manifest"` // sha256 of backup.json
	Streams  map[string]string `json:"streams"`  // sha256 of the other streams, encrypted
}

// Content writes what a backup has besides the secrets. A nil function means that there is none of it. Each fills in
// its part of the manifest.
type Content struct {
	Database func(context.Context, *Manifest, *RecordWriter) error
	Files    func(context.Context, *Manifest, *RecordWriter) error

	Total int64 // about how many bytes they write, see CheckTotal
}

// What a file in the format of an appliance can have: its manifest is at most manifestSize bytes long, and lists all
// frames.
const (
	manifestSize = 16 << 20
	frameListed  = 192     // bytes of a frame in the manifest
	usualFrame   = 4 << 20 // needs less memory than a larger one
	mostFrames   = manifestSize / frameListed / 8 * 7
	usualTotal   = mostFrames * usualFrame
	largestTotal = mostFrames * payload.MaxFrame
)

// CheckTotal refuses what is too large for one backup, even when nothing of it can be compressed.
func CheckTotal(total int64) error {
	if total > largestTotal {
		return fmt.Errorf("there are %s to back up, and a backup can have %s", count.Bytes(total),
			count.Bytes(largestTotal))
	}
	return nil
}

// frameSize is how much of a backup of this size is compressed together: so much that the manifest can list all of it.
func frameSize(total int64) int {
	if total > usualTotal {
		return payload.MaxFrame
	}
	return usualFrame
}

// RecordWriter takes the records of a stream.
type RecordWriter = recordWriter

// stub stands in the place of the program of an appliance: an ELF header that has neither code nor tables.
func stub(machine elf.Machine) []byte {
	h := make([]byte, 64)
	copy(h, elf.ELFMAG)
	h[4], h[5], h[6] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	le := binary.LittleEndian
	le.PutUint16(h[16:], uint16(elf.ET_EXEC))
	le.PutUint16(h[18:], uint16(machine))
	le.PutUint32(h[20:], uint32(elf.EV_CURRENT))
	le.PutUint16(h[52:], 64)
	return h
}

var machines = map[string]elf.Machine{
	"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "riscv64": elf.EM_RISCV, "loong64": elf.EM_LOONGARCH,
}

// Create writes a backup to out, which is empty and open for reading and writing. It completes the manifest. When it
// returns without an error, everything is on the disk.
func Create(ctx context.Context, out *os.File, m *Manifest, s *Sealed, c Content, to []age.Recipient) error {
	w, err := payload.NewWriter(out, bytes.NewReader(stub(machines[runtime.GOARCH])), payload.WriterOptions{
		Release: payload.Release{FATE: m.FATE, Platform: "linux/" + runtime.GOARCH},
		Level:   1, FrameSize: frameSize(c.Total), // it is encrypted, and no encoder makes it smaller
		Workers: min(2, runtime.GOMAXPROCS(0)),
	})
	if err != nil {
		return err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return fmt.Errorf("cannot make a key for the backup: %w", err)
	}
	s.Identity, s.Streams = identity.String(), map[string]string{}
	for _, part := range []struct {
		name  string
		write func(context.Context, *Manifest, *RecordWriter) error
	}{{streamDatabase, c.Database}, {streamFiles, c.Files}} {
		if part.write == nil {
			continue
		}
		s.Streams[part.name], err = writeStream(ctx, w, part.name, []age.Recipient{identity.Recipient()},
			func(r *recordWriter) error { return part.write(ctx, m, r) })
		if err != nil {
			return err
		}
	}
	if err := m.check(); err != nil {
		return fmt.Errorf("cannot describe the backup: %w", err)
	}
	text, err := m.encode()
	if err != nil {
		return err
	}
	s.Manifest = digestOf(text)
	if _, err = writeStream(ctx, w, streamSecrets, to,
		func(r *recordWriter) error { return r.json(recordDoc, s) }); err != nil {
		return err
	}
	if err := w.AddFile(ManifestName, text); err != nil {
		return err
	}
	_, err = w.Close()
	return err
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Archive is a backup that is open for reading.
type Archive struct {
	payload  *payload.Payload
	manifest *Manifest
	text     []byte
}

// ErrNoBackup is the cause when a file is in the format of an appliance and is none of a backup.
var ErrNoBackup = errors.New("it is an appliance, and not a backup")

// IsBackup reports whether a file in the format of an appliance is a backup.
func IsBackup(m *payload.Manifest) bool {
	return slices.ContainsFunc(m.Files, func(f payload.File) bool { return f.Name == ManifestName })
}

// Open opens a backup, or the parts of one, and reads what it says of itself. It proves nothing of the rest.
func Open(path string) (*Archive, error) {
	p, err := payload.Open(path)
	if errors.Is(err, payload.ErrNoPayload) {
		return nil, fmt.Errorf("cannot open %s: it is a program, and not a backup", path)
	}
	if err != nil {
		return nil, err
	}
	a := &Archive{payload: p}
	if err := a.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open %s: %w", path, err), p.Close())
	}
	return a, nil
}

func (a *Archive) read() (err error) {
	if !IsBackup(a.payload.Manifest()) {
		return ErrNoBackup
	}
	if a.text, err = a.payload.ReadFile(ManifestName); err != nil {
		return err
	}
	a.manifest, err = DecodeManifest(a.text)
	return err
}

// Close closes the file.
func (a *Archive) Close() error { return a.payload.Close() }

// Manifest says what the backup has. It must not be changed.
func (a *Archive) Manifest() *Manifest { return a.manifest }

// Digest identifies the backup: it covers every byte.
func (a *Archive) Digest() string { return a.payload.Digest() }

// Size is the length of the file, of all parts together.
func (a *Archive) Size() int64 { return a.payload.Size() }

// Verify reads the whole file and proves every byte of it by its digest. It needs no passphrase.
func (a *Archive) Verify(ctx context.Context, progress func(done, total int64)) error {
	// A backup is not signed with the key of appliances. What proves its origin is the passphrase.
	_, err := a.payload.VerifyContent(ctx, payload.VerifyOptions{Progress: progress})
	return err
}

// Unlock decrypts the secrets, and proves that everything else in the file belongs to them.
func (a *Archive) Unlock(ctx context.Context, with ...age.Identity) (*Sealed, error) {
	s := &Sealed{}
	err := readStream(ctx, a.payload, streamSecrets, "", with, func(r *recordReader) error {
		kind, content, err := r.next()
		if err != nil {
			return err
		}
		if kind != recordDoc {
			return unexpected(kind)
		}
		if err := decode(content, s); err != nil {
			return fmt.Errorf("the secrets cannot be read: %w", err)
		}
		return endOf(r)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot decrypt the secrets: %w", err)
	}
	if s.Manifest != digestOf(a.text) {
		return nil, fmt.Errorf("cannot use this backup: its %s is not the one that was made with its secrets",
			ManifestName)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Streams)) {
		if _, ok := a.payload.Component(name); !ok {
			return nil, fmt.Errorf("cannot use this backup: it lacks the stream %s", name)
		}
	}
	return s, nil
}

// endOf reads the last record.
func endOf(r *recordReader) error {
	kind, _, err := r.next()
	if err == nil && kind != recordEnd {
		err = unexpected(kind)
	}
	return err
}

// stream reads one of the streams that the secrets open. A backup without it has nothing to read.
func (a *Archive) stream(ctx context.Context, s *Sealed, name string, read func(*recordReader) error) error {
	digest, ok := s.Streams[name]
	if !ok {
		return nil
	}
	identity, err := age.ParseX25519Identity(s.Identity)
	if err != nil {
		return fmt.Errorf("cannot use the key in the secrets: %w", err)
	}
	if err := readStream(ctx, a.payload, name, digest, []age.Identity{identity}, read); err != nil {
		return fmt.Errorf("cannot read the stream %s of the backup: %w", name, err)
	}
	return nil
}

// Prove decrypts and reads everything, as a restore does, and compares it with the manifest.
func (a *Archive) Prove(ctx context.Context, s *Sealed) error {
	tables := &tableCount{}
	if err := a.stream(ctx, s, streamDatabase, func(r *recordReader) error {
		return readTables(r, tables)
	}); err != nil {
		return err
	}
	if err := tables.compare(a.manifest.Database); err != nil {
		return err
	}
	trees := &treeCount{}
	if err := a.stream(ctx, s, streamFiles, func(r *recordReader) error { return readTrees(r, trees) }); err != nil {
		return err
	}
	return trees.compare(a.manifest.Trees)
}
