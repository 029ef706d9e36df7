// Package beneath reaches files through directory descriptors, so that the owner of a directory on the way cannot
// choose what a more privileged process opens, changes or removes.
//
// A path is resolved from an open root directory, one element at a time, and the result is a [Place]: an open directory
// and the name of an entry in it. Every operation works on that pair and never follows a link at the name. What is
// renamed or exchanged above the directory after that does not matter.
//
// A link on the way is followed only if none but a trusted user can have made it or moved it there: the link belongs
// to the trusted user, and so does every directory from the root to the one that holds it, none of which its group or
// others may write. So a /data that an administrator has made a link to another disk works, and so does /var/run, but
// no link below a directory of the service user is followed, not even one of root's, which that user may have moved or
// linked there.
//
// Where the kernel has openat2 (Linux 5.6) a path without links is resolved by one call. Older kernels, down to
// Linux 3.10, take one call for each element.
package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Anyone as the trusted user of a [Root] has every link followed.
const Anyone = -1

// Root is a directory below which paths are resolved, as chroot(2) shows it: an absolute link starts again at the
// root, and ".." does not lead above it.
type Root struct {
	dir     string
	fd      *os.File
	trusted int // uid whose links are followed, or Anyone
}

// Open opens the root of a file system or of a tree. Links are followed when only the user trusted can have made them;
// see the package comment. The path dir itself is trusted.
func Open(dir string, trusted int) (*Root, error) {
	fd, err := openat(unix.AT_FDCWD, dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return &Root{dir: filepath.Clean(dir), fd: os.NewFile(uintptr(fd), dir), trusted: trusted}, nil
}

// System opens "/" for the effective user of this process. Only root can be led by others' links to what they could not
// change themselves: for root only root's links are followed, for anyone else all are.
func System() (*Root, error) {
	if os.Geteuid() == 0 {
		return Open("/", 0)
	}
	return Open("/", Anyone)
}

// Close closes the root. Places that were found stay usable.
func (r *Root) Close() error { return r.fd.Close() }

// ErrUntrustedLink is the cause when a link is not followed because another user may have put it there.
var ErrUntrustedLink = errors.New("a user other than root may have put this link there")

// LinkError is a link that is not followed. It wraps [ErrUntrustedLink].
type LinkError struct {
	Op     string
	Path   string // of the link
	Target string
	Dir    string // the directory that others may change, or "" when the link itself is another user's
}

func (e *LinkError) Error() string {
	why := "the link does not belong to root"
	if e.Dir != "" {
		why = "users other than root may write to " + e.Dir
	}
	return fmt.Sprintf("%s %s: the link to %s is not followed: %s", e.Op, e.Path, e.Target, why)
}

// Unwrap makes the error one of [ErrUntrustedLink].
func (e *LinkError) Unwrap() error { return ErrUntrustedLink }

// Hint says what an administrator who wants the files elsewhere can do.
func (e *LinkError) Hint() string {
	return fmt.Sprintf("if the files are to be in %s, replace the link by a directory and mount that there: mount "+
		"--bind %s %s",
		e.Target, e.Target, e.Path)
}

// maxLinks is the number of links the kernel follows in one path before it gives up with ELOOP; see path_resolution(7).
const maxLinks = 40

// At resolves path, whose last element need not exist and is not followed when it is a link. The directory that it is
// in must exist. The place is to be closed.
func (r *Root) At(op, path string) (*Place, error) {
	if p := r.direct(path); p != nil {
		return p, nil
	}
	p, _, err := r.walk(op, path, false)
	return p, err
}

// Follow is [Root.At] that also follows a link at the last element.
func (r *Root) Follow(op, path string) (*Place, error) {
	p, _, err := r.walk(op, path, true)
	return p, err
}

// Exact is [Root.At] that also finds out who may change the directory the place is in; see [Place.Open].
func (r *Root) Exact(op, path string) (*Place, error) {
	p, _, err := r.walk(op, path, false)
	return p, err
}

// Resolve returns path with every link followed, also the last. Elements that do not exist are kept as they are.
func (r *Root) Resolve(op, path string) (string, error) {
	p, missing, err := r.walk(op, path, true)
	if missing != "" {
		return missing, nil
	}
	if err != nil {
		return "", err
	}
	defer p.Close()
	return p.Path(), nil
}

// elements splits a path, keeping "..": after a link it must not be removed by name.
func elements(path string) []string {
	var out []string
	for _, e := range strings.Split(path, "/") {
		if e != "" && e != "." {
			out = append(out, e)
		}
	}
	return out
}
