package host

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"fate-installer/installer/host/beneath"
)

// fileSystem is the tree of files of a host. Paths are absolute in it. Everything is reached through directory
// descriptors: see package beneath. The last element is never followed except by stat and, for reading, by open.
type fileSystem struct {
	dir  string
	root *beneath.Root
}

// openSystem is the running machine.
func openSystem() (*fileSystem, error) {
	root, err := beneath.System()
	if err != nil {
		return nil, err
	}
	return &fileSystem{dir: "/", root: root}, nil
}

// openTree is a directory tree seen as chroot(2) shows it. All its links are followed, since none leads out of it.
func openTree(dir string) (*fileSystem, error) {
	root, err := beneath.Open(dir, beneath.Anyone)
	if err != nil {
		return nil, err
	}
	return &fileSystem{dir: dir, root: root}, nil
}

func (f *fileSystem) Close() error { return f.root.Close() }

// at finds a place, does something there, and returns its error.
func (f *fileSystem) at(op, abs string, do func(p *beneath.Place) error) error {
	p, err := f.root.Exact(op, abs)
	if err != nil {
		return err
	}
	defer p.Close()
	return do(p)
}

func (f *fileSystem) open(abs string, flag int, perm fs.FileMode) (*os.File, error) {
	if flag&^syscall.O_DIRECTORY == os.O_RDONLY {
		return f.root.OpenRead(abs)
	}
	find := f.root.Follow
	if flag&(os.O_EXCL|syscall.O_NOFOLLOW) != 0 {
		find = f.root.Exact
	}
	p, err := find("open", abs)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Open(flag, perm)
}

func (f *fileSystem) stat(abs string) (fs.FileInfo, error) {
	p, err := f.root.Follow("stat", abs)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Lstat()
}

func (f *fileSystem) lstat(abs string) (fs.FileInfo, error) {
	return f.root.Lstat(abs)
}

func (f *fileSystem) readlink(abs string) (string, error) {
	p, err := f.root.At("readlink", abs)
	if err != nil {
		return "", err
	}
	defer p.Close()
	return p.Readlink()
}

func (f *fileSystem) mkdir(abs string, perm fs.FileMode) error {
	return f.at("mkdir", abs, func(p *beneath.Place) error { return p.Mkdir(perm) })
}

func (f *fileSystem) remove(abs string) error {
	return f.at("remove", abs, (*beneath.Place).Remove)
}

// rename works on two places, which may be in one directory.
func (f *fileSystem) rename(from, to string) error {
	return f.both("rename", from, to, (*beneath.Place).Rename)
}

func (f *fileSystem) both(op, from, to string, do func(from, to *beneath.Place) error) error {
	return f.at(op, from, func(source *beneath.Place) error {
		return f.at(op, to, func(target *beneath.Place) error { return do(source, target) })
	})
}

// real is a path of this process, its last element not followed.
func (f *fileSystem) real(abs string) (string, error) {
	resolved, err := f.root.Resolve("open", filepath.Dir(filepath.Clean("/"+abs)))
	if err != nil {
		return "", err
	}
	return filepath.Join(f.dir, resolved, filepath.Base(filepath.Clean("/"+abs))), nil
}

// follow is a path of the host without links.
func (f *fileSystem) follow(abs string) (string, error) { return f.root.Resolve("resolve", abs) }

// dirLimit is how many entries [Host.ReadDir] lists. No installed directory comes near; one with more could take root's
// memory.
const dirLimit = 1 << 20

func readDir(f *os.File) ([]fs.DirEntry, error) {
	list, err := f.ReadDir(dirLimit + 1)
	if err == io.EOF {
		err = nil
	}
	if err == nil && len(list) > dirLimit {
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: fmt.Errorf("it has more than %d entries", dirLimit)}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, err
}
