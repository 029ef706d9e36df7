// Package debian finds and fetches Debian packages through the machine's own apt, and
// knows their digests from its signed package lists. Debian replaces versions, so
// digests written down elsewhere would be of no use after some weeks.
package debian

import (
	"bytes"
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
	"slices"
	"strconv"
	"strings"
)

// Package is a Debian package as apt's signed metadata describes it.
type Package struct {
	Name    string
	Version string
	File    string // what Download calls it
	Size    int64  // of the file, in bytes
	SHA256  string // of the file, in hex
}

// Resolve asks apt for the versions it would install, and for their digests. The
// answer comes from the package lists, whose signature apt has checked when it
// fetched them.
func Resolve(ctx context.Context, names []string) (map[string]Package, error) {
	var errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, "apt-cache", append([]string{"show", "--no-all-versions"}, names...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot look up Debian packages: %w: %s(apt-get update fetches the package lists)",
			err, errOut.Bytes())
	}
	return parseStanzas(string(out), names)
}

// parseStanzas reads what apt-cache shows about the packages named.
func parseStanzas(text string, names []string) (map[string]Package, error) {
	packages := make(map[string]Package)
	for stanza := range strings.SplitSeq(text, "\n\n") {
		p, err := parseStanza(stanza)
		if err != nil {
			return nil, err
		}
		if p.Name != "" {
			packages[p.Name] = p
		}
	}
	for _, name := range names {
		if _, ok := packages[name]; !ok {
			return nil, fmt.Errorf("cannot find the Debian package %s in the package lists", name)
		}
	}
	return packages, nil
}

func parseStanza(stanza string) (Package, error) {
	var p Package
	var arch string
	for line := range strings.SplitSeq(stanza, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "Package":
			p.Name = value
		case "Version":
			p.Version = value
		case "Architecture":
			arch = value
		case "SHA256":
			p.SHA256 = value
		case "Size":
			size, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return p, fmt.Errorf("cannot read the size of the Debian package %s: %w", p.Name, err)
			}
			p.Size = size
		}
	}
	if p.Name != "" && (p.Version == "" || arch == "" || p.Size == 0 || len(p.SHA256) != 2*sha256.Size) {
		return p, fmt.Errorf("cannot use the Debian package %s: its metadata lacks version, architecture, size or "+
			"SHA256", p.Name)
	}
	// As apt-get download names it.
	p.File = fmt.Sprintf("%s_%s_%s.deb", p.Name, strings.ReplaceAll(p.Version, ":", "%3a"), arch)
	return p, nil
}

// Upstream is the version of the software in a package: without Debian's epoch and
// revision, and without what follows a plus sign (a JDK's build, a repacked source).
func (p Package) Upstream() string {
	v := p.Version
	if _, after, ok := strings.Cut(v, ":"); ok {
		v = after
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		v = v[:i]
	}
	v, _, _ = strings.Cut(v, "+")
	return v
}

// Download brings the packages into dir and removes those of earlier versions. A file
// that is there already is used when its digest is right.
func Download(ctx context.Context, dir string, packages map[string]Package) error {
	var missing []string
	keep := make(map[string]bool)
	for _, p := range packages {
		keep[p.File] = true
		if err := p.check(dir); err != nil {
			missing = append(missing, p.Name+"="+p.Version)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		// As root apt would download as another user, who may not write here.
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-qq", "-o", "APT::Sandbox::User=root", "download"},
			missing...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot download Debian packages: %w: %s", err, out)
		}
	}
	for _, p := range packages {
		if err := p.check(dir); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot list the downloaded packages: %w", err)
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("cannot remove an old package: %w", err)
			}
		}
	}
	return nil
}

// check compares the file in dir with apt's metadata.
func (p Package) check(dir string) error {
	f, err := os.Open(filepath.Join(dir, p.File))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot find %s, which apt-get was to download", p.File)
	} else if err != nil {
		return fmt.Errorf("cannot open a downloaded package: %w", err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return fmt.Errorf("cannot read a downloaded package: %w", err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != p.SHA256 {
		return fmt.Errorf("cannot use %s: its SHA256 is %s, and apt's metadata says %s", p.File, got, p.SHA256)
	}
	return nil
}
