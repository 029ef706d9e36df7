package bundle

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A wheel is a Python distribution that is installed by unpacking (PEP 427, "Binary distribution format"): a ZIP whose
// root belongs into site-packages, a *.data directory whose parts belong elsewhere, and entry_points.txt that names
// programs to generate. Doing this when the appliance is built leaves nothing to do on the host: no pip, no compiler,
// no minutes of waiting, and no difference between two hosts.

// wheelName is the file name of a wheel: project, version, an optional build number, and the tags for which Python
// implementations, binary interfaces and platforms it is made, each possibly several joined by dots (PEP 425).
var wheelName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^([A-Za-z0-9._]+)-([A-Za-z0-9._+!]+)(?:-[0-9][A-Za-z0-9._]*)?-([a-z0-9._]+)-([a-z0-9._]+)-([A-Za-z0-9._]+)\.whl$`)
})

// wheelTarget is where wheels go: a Python environment of one version on one platform.
type wheelTarget struct {
	minor    int    // of Python 3
	platform string // as in a lock, may be PlatformAny
}

func newWheelTarget(python, platform string) wheelTarget {
	minor, _ := strconv.Atoi(strings.TrimPrefix(python, "3.")) // the lock's parser allows nothing else
	return wheelTarget{minor, platform}
}

func (t wheelTarget) sitePackages() string {
	return fmt.Sprintf("lib/python3.%d/site-packages", t.minor)
}

// accepts reports whether a wheel with these tags runs in the environment.
func (t wheelTarget) accepts(pythons, abis, platforms string) bool {
	for python := range strings.SplitSeq(pythons, ".") {
		for abi := range strings.SplitSeq(abis, ".") {
			for platform := range strings.SplitSeq(platforms, ".") {
				if t.acceptsPython(python, abi) && t.acceptsPlatform(platform) {
					return true
				}
			}
		}
	}
	return false
}

func (t wheelTarget) acceptsPython(python, abi string) bool {
	kind, version := python[:min(2, len(python))], python[min(2, len(python)):]
	minor, err := strconv.Atoi(strings.TrimPrefix(version, "3"))
	switch {
	case version == "3":
		return kind == "py" && abi == "none"
	case err != nil || !strings.HasPrefix(version, "3"):
		return false
	case kind == "py":
		return abi == "none" && minor <= t.minor
	case kind != "cp":
		return false
	case abi == "abi3" || abi == "none": // the interface that later versions keep, or none at all
		return minor <= t.minor
	}
	return minor == t.minor && strings.HasPrefix(abi, "cp"+version)
}

func (t wheelTarget) acceptsPlatform(tag string) bool {
	if tag == "any" {
		return true
	}
	if !strings.HasPrefix(tag, "manylinux") && !strings.HasPrefix(tag, "linux_") {
		return false // musllinux is for another C library than the one the interpreters of the hosts use
	}
	arch := map[string]string{"linux/amd64": "_x86_64", "linux/arm64": "_aarch64"}[t.platform]
	return arch != "" && strings.HasSuffix(tag, arch)
}

// wheelSet installs the wheels of one source.
type wheelSet struct {
	target   wheelTarget
	origin   *origin // without its include patterns: those choose wheels, not what is in them
	add      visit
	projects map[string]string // normalised name -> wheel
}

// newWheelSet prepares to install wheels into t.
func newWheelSet(t *tree, o *origin, target wheelTarget) *wheelSet {
	inner, mapped := *o, *o.mapping
	mapped.filters = &filters{exclude: o.exclude}
	inner.mapping = &mapped
	return &wheelSet{
		target: target, origin: &inner, projects: map[string]string{},
		add: func(e entry, body io.Reader) error { return t.add(&inner, e, body) },
	}
}

// install adds the wheel called file, whose bytes are in r, to the tree.
func (s *wheelSet) install(archive, file string, r io.ReaderAt, size int64) error {
	refuse := func(reason string) error {
		return &ArchiveError{Archive: archive, Entry: file, Reason: reason, hint: excludeHint}
	}
	name := wheelName().FindStringSubmatch(path.Base(file))
	switch {
	case name == nil:
		return refuse("is not named like a wheel")
	case !s.target.accepts(name[3], name[4], name[5]):
		return refuse(fmt.Sprintf("is not for Python 3.%d on %s", s.target.minor, s.target.platform))
	}
	project := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name[1]))
	if other, twice := s.projects[project]; twice {
		return refuse(fmt.Sprintf("is of the project of %s", other))
	}
	s.projects[project] = file
	w := &wheel{set: s, stem: name[1] + "-" + name[2]}
	if err := readZip(archive+" member "+file, r, size, w.visit); err != nil {
		return err
	}
	if !w.described {
		return refuse("is not a wheel: it has no " + w.stem + ".dist-info/WHEEL")
	}
	return w.addPrograms(refuse)
}

// wheel is one wheel being installed.
type wheel struct {
	set         *wheelSet
	stem        string // project and version, as the names of its directories begin
	described   bool   // WHEEL was there
	entryPoints string
}

// maxMetadata bounds what is read into memory: scripts and entry points have a few kB.
const maxMetadata = 1 << 20

// visit puts one entry of the wheel where an installer of wheels would.
func (w *wheel) visit(e entry, body io.Reader) error {
	if e.kind == kindDir {
		return nil // they come with their files
	}
	if e.kind != kindFile {
		return &ArchiveError{Reason: "is a " + e.kind.String() + ", which a wheel does not have"}
	}
	e.mode = 0o644 | e.mode&0o111 // PEP 427 keeps the executable bit and no other
	if e.mode != 0o644 {
		e.mode = 0o755
	}
	switch e.path {
	case w.stem + ".dist-info/WHEEL":
		w.described = true
	case w.stem + ".dist-info/entry_points.txt":
		text, err := io.ReadAll(io.LimitReader(body, maxMetadata))
		if err != nil {
			return err
		}
		w.entryPoints, e.size, body = string(text), int64(len(text)), bytes.NewReader(text)
	}
	rest, isData := strings.CutPrefix(e.path, w.stem+".data/")
	if !isData {
		e.path = path.Join(w.set.target.sitePackages(), e.path)
		return w.set.add(e, body)
	}
	scheme, rest, _ := strings.Cut(rest, "/")
	switch scheme {
	case "purelib", "platlib":
		e.path = path.Join(w.set.target.sitePackages(), rest)
	case "data":
		e.path = rest
	case "headers":
		e.path = path.Join(fmt.Sprintf("include/python3.%d", w.set.target.minor),
			strings.SplitN(w.stem, "-", 2)[0], rest)
	case "scripts":
		return w.addScript(e, rest, body)
	default:
		return &ArchiveError{Reason: fmt.Sprintf("is for the unknown place %q", scheme)}
	}
	return w.set.add(e, body)
}

// launcher begins a script that runs with the interpreter next to it, wherever the environment is: to the shell it is
// an exec of that interpreter, to Python a string. A #! line would need the absolute path.
const launcher = "#!/bin/sh\n'''exec' \"$(dirname -- \"$(readlink -f -- \"$0\")\")\"/python3 \"$0\" \"$@\"\n' '''\n"

// addScript installs a program of the wheel; one that asks for whatever Python there is gets the launcher.
func (w *wheel) addScript(e entry, name string, body io.Reader) error {
	e.path, e.mode = path.Join("bin", name), 0o755
	if e.size > maxMetadata {
		return w.set.add(e, body) // a binary
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if line, rest, ok := bytes.Cut(text, []byte("\n")); ok && bytes.HasPrefix(line, []byte("#!python")) {
		text = append([]byte(launcher), rest...)
	}
	e.size = int64(len(text))
	return w.set.add(e, bytes.NewReader(text))
}

// entryPoint is "name = package.module:object.attribute [extras]" (entry points specification, PyPA).
var entryPoint = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^([A-Za-z0-9._-]+)\s*=\s*([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_]\w*)([\w.]*)\s*(?:\[.*\])?$`)
})

// addPrograms generates the programs that entry_points.txt names.
func (w *wheel) addPrograms(refuse func(string) error) error {
	section := ""
	for line := range strings.Lines(w.entryPoints) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case line[0] == '[':
			section = strings.Trim(line, "[]")
			continue
		case !slices.Contains([]string{"console_scripts", "gui_scripts"}, section):
			continue
		}
		m := entryPoint().FindStringSubmatch(line)
		if m == nil {
			return refuse(fmt.Sprintf("has the entry point %q", line))
		}
		text := fmt.Sprintf("%simport sys\nfrom %s import %s\nif __name__ == \"__main__\":\n    sys.exit(%s%s())\n",
			launcher, m[2], m[3], m[3], m[4])
		e := entry{path: path.Join("bin", m[1]), kind: kindFile, mode: 0o755, size: int64(len(text))}
		if err := w.set.add(e, strings.NewReader(text)); err != nil {
			return err
		}
	}
	return nil
}
