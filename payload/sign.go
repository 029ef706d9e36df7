package payload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"aead.dev/minisign"
)

// sign makes the text of manifest.sig. It is the same for the same manifest and key.
func sign(key PrivateKey, m *Manifest, text []byte) []byte {
	trusted := fmt.Sprintf("fate-installer manifest, FATE %s, %s", m.Release.FATE, m.Release.Platform)
	return minisign.SignWithComments(key, text, trusted, "minisign signature of "+ManifestName)
}

// Signature has the fields of an appliance's signature; it proves nothing until it is checked.
type Signature struct {
	KeyID   string
	Comment string
}

// Signature returns what the signature says, and whether there is one.
func (p *Payload) Signature() (Signature, bool) {
	var s minisign.Signature
	if p.signature == nil || s.UnmarshalText(p.signature) != nil {
		return Signature{}, p.signature != nil
	}
	return Signature{KeyID: fmt.Sprintf("%016X", s.KeyID), Comment: s.TrustedComment}, true
}

// CheckSignature proves that the owner of key signed the manifest. The error is a *SignatureError.
func (p *Payload) CheckSignature(key PublicKey) error {
	switch s, ok := p.Signature(); {
	case !ok:
		return &SignatureError{Path: p.src.path, Reason: "it is not signed"}
	case minisign.Verify(key, p.text, p.signature):
		return nil
	case s.KeyID != KeyID(key):
		return &SignatureError{Path: p.src.path, Reason: fmt.Sprintf("it is signed with key %s, not with %s",
			s.KeyID, KeyID(key))}
	default:
		return &SignatureError{Path: p.src.path, Reason: fmt.Sprintf("its signature with key %s is wrong", KeyID(key))}
	}
}

// checkCompiledKey holds every payload to the key the program was built with, and returns the number of that key. It is
// blank when there is none.
func (p *Payload) checkCompiledKey() (signedBy string, err error) {
	key, ok, err := CompiledKey()
	if err != nil || !ok {
		return "", err
	}
	return KeyID(key), p.CheckSignature(key)
}

// signedBy checks that a key signed the manifest, and returns its number. Without a key it is the one that the program
// was built with, if there is one.
func (p *Payload) signedBy(key *PublicKey) (string, error) {
	if key == nil {
		return p.trust()
	}
	return KeyID(*key), p.CheckSignature(*key)
}

// Sign writes the appliance at path, or the parts of one, to the file out with a signature by key in place of the one
// it may have. Both may be the same name; out is replaced in one step when everything is on the disk. The components
// are copied, not checked: Verify first what comes from elsewhere.
func Sign(ctx context.Context, path, out string, key PrivateKey) (err error) {
	p, err := Open(path)
	if err != nil {
		return err
	}
	defer p.Close()
	info, err := os.Stat(p.src.parts[0].name)
	if err != nil {
		return fmt.Errorf("cannot sign %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+".partial-*")
	if err != nil {
		return fmt.Errorf("cannot sign %s: %w", path, err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err == nil {
			err = os.Rename(f.Name(), out)
		}
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("cannot sign %s: %w", path, err)
		}
	}()
	if err := f.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	return p.copySigned(ctx, f, key)
}

// copySigned copies the program and the components as they are and rewrites the rest.
func (p *Payload) copySigned(ctx context.Context, f *os.File, key PrivateKey) error {
	var files [][]byte
	for _, m := range p.manifest.Files {
		b, err := p.ReadFile(m.Name)
		if err != nil {
			return err
		}
		files = append(files, b)
	}
	end := p.members[len(p.manifest.Components)].offset
	if _, err := copySum(ctx, f, io.NewSectionReader(p.src, 0, end), newProgress(nil, 0)); err != nil {
		return err
	}
	return writeTail(f, p.manifest, files, p.text, sign(key, p.manifest, p.text))
}
