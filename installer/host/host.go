// Package host is the only part of the installer that touches the machine.
//
// A [Host] is a directory tree and a [Runner]. The tree is "/" in production and a directory in tests
// and image builds; it always holds real files, so the code that runs on a customer's machine is the
// code that tests run. Only external commands are behind an interface, with one method.
//
// Three rules follow from the root:
//
//   - Root "/": owners are real, and links are followed only where none but root can have put them.
//   - Any other root: every path is resolved inside the tree as chroot(2) would (absolute symbolic links
//     start again at the root of the tree), so nothing outside the tree can be reached by mistake or by a
//     hostile link. Owners are recorded in a file of the tree, because the process usually may not change
//     them and the tree has its own /etc/passwd.
//   - Any other root without a Runner: no command is ever run ([Host.Live] is false).
//
// Every access goes through directory descriptors (package beneath): the service user, who owns most of what is
// installed, cannot lead root to another file by a link or a rename.
//
// All writes are atomic and durable unless a method says otherwise: when WriteFile returns, the file
// has either its old or its new content, also after a power cut.
package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// FileMode is the permission and the ownership of a file or directory. A zero field means: keep what is
// there; for a new file 0644, for a new directory 0755, and the owner of the process.
type FileMode struct {
	Perm  fs.FileMode
	Owner string // a name of the tree's /etc/passwd, or a decimal uid
	Group string // a name of the tree's /etc/group, or a decimal gid
}

// Host is a machine, or a directory tree that will be one.
type Host struct {
	root   string
	files  *fileSystem
	runner Runner
	edits  sync.Mutex // held by EditFile
	dirs   sync.Mutex // held by Mkdir: steps that run at the same time make the same parents
	owners *owners    // nil for "/"
	fault  Fault      // nil but in tests

	room func(abs string, s Space) Space // nil but in tests
}

// ErrNoCommands is returned by [Host.Run] for a tree that has no Runner.
var ErrNoCommands = errors.New("commands are not run in a directory tree")

// New returns the host whose files are below root. For "/" a nil runner means [ExecRunner]; for another
// root it means that commands are not run at all. An ExecRunner for another root is refused: its
// commands would change this machine instead of the tree.
func New(root string, runner Runner) (*Host, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("cannot use root %q: %w", root, err)
	}
	if abs == "/" {
		if runner == nil {
			runner = ExecRunner{}
		}
		system, err := openSystem()
		if err != nil {
			return nil, fmt.Errorf("cannot use root /: %w", err)
		}
		return &Host{root: "/", files: system, runner: runner}, nil
	}
	if _, real := runner.(ExecRunner); real {
		return nil, fmt.Errorf("cannot use root %s: commands would run on this machine, not in that tree", abs)
	}
	tree, err := openTree(abs)
	if err != nil {
		return nil, fmt.Errorf("cannot use root %s: %w", abs, err)
	}
	own, err := openOwners(tree)
	if err != nil {
		return nil, errors.Join(err, tree.Close())
	}
	return &Host{root: abs, files: tree, runner: runner, owners: own}, nil
}

// Close releases the tree. Files opened through h stay open.
func (h *Host) Close() error {
	if h.owners == nil {
		return h.files.Close()
	}
	return errors.Join(h.owners.close(), h.files.Close())
}

// Root is "/" or the absolute path of the tree.
func (h *Host) Root() string { return h.root }

// IsSystem reports whether h is the running machine rather than a tree.
func (h *Host) IsSystem() bool { return h.root == "/" }

// Live reports whether commands can be run. In a tree without a Runner they can not, and a step then
// does the part of its work that is files.
func (h *Host) Live() bool { return h.runner != nil }

// Path returns where abs of the host is in the file system of this process, for code that must be
// given a real path. Links are resolved inside the tree, the last element is not followed.
func (h *Host) Path(abs string) string {
	p, err := h.files.real(abs)
	if err != nil {
		return filepath.Join(h.root, filepath.Clean("/"+abs))
	}
	return p
}

// Within returns the path in the host of a real path, such as Path returns.
func (h *Host) Within(target string) string {
	if h.IsSystem() {
		return target
	}
	rel, err := filepath.Rel(h.root, target)
	if err != nil {
		return target
	}
	return "/" + rel
}

// ReadFile returns the content of a file, which is at most [ReadLimit] long: a longer one is an [ErrTooLong].
func (h *Host) ReadFile(abs string) ([]byte, error) {
	f, err := h.open(abs, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, ReadLimit)
}

// Open opens a file for reading.
func (h *Host) Open(abs string) (*os.File, error) { return h.open(abs, os.O_RDONLY, 0) }

// OpenDir opens a directory, for code that works relative to its descriptor.
func (h *Host) OpenDir(abs string) (*os.File, error) {
	f, err := h.open(abs, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: abs, Err: syscall.ENOTDIR}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Lstat describes a file without following a link in the last element.
func (h *Host) Lstat(abs string) (fs.FileInfo, error) {
	if err := checkAbs("lstat", abs); err != nil {
		return nil, err
	}
	return h.files.lstat(abs)
}

// Stat describes the file that abs leads to.
func (h *Host) Stat(abs string) (fs.FileInfo, error) {
	if err := checkAbs("stat", abs); err != nil {
		return nil, err
	}
	return h.files.stat(abs)
}

// Exists reports whether something is at abs, be it a dangling link.
func (h *Host) Exists(abs string) bool {
	_, err := h.Lstat(abs)
	return err == nil
}

// ReadDir lists a directory, sorted by name.
func (h *Host) ReadDir(abs string) ([]fs.DirEntry, error) {
	f, err := h.open(abs, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readDir(f)
}

// EachEntry calls visit for the entries of a directory, sorted by name. While visit runs, the Info of its entry is read
// through the open directory, whatever its path leads to by then.
func (h *Host) EachEntry(abs string, visit func(fs.DirEntry) error) error {
	if err := checkAbs("open", abs); err != nil {
		return err
	}
	return h.files.eachEntry(abs, visit)
}

// Readlink returns the target of a symbolic link as it is written.
func (h *Host) Readlink(abs string) (string, error) {
	if err := checkAbs("readlink", abs); err != nil {
		return "", err
	}
	return h.files.readlink(abs)
}

// Resolve returns abs of the host with every link followed, also the last. What does not exist yet is kept as it is.
func (h *Host) Resolve(abs string) (string, error) {
	if err := checkAbs("resolve", abs); err != nil {
		return "", err
	}
	return h.files.follow(abs)
}

// Run runs a command and waits for it. A command that exits with a status other than 0 is an
// *[ExitError]. It fails with [ErrNoCommands] when h is not [Host.Live].
func (h *Host) Run(ctx context.Context, c Cmd) (Result, error) {
	if h.runner == nil {
		return Result{}, fmt.Errorf("cannot run %s: %w", c.Name(), ErrNoCommands)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("cannot run %s: %w", c.Name(), err)
	}
	return h.runner.Run(ctx, c)
}

func (h *Host) open(abs string, flag int, perm fs.FileMode) (*os.File, error) {
	if err := checkAbs("open", abs); err != nil {
		return nil, err
	}
	return h.files.open(abs, flag, perm)
}

// checkAbs refuses paths that would mean different things in different trees.
func checkAbs(op, abs string) error {
	if !filepath.IsAbs(abs) {
		return &fs.PathError{Op: op, Path: abs, Err: errors.New("path is not absolute")}
	}
	return nil
}
