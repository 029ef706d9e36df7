package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"fate-installer/scripts/cache"
)

// keyring holds the keys that Debian signs its releases with.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// ErrUnavailable means that a suite or its packages cannot be had from this machine.
var ErrUnavailable = errors.New("not available")

// Suite is a release of Debian other than the machine's own. Its package lists are kept in the cache, apart from those
// of the machine, and come from the mirror that the machine's apt uses.
type Suite struct {
	Name string // as in sid or trixie
	dir  string
}

// OpenSuite fetches the package lists of a suite unless the cache has them. The error wraps [ErrUnavailable] when they
// cannot be fetched.
func OpenSuite(ctx context.Context, name string) (*Suite, error) {
	dir, err := cache.Dir("debian", name)
	if err != nil {
		return nil, err
	}
	lock, err := cache.Lock(dir+".lock", unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	s := &Suite{name, dir}
	if lists, _ := filepath.Glob(filepath.Join(dir, "lists", "*_Packages")); len(lists) > 0 {
		return s, nil
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("the package lists of Debian %s are %w: %w", name, ErrUnavailable, err)
	}
	return s, nil
}

// prepare writes apt's files for the suite and fetches its lists.
func (s *Suite) prepare(ctx context.Context) error {
	site, err := mirror(ctx)
	if err != nil {
		return err
	}
	for _, dir := range []string{"lists/partial", "archives/partial", "sources.list.d", "preferences.d"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o755); err != nil {
			return err
		}
	}
	line := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, site, s.Name)
	for file, content := range map[string]string{"sources.list": line, "status": ""} { // nothing is installed
		if err := os.WriteFile(filepath.Join(s.dir, file), []byte(content), 0o644); err != nil {
			return err
		}
	}
	_, err = s.run(ctx, s.dir, "apt-get", "-qq", "-o", "Acquire::Languages=none",
		"-o", "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false", "update")
	return err
}

// mirror is where the machine's apt has Debian's main archive from.
func mirror(ctx context.Context) (string, error) {
	const format = "$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)"
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", format).Output()
	if err != nil {
		return "", fmt.Errorf("cannot ask apt for its sources: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if site, ok := strings.CutPrefix(strings.TrimSpace(line), "Packages|Debian|Debian|main|"); ok {
			return site, nil
		}
	}
	return "", errors.New("this machine's apt has no Debian archive among its sources")
}

// run runs a program of apt on the files of the suite.
func (s *Suite) run(ctx context.Context, dir string, program string, args ...string) ([]byte, error) {
	at := func(name string) string { return filepath.Join(s.dir, name) }
	options := []string{
		"-o", "Dir::Etc::sourcelist=" + at("sources.list"), "-o", "Dir::Etc::sourceparts=" + at("sources.list.d"),
		"-o", "Dir::Etc::preferences=/dev/null", "-o", "Dir::Etc::preferencesparts=" + at("preferences.d"),
		"-o", "Dir::State=" + s.dir, "-o", "Dir::State::lists=" + at("lists"), "-o", "Dir::State::status=" +
			at("status"),
		"-o", "Dir::Cache=" + s.dir, "-o", "Dir::Cache::archives=" + at("archives"),
		"-o", "APT::Sandbox::User=root", "-o", "APT::Default-Release=",
	}
	var errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append(options, args...)...)
	cmd.Dir, cmd.Stderr = dir, &errOut
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", program, err, errOut.Bytes())
	}
	return out, nil
}

// Tree unpacks a package and everything that it depends on, the C library too, into a directory of the cache, and
// returns the directory with the package. The error wraps [ErrUnavailable] when they cannot be fetched.
func (s *Suite) Tree(ctx context.Context, name string) (string, Package, error) {
	lock, err := cache.Lock(s.dir+".lock", unix.LOCK_EX)
	if err != nil {
		return "", Package{}, err
	}
	defer lock.Close()
	packages, err := s.closure(ctx, name)
	if err != nil {
		return "", Package{}, fmt.Errorf("the package %s of Debian %s is %w: %w", name, s.Name, ErrUnavailable, err)
	}
	of := packages[name]
	tree := filepath.Join(s.dir, "trees", strings.TrimSuffix(of.File, ".deb"))
	if _, err := os.Stat(tree); err == nil {
		return tree, of, nil
	}
	debs, scratch := filepath.Join(s.dir, "debs", name), tree+".new"
	for _, dir := range []string{filepath.Dir(tree), debs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", of, err
		}
	}
	if err := s.download(ctx, debs, packages); err != nil {
		return "", of, fmt.Errorf("the packages of %s of Debian %s are %w: %w", name, s.Name, ErrUnavailable, err)
	}
	if err := os.RemoveAll(scratch); err != nil {
		return "", of, err
	}
	for _, p := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-deb", "--extract",
			filepath.Join(debs, p.File), scratch).CombinedOutput()
		if err != nil {
			return "", of, fmt.Errorf("cannot unpack %s: %w: %s", p.File, err, out)
		}
	}
	return tree, of, os.Rename(scratch, tree)
}

// closure lists a package and those that apt would install with it on a system that has none.
func (s *Suite) closure(ctx context.Context, name string) (map[string]Package, error) {
	out, err := s.run(ctx, s.dir, "apt-get", "-s", "--no-install-recommends", "install", name)
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(out)) { // Inst libc6 (2.41-12 Debian:testing [amd64])
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Inst" {
			names = append(names, fields[1])
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("apt would install nothing for %s", name)
	}
	text, err := s.run(ctx, s.dir, "apt-cache", append([]string{"show", "--no-all-versions"}, names...)...)
	if err != nil {
		return nil, err
	}
	return parseStanzas(string(text), names)
}

// download brings packages into dir. A file that is there already is used when its digest is right.
func (s *Suite) download(ctx context.Context, dir string, packages map[string]Package) error {
	var missing []string
	for _, p := range packages {
		if p.check(dir) != nil {
			missing = append(missing, p.Name+"="+p.Version)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		if _, err := s.run(ctx, dir, "apt-get", append([]string{"-qq", "download"}, missing...)...); err != nil {
			return err
		}
	}
	for _, p := range packages {
		if err := p.check(dir); err != nil {
			return err
		}
	}
	return nil
}
