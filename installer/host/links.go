package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// linkReader is what is needed to follow links. Paths are relative to a root.
type linkReader interface {
	Lstat(name string) (fs.FileInfo, error)
	Readlink(name string) (string, error)
}

// rootLinks reads the links of the running machine.
type rootLinks struct{}

func (rootLinks) Lstat(name string) (fs.FileInfo, error) {
	fi, err := os.Lstat("/" + name)
	if err == nil && fi.Mode()&fs.ModeSymlink != 0 && !trusted(fi) {
		return nil, &fs.PathError{Op: "follow", Path: "/" + name, Err: ErrUntrustedLink}
	}
	return fi, err
}

func (rootLinks) Readlink(name string) (string, error) { return os.Readlink("/" + name) }

// ErrUntrustedLink is the cause when root would follow a link that somebody else made. Most of what is installed
// belongs to the service user, who could otherwise replace a directory of his by a link to /etc and let the next run
// of the installer, which is root, change what is there.
var ErrUntrustedLink = errors.New("it is a link that does not belong to root")

// trusted reports whether this process may follow a link when it changes something.
func trusted(fi fs.FileInfo) bool {
	if os.Geteuid() != 0 {
		return true // who is not root can reach only what is his anyway
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && st.Uid == 0
}

// mayChange refuses a change that would not happen where abs says.
func (h *Host) mayChange(op, abs string) error {
	if err := h.checkPlace(op, abs); err != nil || h.IsSystem() {
		return err
	}
	return h.owners.settle()
}

func (h *Host) checkPlace(op, abs string) error {
	if err := checkAbs(op, abs); err != nil {
		return err
	}
	if !h.IsSystem() {
		return nil // os.Root keeps the change in the tree
	}
	_, err := resolveLinks(rootLinks{}, op, abs, false)
	return err
}

// maxLinks is the number of links the kernel follows in one path before it gives up with ELOOP.
const maxLinks = 40

// resolveLinks returns the path relative to the root in which every element but the last is free of links; with follow
// the last one too. It sees links as chroot(2) does: one to an absolute path starts again at the root, and ".." does not
// lead above it. Elements that do not exist are kept as they are.
func resolveLinks(links linkReader, op, path string, follow bool) (string, error) {
	todo := elements(path)
	done := make([]string, 0, len(todo))
	for followed := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		if name == ".." {
			done = done[:max(0, len(done)-1)]
			continue
		}
		at := filepath.Join(append(slices.Clone(done), name)...)
		target := ""
		if len(todo) > 0 || follow {
			var err error
			if target, err = targetOf(links, at); err != nil {
				return "", err
			}
		}
		if target == "" {
			done = append(done, name)
			continue
		}
		if followed++; followed > maxLinks {
			return "", &fs.PathError{Op: op, Path: path, Err: syscall.ELOOP}
		}
		if filepath.IsAbs(target) {
			done = done[:0]
		}
		todo = append(elements(target), todo...)
	}
	if len(done) == 0 {
		return ".", nil
	}
	return filepath.Join(done...), nil
}

// targetOf returns where a link leads, or "" for what is no link or cannot be seen: the access that follows will tell
// why.
func targetOf(links linkReader, at string) (string, error) {
	fi, err := links.Lstat(at)
	if errors.Is(err, ErrUntrustedLink) {
		return "", err
	}
	if err != nil || fi.Mode()&fs.ModeSymlink == 0 {
		return "", nil
	}
	return links.Readlink(at)
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
