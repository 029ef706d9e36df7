package payload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"aead.dev/minisign"
)

// PublicKey checks signatures. Its text form is that of minisign, so the stock tool can check an appliance too.
type PublicKey = minisign.PublicKey

// PrivateKey signs appliances. It is an ed25519 key in the file format of minisign.
type PrivateKey = minisign.PrivateKey

// compiledKey is the public key that a program trusts: go build -ldflags "-X fate-installer/payload.compiledKey=RWQ…".
// A program with a key extracts nothing that is not signed with it.
var compiledKey string

// CompiledKey returns the public key the program was built with, and whether there is one.
func CompiledKey() (PublicKey, bool, error) {
	var key PublicKey
	if compiledKey == "" {
		return key, false, nil
	}
	if err := key.UnmarshalText([]byte(compiledKey)); err != nil {
		return key, false, fmt.Errorf("cannot use the public key this program was built with: %w", err)
	}
	return key, true, nil
}

// GenerateKey makes a new key pair from the system's random numbers.
func GenerateKey() (PublicKey, PrivateKey, error) {
	return minisign.GenerateKey(nil)
}

// WriteKeys writes a key pair to two new files: the private key with mode 0600 and, if password is not empty,
// encrypted with it, and the public key with mode 0644. A file that exists is never overwritten.
func WriteKeys(privatePath, publicPath string, key PrivateKey, password string) error {
	private, err := key.MarshalText()
	if password != "" {
		private, err = minisign.EncryptKey(password, key)
	}
	if err != nil {
		return fmt.Errorf("cannot encode the private key: %w", err)
	}
	public, err := key.Public().(PublicKey).MarshalText()
	if err != nil {
		return fmt.Errorf("cannot encode the public key: %w", err)
	}
	if err := writeNew(privatePath, append(private, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot write the private key: %w", err)
	}
	if err := writeNew(publicPath, append(public, '\n'), 0o644); err != nil {
		// Half a pair is of no use, and would stand in the way of another try.
		return errors.Join(fmt.Errorf("cannot write the public key: %w", err), os.Remove(privatePath))
	}
	return nil
}

func writeNew(path string, data []byte, perm fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

// ReadPrivateKey reads a private key file. If the key is encrypted, password is called for the password; it may be nil.
func ReadPrivateKey(path string, password func() (string, error)) (PrivateKey, error) {
	var key PrivateKey
	text, err := readKeyFile(path)
	if err != nil {
		return key, fmt.Errorf("cannot read the private key: %w", err)
	}
	if !minisign.IsEncrypted(text) {
		if err := key.UnmarshalText(text); err != nil {
			return key, fmt.Errorf("cannot read the private key %s: %w", path, err)
		}
		return key, nil
	}
	if password == nil {
		return key, fmt.Errorf("cannot read the private key %s: it is encrypted and there is no password", path)
	}
	secret, err := password()
	if err != nil {
		return key, fmt.Errorf("cannot read the private key %s: %w", path, err)
	}
	if key, err = minisign.DecryptKey(secret, text); err != nil {
		return key, fmt.Errorf("cannot decrypt the private key %s: the password is wrong or the file is damaged", path)
	}
	return key, nil
}

// ReadPublicKey takes a public key as text (RWQ…), or the name of a file that holds it.
func ReadPublicKey(textOrPath string) (PublicKey, error) {
	var key PublicKey
	if key.UnmarshalText([]byte(textOrPath)) == nil {
		return key, nil
	}
	text, err := readKeyFile(textOrPath)
	if err != nil {
		return key, fmt.Errorf("cannot read the public key: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // Windows' editors write a byte order mark
	if err := key.UnmarshalText(text); err != nil {
		return key, fmt.Errorf("cannot read the public key %s: %w", textOrPath, err)
	}
	return key, nil
}

// keyFileLimit is far more than a key and its comment have, in bytes.
const keyFileLimit = 64 << 10

func readKeyFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, keyFileLimit+1))
	if err == nil && len(text) > keyFileLimit {
		err = fmt.Errorf("%s is longer than a key can be", name)
	}
	return text, err
}

// KeyID is the number by which minisign and people tell keys apart, in hex.
func KeyID(key PublicKey) string { return fmt.Sprintf("%016X", key.ID()) }
