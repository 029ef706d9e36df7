package appliance

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

// deb is a Debian package as apt's signed metadata describes it.
type deb struct {
	name    string
	version string
	file    string // name in the cache
	size    int64
	sha256  string
}

// resolve asks apt for the versions it would install, and for their digests. The
// answer comes from the package lists, whose signature apt has checked when it
// fetched them.
func resolve(ctx context.Context, names []string) (map[string]deb, error) {
	var errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, "apt-cache", append([]string{"show", "--no-all-versions"}, names...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot look up Debian packages: %w: %s(apt-get update fetches the package lists)", err, errOut.Bytes())
	}
	debs := make(map[string]deb)
	for stanza := range strings.SplitSeq(string(out), "\n\n") {
		d, err := parseStanza(stanza)
		if err != nil {
			return nil, err
		}
		if d.name != "" {
			debs[d.name] = d
		}
	}
	for _, name := range names {
		if _, ok := debs[name]; !ok {
			return nil, fmt.Errorf("cannot find the Debian package %s in the package lists", name)
		}
	}
	return debs, nil
}

func parseStanza(stanza string) (deb, error) {
	var d deb
	var arch string
	for line := range strings.SplitSeq(stanza, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "Package":
			d.name = value
		case "Version":
			d.version = value
		case "Architecture":
			arch = value
		case "SHA256":
			d.sha256 = value
		case "Size":
			size, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return d, fmt.Errorf("cannot read the size of the Debian package %s: %w", d.name, err)
			}
			d.size = size
		}
	}
	if d.name != "" && (d.version == "" || arch == "" || d.size == 0 || len(d.sha256) != 2*sha256.Size) {
		return d, fmt.Errorf("cannot use the Debian package %s: its metadata lacks version, architecture, size or SHA256", d.name)
	}
	// As apt-get download names it.
	d.file = fmt.Sprintf("%s_%s_%s.deb", d.name, strings.ReplaceAll(d.version, ":", "%3a"), arch)
	return d, nil
}

// upstream is the version of the software in a package: without Debian's epoch and
// revision, and without what follows a plus sign (a JDK's build, a repacked source).
func (d deb) upstream() string {
	v := d.version
	if _, after, ok := strings.Cut(v, ":"); ok {
		v = after
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		v = v[:i]
	}
	v, _, _ = strings.Cut(v, "+")
	return v
}

// download brings the packages into dir and removes those of earlier versions. A file
// that is there already is used when its digest is right.
func download(ctx context.Context, dir string, debs map[string]deb) error {
	var missing []string
	keep := make(map[string]bool)
	for _, d := range debs {
		keep[d.file] = true
		if err := d.check(dir); err != nil {
			missing = append(missing, d.name+"="+d.version)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		// As root apt would download as another user, who may not write here.
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-qq", "-o", "APT::Sandbox::User=root", "download"}, missing...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot download Debian packages: %w: %s", err, out)
		}
	}
	for _, d := range debs {
		if err := d.check(dir); err != nil {
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
func (d deb) check(dir string) error {
	f, err := os.Open(filepath.Join(dir, d.file))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot find %s, which apt-get was to download", d.file)
	} else if err != nil {
		return fmt.Errorf("cannot open a downloaded package: %w", err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return fmt.Errorf("cannot read a downloaded package: %w", err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != d.sha256 {
		return fmt.Errorf("cannot use %s: its SHA256 is %s, and apt's metadata says %s", d.file, got, d.sha256)
	}
	return nil
}
