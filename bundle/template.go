package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// DatabaseTemplate is where the component of a database server carries a data directory, by its path in the tree.
const DatabaseTemplate = "share/fate-installer/datadir.tar.zst"

// A TemplateMaker starts the database server of a component on this machine, has it make a data directory in r.Dir, and
// writes that to out in the form that the installer reads.
type TemplateMaker func(ctx context.Context, r TemplateRequest, out io.Writer) error

// TemplateRequest says what a [TemplateMaker] works with. The directories go when it returns.
type TemplateRequest struct {
	Component   string   // name in the lock file
	Program     string   // the server, by its path below Tree
	Tree        string   // the component as it is unpacked on a host
	LibraryPath []string // directories below Tree for LD_LIBRARY_PATH
	Dir         string   // empty directory for the data, closed to other users
}

// templateKind changes when a [TemplateMaker] of this program makes something else of the same server, so that what is
// in a cache is not taken for it.
const templateKind = "database template 1"

// keptTemplates is how many data directories, of some MB each, the cache keeps.
const keptTemplates = 16

// templateTimeout ends a server that does not end: the slowest one that was seen took 40 s.
const templateTimeout = 10 * time.Minute

// addTemplate puts a data directory into the tree of a database server. What keeps it from being made is a warning:
// then each host makes its own, which takes longer.
func (b *builder) addTemplate(ctx context.Context, p *packed, c *Component) error {
	program := databaseServers[c.Name]
	if b.o.Template == nil || c.NoTemplate || c.StandIn || program == "" || p.tree.nodes[DatabaseTemplate] != nil {
		return nil
	}
	warn := func(reason string) {
		p.tree.warnings = append(p.tree.warnings,
			reason+"; hosts initialise the database themselves, which takes longer")
	}
	if here := "linux/" + runtime.GOARCH; p.Component.Platform != here {
		warn(fmt.Sprintf("carries no data directory, because its server is for %s and this machine is %s",
			p.Component.Platform, here))
		return nil
	}
	key, err := p.tree.templateKey(ctx, p.LibraryPath)
	if err != nil {
		return err
	}
	file, made, err := b.cachedTemplate(ctx, key, func(out io.Writer) error {
		return b.makeTemplate(ctx, p, program, out)
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		warn(fmt.Sprintf("carries no data directory, because it could not be made here: %v", err))
		return nil
	}
	defer file.Close()
	if err := p.tree.addFile(DatabaseTemplate, file); err != nil {
		return err
	}
	b.result.Templates = append(b.result.Templates, Template{Component: c.Name, Input: key, Made: made})
	return nil
}

// Template is a data directory that a component carries.
type Template struct {
	Component string
	Input     string // sha256 of the component's tree without it; the cache has the data directory under this name
	Made      bool   // false when it was in the cache
}

// templateKey is the digest of everything that a data directory is made from.
func (t *tree) templateKey(ctx context.Context, libraryPath []string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n", templateKind, libraryPath)
	if err := t.writeTar(ctx, h, func(int64, int64) {}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// cachedTemplate opens the data directory for a key. A server never makes the same bytes twice: times, counters of its
// log and identifiers differ. So what was made once is kept, and a second build gives the same appliance.
func (b *builder) cachedTemplate(ctx context.Context, key string, make func(io.Writer) error) (f *os.File, made bool,
	err error) {
	dir := b.o.TemplateCache
	if dir == "" {
		dir = b.spoolDir
	} else {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, false, fmt.Errorf("cannot use the cache: %w", err)
		}
		if f, err = os.Open(filepath.Join(dir, key)); err == nil {
			now := time.Now()
			_ = os.Chtimes(f.Name(), now, now) // only the order of removal depends on it
			return f, false, nil
		}
	}
	f, err = os.CreateTemp(dir, ".fate-installer-template-*")
	if err != nil {
		return nil, false, fmt.Errorf("cannot make a temporary file: %w", err)
	}
	if err = make(f); err == nil && b.o.TemplateCache != "" {
		err = errors.Join(f.Sync(), os.Rename(f.Name(), filepath.Join(dir, key)), trimTemplates(dir))
	} else {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, false, errors.Join(err, f.Close())
	}
	return f, true, ctx.Err()
}

// trimTemplates removes those that were not used for longest.
func trimTemplates(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot use the cache: %w", err)
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, info)
		}
	}
	if len(files) < len(entries) { // what killed builds left
		for _, e := range entries {
			info, err := e.Info()
			if err == nil && strings.HasPrefix(e.Name(), ".") && time.Since(info.ModTime()) > 24*time.Hour {
				_ = os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for i, info := range files {
		if i < keptTemplates {
			continue
		}
		if err := os.Remove(filepath.Join(dir, info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot make room in the cache: %w", err)
		}
	}
	return nil
}

// scratch makes a directory next to the output, whose lock keeps other builds away from it, for programs of a component
// that run while the appliance is built. What a killed build left in it is removed. The path is absolute: the programs
// have working directories of their own.
func (b *builder) scratch(purpose string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(b.spoolDir, "."+filepath.Base(b.o.Out)+"."+purpose))
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return "", fmt.Errorf("cannot make a temporary directory: %w", err)
	}
	return dir, nil
}

// makeTemplate unpacks the component into a temporary directory, and has its server make the data.
func (b *builder) makeTemplate(ctx context.Context, p *packed, program string, out io.Writer) (err error) {
	dir, err := b.scratch("database")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := TemplateRequest{Component: p.Name, Program: program, Tree: filepath.Join(dir, "tree"),
		LibraryPath: p.LibraryPath, Dir: filepath.Join(dir, "data")}
	if err := p.tree.place(ctx, r.Tree, func(*node) bool { return true }); err != nil {
		return err
	}
	if err := os.Mkdir(r.Dir, 0o700); err != nil {
		return fmt.Errorf("cannot make a temporary directory: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, templateTimeout,
		fmt.Errorf("the server did not end within %v", templateTimeout))
	defer cancel()
	return b.o.Template(ctx, r, out)
}

// place writes the wanted nodes of a finished tree, with a node the directories above it, into a new directory. No path
// of a tree leads through a link, and no link leads out of it.
func (t *tree) place(ctx context.Context, dir string, wanted func(*node) bool) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make a temporary directory: %w", err)
	}
	for _, n := range t.sorted() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !wanted(n) {
			continue
		}
		at := filepath.Join(dir, n.path)
		var err error
		switch n.kind {
		case kindDir:
			err = os.Mkdir(at, 0o755)
		case kindSymlink:
			err = os.Symlink(n.target, at)
		default:
			err = placeFile(at, t.spool.open(n.blob), fs.FileMode(n.mode)&fs.ModePerm|0o400)
		}
		if err != nil {
			return fmt.Errorf("cannot write temporary data: %w", err)
		}
	}
	return nil
}

func placeFile(name string, r io.Reader, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// addFile adds a file that the build made to a finished tree.
func (t *tree) addFile(name string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	blob, err := t.spool.add(f, info.Size())
	if err != nil {
		return err
	}
	from := &origin{name: "what the build made"}
	t.nodes[name] = &node{path: name, kind: kindFile, mode: 0o644, blob: blob, from: from, stored: path.Base(name)}
	if err := t.addParents(); err != nil {
		return err
	}
	return t.spool.flush()
}
