package payload

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyFiles(t *testing.T) {
	pub, key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, password := range map[string]string{"plain": "", "encrypted": "correct horse"} {
		if password != "" && testing.Short() {
			continue // scrypt takes a second and a gigabyte, which is its purpose
		}
		dir := t.TempDir()
		private, public := filepath.Join(dir, "release.key"), filepath.Join(dir, "release.pub")
		if err := WriteKeys(private, public, key, password); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]fs.FileMode{private: 0o600, public: 0o644} {
			info, err := os.Stat(path)
			if err != nil || info.Mode() != want {
				t.Errorf("%s: mode %v, want %v (%v)", path, info.Mode(), want, err)
			}
		}
		text, err := os.ReadFile(private)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "untrusted comment: ") || strings.Count(string(text), "\n") != 2 {
			t.Errorf("%s: the private key is %q", name, text)
		}
		got, err := ReadPrivateKey(private, func() (string, error) { return password, nil })
		if err != nil || !got.Equal(key) {
			t.Errorf("%s: read another private key (%v)", name, err)
		}
		for _, from := range []string{public, pub.String()} {
			got, err := ReadPublicKey(from)
			if err != nil || !got.Equal(pub) {
				t.Errorf("%s: read another public key (%v)", name, err)
			}
		}
		if err := WriteKeys(private, public, key, ""); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: a key was overwritten: %v", name, err)
		}
		os.Remove(private)
		if err := WriteKeys(private, public, key, ""); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: a public key was overwritten: %v", name, err)
		}
		if _, err := os.Stat(private); err == nil {
			t.Errorf("%s: half a key pair was left behind", name)
		}
	}
}

func TestBadKeyFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	for _, text := range []string{"", "hello", "untrusted comment: x\nRWQf6LRCGA9i5"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPrivateKey(path, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("private key %q: error %v", text, err)
		}
		if _, err := ReadPublicKey(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("public key %q: error %v", text, err)
		}
	}
	if _, err := ReadPublicKey(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing key: error %v", err)
	}
}

func wantUntrusted(t *testing.T, what string, err error) {
	t.Helper()
	var bad *SignatureError
	if !errors.As(err, &bad) || bad.Hint() == "" {
		t.Errorf("%s: error %v, want a *SignatureError", what, err)
	}
}

func TestSignature(t *testing.T) {
	ctx := context.Background()
	pub, key, _ := GenerateKey()
	other, otherKey, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	unsigned := writeAppliance(t, WriterOptions{Level: 1}, map[string][]byte{"one": makeTar(t, sampleEntries())})
	signed := filepath.Join(t.TempDir(), "signed")
	if err := Sign(ctx, unsigned.path, signed, key); err != nil {
		t.Fatal(err)
	}
	verify := func(path string, key *PublicKey) (Report, error) {
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		return p.Verify(ctx, VerifyOptions{PublicKey: key})
	}
	if r, err := verify(signed, &pub); err != nil || r.SignedBy != KeyID(pub) || !r.Signed {
		t.Errorf("report %+v, error %v", r, err)
	}
	if r, err := verify(signed, nil); err != nil || r.SignedBy != "" || !r.Signed {
		t.Errorf("without a key: report %+v, error %v", r, err)
	}
	if r, err := verify(unsigned.path, nil); err != nil || r.Signed {
		t.Errorf("unsigned, without a key: report %+v, error %v", r, err)
	}
	_, err = verify(unsigned.path, &pub)
	wantUntrusted(t, "not signed", err)
	_, err = verify(signed, &other)
	wantUntrusted(t, "signed by another", err)

	// A manifest that was changed, and given the old signature by someone without the key.
	forged := rewrite(t, signed, func(m *Manifest) { m.Components[0].Version = "2.0" })
	p, err := Open(signed)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(forged)
	if err != nil {
		t.Fatal(err)
	}
	f.signature = p.signature
	wantUntrusted(t, "changed manifest", f.CheckSignature(pub))
	if s, ok := p.Signature(); !ok || s.KeyID != KeyID(pub) || !strings.Contains(s.Comment, "1.11.4") {
		t.Errorf("the signature says %+v", s)
	}
	p.Close()
	f.Close()

	// Signing again replaces the signature, here in place, and nothing else.
	if err := Sign(ctx, signed, signed, otherKey); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(signed, &other); err != nil {
		t.Error(err)
	}
	_, err = verify(signed, &pub)
	wantUntrusted(t, "signed again", err)
	left, _ := os.ReadDir(filepath.Dir(signed))
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// A program with a compiled-in key extracts nothing that is not signed with it.
func TestCompiledKey(t *testing.T) {
	ctx := context.Background()
	pub, key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	_, otherKey, _ := GenerateKey()
	tree := map[string][]byte{"one": makeTar(t, []testEntry{{name: "f"}})}
	unsigned := writeAppliance(t, WriterOptions{Level: 1}, tree).path
	signed := writeAppliance(t, WriterOptions{Level: 1, Key: &key}, tree).path
	wrong := writeAppliance(t, WriterOptions{Level: 1, Key: &otherKey}, tree).path

	compiledKey = pub.String()
	defer func() { compiledKey = "" }()
	if got, ok, err := CompiledKey(); !ok || err != nil || !got.Equal(pub) {
		t.Errorf("compiled key %v, %v, %v", got, ok, err)
	}
	if _, err := extractTo(t, signed, "one", ExtractOptions{}); err != nil {
		t.Error(err)
	}
	p, err := Open(signed)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if r, err := p.Verify(ctx, VerifyOptions{}); err != nil || r.SignedBy != KeyID(pub) {
		t.Errorf("verified as signed by %q, %v", r.SignedBy, err)
	}
	for _, path := range []string{unsigned, wrong} {
		dir, err := extractTo(t, path, "one", ExtractOptions{})
		wantUntrusted(t, "extract", err)
		wantEmpty(t, dir)
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Verify(ctx, VerifyOptions{})
		wantUntrusted(t, "verify", err)
		p.Close()
	}
	compiledKey = "rubbish"
	if _, err := extractTo(t, signed, "one", ExtractOptions{}); err == nil {
		t.Error("a compiled-in key that is not a key was ignored")
	}
}
