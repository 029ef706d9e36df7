package bundle

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fate-installer/payload"
)

// ImportOptions say what to make a lock from.
type ImportOptions struct {
	Archive  string   // AnsibleFATE's package, offline or online
	Lock     string   // where the lock file will be; source paths in it are relative to its directory
	Platform string   // of the release, linux/amd64 when empty
	Optional []string // components to take that are left out otherwise: miniconda, pypi, rabbitmq
	Added    []Added  // components the package lacks, or that replace its own
	Wheels   bool     // install the package's wheels into the component python, which is among Added
	Report   Progress // may be nil
}

// Added is a component from a file or directory besides the official package.
type Added struct {
	Component string
	Version   string // when empty, taken from the name of the file
	Path      string
}

// ImportResult describes the lock file that Import made of the package.
type ImportResult struct {
	Lock *Lock
	// Missing lists what a party needs that neither the package nor Added has, each with the components that satisfy
	// it.
	Missing [][]string
	Skipped []string // optional components that are there but were not asked for
}

// Import reads an official package once, from front to back, and returns a lock that builds from it as it is: every
// component's archive is a member of the package, with its digest. Versions come from the release's own fate.env.
func Import(ctx context.Context, o ImportOptions) (ImportResult, error) {
	if err := checkAdded(o.Added); err != nil {
		return ImportResult{}, err
	}
	f, err := os.Open(o.Archive)
	if err != nil {
		return ImportResult{}, fmt.Errorf("cannot read the package: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ImportResult{}, fmt.Errorf("cannot read the package: %w", err)
	}
	i := &importer{o: o, env: map[string]string{}}
	var done int64
	counted := meter{contextReader{ctx, f}, func(n int64) {
		done += n
		o.Report.report(StageRead, filepath.Base(o.Archive), done, info.Size())
	}}
	found, err := identify(o.Archive, FormatTar, bufio.NewReaderSize(counted, 1<<20))
	if err != nil {
		return ImportResult{}, &ArchiveError{Archive: o.Archive, Reason: "it is not an official package", Err: err}
	}
	defer found.archived.Close()
	if err := readTar(o.Archive, found.archived, i.visit); err != nil {
		return ImportResult{}, err
	}
	return i.finish()
}

// checkAdded refuses two components of which a party takes one.
func checkAdded(added []Added) error {
	for i, a := range added {
		for _, b := range added[:i] {
			if a.Component != b.Component && takesPlace(a.Component, b.Component) {
				return Problems{{File: a.Path,
					Message: fmt.Sprintf("%s cannot be added together with %s: a party has one database",
						a.Component, b.Component)}}
			}
		}
	}
	return nil
}

// importer collects the parts of a package.
type importer struct {
	o     ImportOptions
	env   map[string]string
	parts []part
}

// part is one member that becomes a source.
type part struct {
	*official
	member  string
	version string // from its name
	blob    payload.Blob
}

// visit looks at one member of the package.
func (i *importer) visit(e entry, body io.Reader) error {
	_, name, below := strings.Cut(e.path, "/")
	if !below || e.kind != kindFile {
		return nil
	}
	row, version := findOfficial(name)
	if row == nil {
		return nil
	}
	d := newDigester(body)
	var err error
	if hasFateEnv(row, name) {
		var env map[string]string
		env, err = fateEnvOf(row, d)
		maps.Copy(i.env, env)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, d)
	}
	if err != nil {
		return &ArchiveError{Archive: i.o.Archive, Entry: e.path, Reason: "is damaged", Err: err}
	}
	i.parts = append(i.parts, part{row, e.path, version, d.blob()})
	return nil
}

// finish turns the parts into a lock.
func (i *importer) finish() (ImportResult, error) {
	if len(i.parts) == 0 {
		return ImportResult{}, &ArchiveError{
			Archive: i.o.Archive, Reason: "it has none of the files of an official AnsibleFATE package",
			hint: "expected is AnsibleFATE_<version>_release_offline.tar.gz, with roles/fateflow/files/fate.tar.gz " +
				"in its root directory; for anything else write a lock file by hand",
		}
	}
	lock := &Lock{File: i.o.Lock, Release: payload.Release{FATE: i.env["FATE"], Platform: i.o.Platform, Env: i.env}}
	if lock.Release.Platform == "" {
		lock.Release.Platform = "linux/amd64"
	}
	if m := packageVersion().FindStringSubmatch(filepath.Base(i.o.Archive)); lock.Release.FATE == "" && m != nil {
		lock.Release.FATE = m[1]
	}
	if lock.Release.FATE == "" {
		return ImportResult{}, &ArchiveError{Archive: i.o.Archive,
			Reason: "it does not say which FATE release it is: there is no fate.env in it, and no version in its name"}
	}
	result := ImportResult{Lock: lock}
	for n := range i.parts {
		i.addPart(&result, &i.parts[n])
	}
	for _, a := range i.o.Added {
		if err := i.add(lock, a); err != nil {
			return ImportResult{}, err
		}
	}
	if i.o.Wheels {
		if err := i.addWheels(lock); err != nil {
			return ImportResult{}, err
		}
	}
	// A file that only goes with an archive is of no use without it.
	lock.Components = slices.DeleteFunc(lock.Components, func(c Component) bool { return c.Version == "" })
	result.Missing = missing(lock)
	return result, i.check(lock)
}

// missing lists what a party needs and the lock has not. Of Miniconda and wheels the installer makes a python.
func missing(lock *Lock) [][]string {
	has := func(name string) bool {
		return slices.ContainsFunc(lock.Components, func(c Component) bool { return c.Name == name })
	}
	var list [][]string
	for _, of := range required {
		made := of[0] == "python" && has("miniconda") && has("pypi")
		if !made && !slices.ContainsFunc(of, has) {
			list = append(list, of)
		}
	}
	return list
}

// addWheels adds the package's wheels to the interpreter that was given as the component python.
func (i *importer) addWheels(lock *Lock) error {
	refuse := func(format string, args ...any) error {
		return Problems{{File: i.o.Archive, Message: fmt.Sprintf(format, args...)}}
	}
	want := pythonMinor().FindString(i.env["PYTHON"])
	n := slices.IndexFunc(lock.Components, func(c Component) bool { return c.Name == "python" })
	wheels := slices.IndexFunc(i.parts, func(p part) bool { return p.component == "pypi" && p.archive })
	switch {
	case n < 0:
		return refuse("has wheels, but there is no component python to install them into")
	case wheels < 0:
		return refuse("has no wheels: there is no roles/python/files/pypi.tar.gz in it")
	case want == "":
		return refuse("does not say which Python its wheels are for: there is no PYTHON=3.x in its fate.env")
	case pythonMinor().FindString(lock.Components[n].Version) != want:
		return refuse("has wheels for Python %s, but the component python is %s", want, lock.Components[n].Version)
	}
	c, p := &lock.Components[n], &i.parts[wheels]
	// What the interpreter brings of its own (pip, setuptools) comes from the package too, in the version it was tested
	// with.
	c.Sources[0].Exclude = []string{"**/site-packages"}
	c.Sources = append(c.Sources, Source{
		Path: i.sourcePath(i.o.Archive), Member: p.member, Format: FormatWheels, Python: want, Setuid: SetuidRefuse,
		SHA256: p.blob.SHA256, Size: p.blob.Size,
		Override: true, // as with pip, where the last of two projects with one file name has it
	})
	return nil
}

// addPart makes a member a source of its component.
func (i *importer) addPart(result *ImportResult, p *part) {
	replaced := slices.ContainsFunc(i.o.Added, func(a Added) bool { return takesPlace(a.Component, p.component) })
	switch {
	case replaced:
		return
	case p.optional && !slices.Contains(i.o.Optional, p.component):
		if !p.extra {
			result.Skipped = append(result.Skipped, p.component)
		}
		return
	}
	s := Source{
		Path: i.sourcePath(i.o.Archive), Member: p.member, Format: FormatFile, Setuid: SetuidRefuse,
		SHA256: p.blob.SHA256, Size: p.blob.Size, Exclude: p.exclude,
	}
	if p.archive {
		s.Format, s.Strip = FormatTar, 1
	}
	c := result.Lock.component(p.component)
	c.Sources = append(c.Sources, s)
	if p.extra {
		return
	}
	c.License, c.Platform, c.HostLibraries = p.license, p.platform, p.host
	c.Version = cmp.Or(i.env[p.envKey], p.version, result.Lock.Release.FATE)
}

// component returns the component of that name, adding it at the end if need be.
func (l *Lock) component(name string) *Component {
	for n := range l.Components {
		if l.Components[n].Name == name {
			return &l.Components[n]
		}
	}
	l.Components = append(l.Components, Component{Name: name})
	return &l.Components[len(l.Components)-1]
}

// sourcePath names a file from the lock's directory when that is shorter than its full path.
func (i *importer) sourcePath(file string) string {
	whole, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	dir, err := filepath.Abs(filepath.Dir(i.o.Lock))
	if err != nil {
		return whole
	}
	if relative, err := filepath.Rel(dir, whole); err == nil && len(relative) < len(whole) {
		return relative
	}
	return whole
}

// addedVersion finds the version in a file name such as mysql-8.0.28.tar.gz or Miniconda3-py38_4.12.0-Linux-x86_64.sh.
var addedVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^(?:[A-Za-z][A-Za-z0-9_]*-)*((?:py)?v?[0-9][A-Za-z0-9.+~_]*?)(?:-[A-Za-z].*)?(?:\.tar(?:\.[a-z0-9]+)?|\.tgz|\.zip|\.sh|\.deb)?$`)
})

// add makes a component of a file or directory that is not in the package. Fill gives it its digest.
func (i *importer) add(lock *Lock, a Added) error {
	if a.Version == "" {
		if m := addedVersion().FindStringSubmatch(filepath.Base(a.Path)); m != nil {
			a.Version = m[1]
		}
	}
	if a.Version == "" {
		return Problems{{File: a.Path, Message: fmt.Sprintf("has no version of %s in its name", a.Component)}}
	}
	strip, err := topDirectory(a.Path)
	if err != nil {
		return err
	}
	if err := checkAddedServer(a, strip); err != nil {
		return fmt.Errorf("cannot take %s from %s: %w", a.Component, a.Path, err)
	}
	c := lock.component(a.Component)
	c.Version = a.Version
	c.Sources = append(c.Sources, Source{Path: i.sourcePath(a.Path), Format: FormatAuto,
		Setuid: SetuidRefuse, Strip: strip})
	for _, row := range officials() {
		if row.component == a.Component && !row.extra {
			c.License, c.Platform, c.HostLibraries = row.license, row.platform, row.host
		}
	}
	return nil
}

// errMixed ends the reading of an archive that has more than one thing on top.
var errMixed = errors.New("several entries on top")

// topDirectory tells whether an archive has a single directory on top, which is then not part of the component: 1, or
// 0.
func topDirectory(file string) (strip int, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, fmt.Errorf("cannot read a component: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return 0, err
	}
	found, err := identify(file, FormatAuto, bufio.NewReaderSize(f, 1<<20))
	var notTar *notTarError
	if errors.As(err, &notTar) || err == nil && found.format != FormatTar {
		return 0, nil
	}
	if err != nil {
		return 0, &ArchiveError{Archive: file, Reason: "cannot read its format", Err: err}
	}
	defer found.archived.Close()
	top := ""
	err = readTar(file, found.archived, func(e entry, _ io.Reader) error {
		first, _, below := strings.Cut(e.path, "/")
		switch {
		case e.path == "." || top == first:
		case top != "" || !below && e.kind != kindDir:
			return errMixed
		default:
			top = first
		}
		return nil
	})
	if errors.Is(err, errMixed) || top == "" {
		return 0, nil
	}
	return 1, err
}

// check proves that the lock can be read, since its text is made of what the package says.
func (i *importer) check(lock *Lock) error {
	if _, err := ParseLock(i.o.Lock, lock.Encode("")); err != nil {
		return &ArchiveError{Archive: i.o.Archive, Reason: "a lock for it would be wrong", Err: err}
	}
	return nil
}
