package payload

import (
	"archive/tar"
	"fmt"
	"path"
	"strings"
)

// kind is the type of an entry of the tar stream, by the type flags of tar.
type kind byte

const (
	kindFile    = kind(tar.TypeReg)
	kindDir     = kind(tar.TypeDir)
	kindSymlink = kind(tar.TypeSymlink)
	kindLink    = kind(tar.TypeLink)
)

// entry is one entry of the tar stream of a component.
type entry struct {
	name   string // below the root; without the final slash that tar gives a directory
	kind   kind
	mode   uint32 // permission, setuid, setgid and sticky bits as chmod(2) takes them
	size   int64
	mtime  int64  // seconds since 1970
	target string // of a link
}

// newEntry makes an entry of what a tar stream from elsewhere says. An entry for the root itself ("./") has an empty
// name.
func newEntry(h *tar.Header) (entry, error) {
	e := entry{
		name:  strings.TrimPrefix(h.Name, "./"),
		kind:  kind(h.Typeflag),
		mode:  uint32(h.Mode) & 0o7777,
		mtime: min(max(h.ModTime.Unix(), 0), ustarSize),
	}
	switch e.kind {
	case kindFile:
		e.size = h.Size
	case kindDir:
		e.name = strings.TrimSuffix(e.name, "/")
		if e.name == "" || e.name == "." {
			return entry{kind: kindDir}, nil
		}
	case kindSymlink:
		e.mode = 0o777 // Linux knows no other
		e.target = h.Linkname
	case kindLink:
		e.target = strings.TrimPrefix(h.Linkname, "./")
	}
	if isSparse(h) {
		return entry{}, fmt.Errorf("entry %q is a sparse file, which the format does not have", h.Name)
	}
	return e, e.check()
}

func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// check applies the policy of the format, as far as it needs no other entry: regular files, directories, symbolic links
// that stay inside, and hard links.
func (e *entry) check() error {
	if err := checkPath(e.name); err != nil {
		return fmt.Errorf("cannot accept an entry: %w", err)
	}
	var err error
	switch e.kind {
	case kindFile, kindDir:
	case kindSymlink:
		err = checkSymlink(e.name, e.target)
	case kindLink:
		err = checkPath(e.target)
	default:
		return fmt.Errorf("entry %q is %s; a component may only have files, directories and links", e.name, e.kind)
	}
	if err != nil {
		return fmt.Errorf("entry %q: %w", e.name, err)
	}
	if e.kind != kindFile && e.size != 0 || e.size < 0 || e.mode > 0o7777 {
		return fmt.Errorf("entry %q has an impossible size or mode", e.name)
	}
	return nil
}

func (k kind) String() string {
	switch k {
	case tar.TypeChar, tar.TypeBlock:
		return "a device"
	case tar.TypeFifo:
		return "a named pipe"
	}
	return fmt.Sprintf("of type %q", byte(k))
}

// checkSymlink accepts a relative target that cannot lead out of the tree, whatever other links there are: all ".."
// come first, so they climb real directories, and not more of them than the link is deep.
func checkSymlink(name, target string) error {
	if target == "" || len(target) > maxText || !isPath(target) {
		return fmt.Errorf("the link target %.60q is empty, too long, or not UTF-8 text without control characters",
			target)
	}
	if path.IsAbs(target) {
		return fmt.Errorf("the link target %q is absolute", target)
	}
	depth := strings.Count(name, "/")
	down := false
	for el := range strings.SplitSeq(target, "/") {
		switch el {
		case "", ".":
		case "..":
			if depth--; down || depth < 0 {
				return fmt.Errorf("the link target %q leads out of the component", target)
			}
		default:
			down = true
		}
	}
	return nil
}

// tree remembers the entries of a component while it is written, for the checks that need other entries. A hard link is
// remembered as the file it is a name of.
type tree map[string]treeEntry

type treeEntry struct {
	kind kind
	file string // for files: the name it was stored under
}

// add takes e into the tree, and returns the directories above it that had no entry of their own yet. A hard link to a
// hard link becomes one to the file itself, so that a reader need not make them in order.
func (t tree) add(e *entry) (missing []string, err error) {
	if _, ok := t[e.name]; ok {
		return nil, fmt.Errorf("entry %q is listed twice, or after an entry below it", e.name)
	}
	for dir := path.Dir(e.name); dir != "."; dir = path.Dir(dir) {
		have, ok := t[dir]
		if ok && have.kind != kindDir {
			return nil, fmt.Errorf("entry %q is below %q, which is not a directory", e.name, dir)
		}
		if ok {
			break
		}
		missing = append([]string{dir}, missing...)
		t[dir] = treeEntry{kind: kindDir}
	}
	if e.kind != kindLink {
		t[e.name] = treeEntry{kind: e.kind, file: e.name}
		return missing, nil
	}
	to := t[e.target]
	if to.kind != kindFile {
		return nil, fmt.Errorf("entry %q is a hard link to %q, which is not a file before it", e.name, e.target)
	}
	e.target = to.file
	t[e.name] = to
	return missing, nil
}
