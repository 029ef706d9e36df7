// Package maven fetches single jars from the Maven repository that the machine's mvn uses, by digest, and keeps them in
// the cache. Released versions never change there, so that a digest written down stays good.
package maven

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"fate-installer/scripts/cache"
)

// plugin is the Maven plugin that copies an artifact, and its version. Without a version mvn would look for the newest.
const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"

// Artifact is a jar in a Maven repository.
type Artifact struct {
	Group, Name, Version string
	SHA256               string // of the jar, in hex
}

// File is the name of the jar.
func (a Artifact) File() string { return a.Name + "-" + a.Version + ".jar" }

func (a Artifact) String() string { return a.Group + ":" + a.Name + ":" + a.Version }

// ErrUnavailable means that an artifact is not in the cache and cannot be fetched: there is no mvn, or no network.
var ErrUnavailable = errors.New("not in the cache and not to be had")

// DigestError is a jar with another content than the one that was wanted.
type DigestError struct {
	Artifact Artifact
	Got      string
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("cannot use %s: its SHA256 is %s, and %s is wanted", e.Artifact, e.Got, e.Artifact.SHA256)
}

// Fetch returns the path of an artifact's jar in the cache, fetching it when it is not there.
func Fetch(ctx context.Context, a Artifact) (string, error) {
	dir, err := cache.Dir("maven")
	if err != nil {
		return "", err
	}
	return fetch(ctx, dir, a, copyArtifact)
}

// fetch has the artifact brought by bring, unless it is in dir.
func fetch(ctx context.Context, dir string, a Artifact, bring func(context.Context, Artifact, string) error) (string,
	error) {
	lock, err := cache.Lock(filepath.Join(dir, ".lock"), unix.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	file := filepath.Join(dir, a.File())
	err = check(file, a)
	if wrong := new(DigestError); err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.As(err, &wrong) {
		return file, err
	}
	scratch, err := os.MkdirTemp(dir, ".fetch-")
	if err != nil {
		return "", fmt.Errorf("cannot make room for %s: %w", a, err)
	}
	defer os.RemoveAll(scratch)
	if err := bring(ctx, a, scratch); err != nil {
		return "", fmt.Errorf("%s is %w: %w", a, ErrUnavailable, err)
	}
	brought := filepath.Join(scratch, a.File())
	if err := check(brought, a); err != nil {
		return "", err
	}
	if err := os.Rename(brought, file); err != nil {
		return "", fmt.Errorf("cannot keep %s: %w", a, err)
	}
	return file, nil
}

// copyArtifact has mvn fetch the artifact into dir.
func copyArtifact(ctx context.Context, a Artifact, dir string) error {
	cmd := exec.CommandContext(ctx, "mvn", "--batch-mode", "--quiet", plugin+":copy",
		"-Dartifact="+a.String()+":jar", "-DoutputDirectory="+dir)
	cmd.Dir = dir // where no pom.xml is
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("there is no mvn (install the package maven)")
	}
	if err != nil {
		return fmt.Errorf("mvn: %w: %s", err, out)
	}
	return nil
}

// check compares a file with the digest of an artifact.
func check(file string, a Artifact) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", a, err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return fmt.Errorf("cannot read %s: %w", a, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != a.SHA256 {
		return &DigestError{a, got}
	}
	return nil
}
