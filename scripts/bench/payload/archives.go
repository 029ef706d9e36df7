package main

import (
	"archive/zip"
	"compress/flate"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"fate-installer/payload"
	"fate-installer/scripts/debian"
)

// archive is one file that holds the whole tree, and how it is made.
type archive struct {
	name string // of the file
	what string // for the table of sizes; empty leaves it out
	slow bool   // takes ten minutes and more to make
	// make writes the file out. The others of the set that are listed before it are there.
	make func(ctx context.Context, s *set, out string) error
}

// set is the tree as a directory and in all archives, in one directory of the cache.
type set struct {
	dir     string
	program string
	tree    *tree
	log     io.Writer
	xz      bool  // whether there is an appliance with xz too
	size    int64 // of the tar
}

func (s *set) path(name string) string { return filepath.Join(s.dir, name) }

// Names of the files of a set. tree is the unpacked tree.
const (
	treeDir     = "tree"
	appliance   = "appliance"
	applianceXZ = "appliance-xz"
	plainTar    = "tree.tar"
	tarGzip     = "tree.tar.gz"
	tarZstd     = "tree.tar.zst"
	tarZstd19   = "tree-19.tar.zst"
	tarXZ       = "tree.tar.xz"
	zipFile     = "tree.zip"
	selfGzip    = "makeself-gzip.run"
	selfXZ      = "makeself-xz.run"
)

// archives lists the files of a set in the order they are made. Compressors run with one thread: it is their output
// that counts, and with several xz writes another one.
var archives = []archive{
	{treeDir, "", false, unpackTree},
	{plainTar, "tar", false, func(ctx context.Context, s *set, out string) error {
		return s.shell(ctx, `tar --sort=name -C "$1" -cf "$2" .`, s.path(treeDir), out)
	}},
	{tarZstd, "zstd -3 (the default)", false, compressed(`zstd -q -3 -c`)},
	{zipFile, "zip -6 (deflate)", false, func(ctx context.Context,
		s *set, out string) error {
		return writeZip(ctx, out, s.path(treeDir))
	}},
	{tarGzip, "gzip -9", false, compressed(`gzip -9 -n -c`)},
	{selfGzip, "", false, makeself("gzip", tarGzip)},
	{tarXZ, "xz -6", true, compressed(`xz -6 -T1 -c`)},
	{selfXZ, "", true, makeself("xz", tarXZ)},
	{tarZstd19, "zstd -19", true, compressed(`zstd -q -19 -c`)},
}

// prepareSet makes what the cache lacks of the set, and removes the sets of other trees.
func prepareSet(ctx context.Context, dir string, t *tree, o options, log io.Writer) (*set, error) {
	s := &set{dir: filepath.Join(dir, setPrefix+t.key), program: o.program, tree: t, xz: o.xz, log: log}
	old, err := filepath.Glob(filepath.Join(dir, setPrefix+"*"))
	if err != nil {
		return nil, err
	}
	for _, other := range old {
		if other != s.dir {
			if err := os.RemoveAll(other); err != nil {
				return nil, fmt.Errorf("cannot remove the archives of another tree: %w", err)
			}
		}
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make room for archives: %w", err)
	}
	if err := s.build(ctx, appliance, payload.CodecZstd); err != nil {
		return nil, err
	}
	if o.xz {
		if err := s.build(ctx, applianceXZ, payload.CodecXZ); err != nil {
			return nil, err
		}
	}
	for _, a := range archives {
		if a.slow && o.quick {
			continue
		}
		if err := s.make(ctx, a); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(s.path(plainTar))
	if err != nil {
		return nil, err
	}
	s.size = info.Size()
	return s, nil
}

const setPrefix = "set-"

// make makes one archive unless it is there.
func (s *set) make(ctx context.Context, a archive) error {
	if _, err := os.Lstat(s.path(a.name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fmt.Fprintf(s.log, "making %s\n", a.name)
	partial := s.path(".partial-" + a.name)
	err := os.RemoveAll(partial)
	if err == nil {
		err = a.make(ctx, s, partial)
	}
	if err == nil {
		err = os.Rename(partial, s.path(a.name))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot make %s: %w", a.name, err), os.RemoveAll(partial))
	}
	return nil
}

// has reports whether an archive is there.
func (s *set) has(name string) bool {
	_, err := os.Stat(s.path(name))
	return err == nil
}

// build makes an appliance of the tree, unless it is there and by the same program.
func (s *set) build(ctx context.Context, name, codec string) error {
	out := s.path(name)
	program, err := os.ReadFile(s.program)
	if err != nil {
		return err
	}
	p, err := payload.Open(out)
	if err == nil {
		defer p.Close()
		if p.Manifest().Stub.SHA256 == fmt.Sprintf("%x", sha256.Sum256(program)) {
			return nil
		}
	}
	fmt.Fprintf(s.log, "building %s\n", name)
	return s.run(ctx, s.program, "bundle", "build", "--lock", s.tree.lockFile, "--out", out, "--codec", codec)
}

// unpackTree unpacks the packages with Debian's own tool, so that what is compared does not depend on ours.
func unpackTree(ctx context.Context, s *set, out string) error {
	for _, c := range s.tree.lock.Components {
		target := filepath.Join(out, c.Name)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		for _, source := range c.Sources {
			if err := s.run(ctx, "dpkg-deb", "--extract", filepath.Join(s.tree.dir, source.Path), target); err != nil {
				return err
			}
		}
	}
	return s.shell(ctx, `find "$1" -mindepth 2 -maxdepth 2 ! -name usr -exec rm -rf {} +`, out)
}

func compressed(command string) func(context.Context, *set, string) error {
	return func(ctx context.Context, s *set, out string) error {
		return s.shell(ctx, command+` "$1" >"$2"`, s.path(plainTar), out)
	}
}

// makeself makes a self-extracting shell script. Its compressor is one that gives the stream that is there already.
func makeself(compressor, stream string) func(context.Context, *set, string) error {
	return func(ctx context.Context, s *set, out string) (err error) {
		tools, err := s.makeselfTools(ctx)
		if err != nil {
			return err
		}
		script := fmt.Sprintf("#!/bin/sh\ncat >/dev/null\nexec cat '%s'\n", s.path(stream))
		stub := filepath.Join(s.dir, ".stub")
		if err := os.MkdirAll(stub, 0o755); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(stub)) }()
		if err := os.WriteFile(filepath.Join(stub, compressor), []byte(script), 0o755); err != nil {
			return err
		}
		return s.shell(ctx, `PATH=$1:$PATH exec "$2/bin/makeself" --header "$2/share/makeself/makeself-header.sh" --tar-format gnu --quiet --nox11 --`+
			compressor+` "$3" "$4" bench true`, stub, filepath.Join(tools, "usr"), s.path(treeDir), out)
	}
}

// makeselfTools unpacks Debian's makeself.
func (s *set) makeselfTools(ctx context.Context) (string, error) {
	dir := s.path("makeself")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	debs, err := debian.Resolve(ctx, []string{"makeself"})
	if err != nil {
		return "", err
	}
	store := s.path("makeself-deb")
	if err := os.MkdirAll(store, 0o755); err != nil {
		return "", err
	}
	if err := debian.Download(ctx, store, debs); err != nil {
		return "", err
	}
	return dir, s.run(ctx, "dpkg-deb", "--extract", filepath.Join(store, debs["makeself"].File), dir)
}

// writeZip makes what zip -r makes: deflated members, symbolic links kept.
func writeZip(ctx context.Context, out, dir string) (err error) {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := zip.NewWriter(f)
	w.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 6) })
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || path == dir {
			return err
		}
		return addToZip(w, path, strings.TrimPrefix(path, dir+"/"), d)
	})
	if err != nil {
		return err
	}
	return w.Close()
}

func addToZip(w *zip.Writer, path, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	h, err := zip.FileInfoHeader(info)
	if err != nil {
		return err
	}
	h.Name, h.Method = name, zip.Deflate
	if d.IsDir() {
		h.Name += "/"
	}
	member, err := w.CreateHeader(h)
	switch {
	case err != nil || d.IsDir():
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err == nil {
			_, err = io.WriteString(member, target)
		}
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(member, f)
	return err
}

// shell runs a line of shell with arguments.
func (s *set) shell(ctx context.Context, line string, args ...string) error {
	return s.run(ctx, "sh", append([]string{"-ec", line, "sh"}, args...)...)
}

func (s *set) run(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, out)
	}
	return nil
}
