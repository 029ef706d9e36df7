package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"fate-installer/installer/host"
)

// backupDir is the directory, next to the journal, of the former contents of files. They are named by their hash: the
// name is known to a Check, which must not write, and a content is stored once.
const backupDir = "backup"

// Hash returns the name under which [Env.Backup] stores a content: its sha256 in hexadecimal.
func Hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// HashFrom is Hash of what r holds, which need not fit into memory. It reads at most limit bytes, and reports with
// false that there are more.
func HashFrom(r io.Reader, limit int64) (hash string, whole bool, err error) {
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(r, limit+1))
	return hex.EncodeToString(sum.Sum(nil)), n <= limit, err
}

// Backup stores a former content with mode 0600 and returns its hash. It is called by Apply before the change.
func (e *Env) Backup(content []byte) (hash string, err error) {
	hash = Hash(content)
	path := e.backupPath(hash)
	if err := e.Host.MkdirAll(filepath.Dir(path), host.FileMode{Perm: 0o700}); err != nil {
		return "", fmt.Errorf("cannot store a backup: %w", err)
	}
	// Steps that run at the same time may store the same content: an edit waits for the other, and then finds it there.
	err = e.Host.EditFile(path, host.FileMode{Perm: 0o600}, func([]byte) ([]byte, error) { return content, nil })
	if err != nil {
		return "", fmt.Errorf("cannot store a backup: %w", err)
	}
	return hash, nil
}

// Restore returns the content that was stored under hash.
func (e *Env) Restore(hash string) ([]byte, error) {
	content, err := e.Host.ReadFile(e.backupPath(hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot restore backup %s: it is gone", hash)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot restore backup %s: %w", hash, err)
	}
	if Hash(content) != hash {
		return nil, fmt.Errorf("cannot restore backup %s: its content has changed", hash)
	}
	return content, nil
}

func (e *Env) backupPath(hash string) string { return filepath.Join(e.StateDir, backupDir, hash) }
