package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"fate-installer/payload"

	"aead.dev/minisign"
)

// Limits of a report that is read.
const (
	MaxSize  = 16 << 20 // bytes
	maxDepth = 16       // of objects and arrays in each other
)

// format is the number of the file format that this package reads and writes.
const format = 1

// File is the content of a JSON report.
type File struct {
	Format    int    `json:"format"`              // always 1
	Digest    string `json:"digest"`              // sha256 of the value of report, written without blanks and line ends
	Report    Report `json:"report"`              // what was found
	Signature string `json:"signature,omitempty"` // minisign's, of what the digest is of
}

// sealed is a File whose report is kept byte for byte.
type sealed struct {
	Format    int             `json:"format"`
	Digest    string          `json:"digest"`
	Report    json.RawMessage `json:"report"`
	Signature string          `json:"signature,omitempty"`
}

// Seal is what makes a report provable.
type Seal struct {
	Digest string // sha256 of the data, in hex
	KeyID  string // of the key that signed it; blank: it is not signed
	text   []byte // the report without blanks
	sign   string
}

// NewSeal computes the digest of a report, and signs it where there is a key.
func NewSeal(r *Report, key *payload.PrivateKey) (*Seal, error) {
	var buffer bytes.Buffer
	enc := json.NewEncoder(&buffer)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("cannot encode the report: %w", err)
	}
	s := &Seal{text: bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))}
	s.Digest = digestOf(s.text)
	if key != nil {
		public, ok := key.Public().(payload.PublicKey)
		if !ok {
			return nil, errors.New("cannot sign the report: the key has no public part")
		}
		s.KeyID = payload.KeyID(public)
		comment := fmt.Sprintf("%s, %s", Kind, r.Time.UTC().Format("2006-01-02 15:04:05 MST"))
		s.sign = string(minisign.SignWithComments(*key, s.text, comment, "minisign signature of a report"))
	}
	return s, nil
}

// WriteJSON writes the report as a File.
func (s *Seal) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(sealed{format, s.Digest, s.text, s.sign})
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Opened is a report that was read, whose data has the digest that the file names. That proves no more than that it was
// not damaged by chance: who changes the data can write its digest, too.
type Opened struct {
	Report Report
	Digest string // sha256 of the data, in hex
	KeyID  string // that the signature names; blank: it is not signed
	text   []byte
	sign   []byte
}

// DamagedError says that bytes are no report, or one that was changed.
type DamagedError struct{ Reason string }

func (e *DamagedError) Error() string { return "the report is damaged or was changed: " + e.Reason }

// UnprovenError says that a report, which may be whole, is not proved to be what its owner made.
type UnprovenError struct {
	Reason    string
	Program   bool // a program of another version may prove it
	NotSigned bool // no key can prove it
}

func (e *UnprovenError) Error() string { return "the report is not proved: " + e.Reason }

// Open reads a JSON report. Its layout may have changed, as by a program that formats JSON; its data may not. The error
// is a *DamagedError, or of a format that this program does not read an *UnprovenError.
func Open(data []byte) (*Opened, error) {
	if len(data) > MaxSize {
		return nil, &DamagedError{fmt.Sprintf("it is longer than %d MiB", MaxSize>>20)}
	}
	keys, err := checkKeys(data)
	if err != nil {
		return nil, &DamagedError{err.Error()}
	}
	var number struct {
		Format json.Number `json:"format"`
	}
	if slices.Contains(keys, "format") && json.Unmarshal(data, &number) == nil &&
		number.Format.String() != strconv.Itoa(format) {
		return nil, &UnprovenError{Program: true,
			Reason: fmt.Sprintf("its format is %s, this program reads format %d", number.Format, format)}
	}
	for _, key := range keys { // encoding/json would take "Report" for report
		if !slices.Contains([]string{"format", "digest", "report", "signature"}, key) {
			return nil, &DamagedError{fmt.Sprintf("unknown key %q", key)}
		}
	}
	var f sealed
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, &DamagedError{err.Error()}
	}
	if f.Format != format {
		return nil, &DamagedError{"it has no format"}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, f.Report); err != nil {
		return nil, &DamagedError{"it has no report"}
	}
	o := &Opened{Digest: digestOf(compact.Bytes()), text: compact.Bytes()}
	if o.Digest != f.Digest {
		return nil, &DamagedError{fmt.Sprintf("the digest of its data is %s, and it says %q", o.Digest, f.Digest)}
	}
	if err := json.Unmarshal(o.text, &o.Report); err != nil {
		return nil, &DamagedError{err.Error()}
	}
	if o.Report.Kind != Kind {
		return nil, &DamagedError{fmt.Sprintf("it is of kind %q", o.Report.Kind)}
	}
	if f.Signature != "" {
		var s minisign.Signature
		if err := s.UnmarshalText([]byte(f.Signature)); err != nil {
			return nil, &DamagedError{"its signature cannot be read"}
		}
		o.KeyID, o.sign = fmt.Sprintf("%016X", s.KeyID), []byte(f.Signature)
	}
	return o, nil
}

// SignedBy reports whether the owner of the key signed the data. The error says why not: it is an *UnprovenError,
// or a *DamagedError when the signature is by this key and of other data.
func (o *Opened) SignedBy(key payload.PublicKey) error {
	switch {
	case o.sign == nil:
		return &UnprovenError{Reason: "it is not signed", NotSigned: true}
	case minisign.Verify(key, o.text, o.sign):
		return nil
	case o.KeyID != payload.KeyID(key):
		return &UnprovenError{Reason: fmt.Sprintf("it is signed with key %s, not with %s", o.KeyID, payload.KeyID(key))}
	}
	return &DamagedError{fmt.Sprintf("its signature with key %s is wrong", o.KeyID)}
}

// checkKeys reads all of a JSON document and returns the keys of its outermost object. A key that an object has twice
// is refused: programs differ in which of the two they take.
func checkKeys(data []byte) ([]string, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var outermost []string
	if err := walk(dec, 0, &outermost); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows after it")
	}
	return outermost, nil
}

// walk reads one value.
func walk(dec *json.Decoder, depth int, outermost *[]string) error {
	token, err := dec.Token()
	if err != nil {
		return fmt.Errorf("it is no JSON document: %w", err)
	}
	open, nested := token.(json.Delim)
	switch {
	case depth == 0 && open != '{':
		return errors.New("it is no JSON object")
	case !nested:
		return nil
	case depth == maxDepth:
		return fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			token, err := dec.Token()
			if err != nil {
				return fmt.Errorf("it is no JSON document: %w", err)
			}
			key, _ := token.(string)
			if seen[key] {
				return fmt.Errorf("it has the key %q twice", key)
			}
			seen[key] = true
			if depth == 0 {
				*outermost = append(*outermost, key)
			}
		}
		if err := walk(dec, depth+1, outermost); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("it is no JSON document: %w", err)
	}
	return nil
}
