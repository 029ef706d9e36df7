package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// files is the part of the os package that Host needs. Paths are absolute; the last element is never
// followed except by open and stat.
type files interface {
	open(path string, flag int, perm fs.FileMode) (*os.File, error)
	stat(path string) (fs.FileInfo, error)
	lstat(path string) (fs.FileInfo, error)
	readlink(path string) (string, error)
	mkdir(path string, perm fs.FileMode) error
	remove(path string) error
	removeAll(path string) error
	rename(from, to string) error
	symlink(target, path string) error
	chmod(path string, perm fs.FileMode) error
	lchown(path string, uid, gid int) error
	real(path string) (string, error)   // a path of this process, last element not followed
	follow(path string) (string, error) // a path of the host without links
}

// systemFiles is the running machine. [os.Root] is not used here: it would refuse ordinary hosts
// whose directories are absolute links (/var/run, or /data moved to another disk).
type systemFiles struct{}

func (systemFiles) open(p string, flag int, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(p, flag|syscall.O_CLOEXEC, perm)
}
func (systemFiles) stat(p string) (fs.FileInfo, error)     { return os.Stat(p) }
func (systemFiles) lstat(p string) (fs.FileInfo, error)    { return os.Lstat(p) }
func (systemFiles) readlink(p string) (string, error)      { return os.Readlink(p) }
func (systemFiles) mkdir(p string, perm fs.FileMode) error { return os.Mkdir(p, perm) }
func (systemFiles) remove(p string) error                  { return os.Remove(p) }
func (systemFiles) removeAll(p string) error               { return os.RemoveAll(p) }
func (systemFiles) rename(from, to string) error           { return os.Rename(from, to) }
func (systemFiles) symlink(target, p string) error         { return os.Symlink(target, p) }
func (systemFiles) chmod(p string, perm fs.FileMode) error { return os.Chmod(p, perm) }
func (systemFiles) lchown(p string, uid, gid int) error    { return os.Lchown(p, uid, gid) }
func (systemFiles) real(p string) (string, error)          { return filepath.Clean(p), nil }

func (systemFiles) follow(p string) (string, error) {
	rel, err := resolveLinks(rootLinks{}, "resolve", p, true)
	return filepath.Join("/", rel), err
}

// tree is a directory tree seen as chroot(2) shows it. Paths are first resolved here, because os.Root
// refuses every absolute link, then opened through os.Root, which catches what changed in between.
type tree struct {
	dir  string
	root *os.Root
}

func openTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &tree{dir: dir, root: root}, nil
}

func (t *tree) Close() error { return t.root.Close() }

func (t *tree) resolve(op, path string, follow bool) (string, error) {
	return resolveLinks(t.root, op, path, follow)
}

func (t *tree) open(p string, flag int, perm fs.FileMode) (*os.File, error) {
	follow := flag&(os.O_EXCL|syscall.O_NOFOLLOW) == 0
	rel, err := t.resolve("open", p, follow)
	if err != nil {
		return nil, err
	}
	return t.root.OpenFile(rel, flag, perm)
}

func (t *tree) stat(p string) (fs.FileInfo, error) {
	rel, err := t.resolve("stat", p, true)
	if err != nil {
		return nil, err
	}
	return t.root.Lstat(rel)
}

func (t *tree) lstat(p string) (fs.FileInfo, error) {
	rel, err := t.resolve("lstat", p, false)
	if err != nil {
		return nil, err
	}
	return t.root.Lstat(rel)
}

func (t *tree) readlink(p string) (string, error) {
	rel, err := t.resolve("readlink", p, false)
	if err != nil {
		return "", err
	}
	return t.root.Readlink(rel)
}

func (t *tree) mkdir(p string, perm fs.FileMode) error {
	rel, err := t.resolve("mkdir", p, false)
	if err != nil {
		return err
	}
	return t.root.Mkdir(rel, perm)
}

func (t *tree) remove(p string) error {
	rel, err := t.resolve("remove", p, false)
	if err != nil {
		return err
	}
	return t.root.Remove(rel)
}

func (t *tree) removeAll(p string) error {
	rel, err := t.resolve("remove", p, false)
	if err != nil {
		return err
	}
	return t.root.RemoveAll(rel)
}

func (t *tree) rename(from, to string) error {
	relFrom, err := t.resolve("rename", from, false)
	if err != nil {
		return err
	}
	relTo, err := t.resolve("rename", to, false)
	if err != nil {
		return err
	}
	return t.root.Rename(relFrom, relTo)
}

func (t *tree) symlink(target, p string) error {
	rel, err := t.resolve("symlink", p, false)
	if err != nil {
		return err
	}
	return t.root.Symlink(target, rel)
}

func (t *tree) chmod(p string, perm fs.FileMode) error {
	rel, err := t.resolve("chmod", p, true)
	if err != nil {
		return err
	}
	return t.root.Chmod(rel, perm)
}

func (t *tree) lchown(string, int, int) error {
	return errors.ErrUnsupported // owners of a tree are recorded, see owners.go
}

func (t *tree) real(p string) (string, error) {
	rel, err := t.resolve("open", p, false)
	if err != nil {
		return "", err
	}
	return filepath.Join(t.dir, rel), nil
}

func (t *tree) follow(p string) (string, error) {
	rel, err := t.resolve("resolve", p, true)
	return filepath.Join("/", rel), err
}

func readAll(f *os.File) ([]byte, error) { return io.ReadAll(f) }

func readDir(f *os.File) ([]fs.DirEntry, error) {
	list, err := f.ReadDir(-1)
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, err
}
