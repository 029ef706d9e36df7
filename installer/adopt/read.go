package adopt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"fate-installer/installer/host"
	"fate-installer/installer/host/beneath"
)

// readLimit is how much of a configuration file is read, in bytes. The longest, the route table of an exchange with
// 10,000 parties, has 2 MB.
const readLimit = 8 << 20

// maxLinks is how many links one path may have.
const maxLinks = 40

// reader reads files that the service user may change. Sites move trees to other disks by links that this user made,
// so these are followed, but only to files of the owner of the link: root is not led to a file of anyone else.
type reader struct {
	h     *host.Host
	links map[string]string // the links that were followed, with what they lead to

	// named are the files that are read because another file names them. Who may change that one could have it name any
	// file: it is a link to them.
	named map[string]walkedLink
}

// linkRefused is a link that leads to a file of another owner.
type linkRefused struct{ path, link, target string }

func (e *linkRefused) Error() string {
	if e.path == e.target {
		return fmt.Sprintf("cannot read %s: %s names it, and it belongs to another owner", e.path, e.link)
	}
	return fmt.Sprintf("cannot read %s: the link %s leads to %s, which does not belong to the owner of the link",
		e.path, e.link, e.target)
}

// followed is a path without links, and who must own the file there.
type followed struct {
	path  string
	links []walkedLink
}

type walkedLink struct {
	path  string
	owner uint32 // who could have made it lead elsewhere
	free  bool   // only root could: it may lead to anyone's file
}

// resolve follows the links of a path. What does not exist is an fs.ErrNotExist.
func (r *reader) resolve(name string) (followed, error) {
	todo := strings.Split(strings.Trim(path.Clean(name), "/"), "/")
	at := followed{path: "/"}
	trusted := true // whether only root may change the directory that at.path is
	if by, ok := r.named[name]; ok {
		at.links = append(at.links, by)
	}
	count := 0
	for len(todo) > 0 && todo[0] != "" {
		next := path.Join(at.path, todo[0])
		info, err := r.h.Lstat(next)
		if err != nil {
			return at, err
		}
		todo = todo[1:]
		if info.Mode()&fs.ModeSymlink == 0 {
			trusted = trusted && onlyRootChanges(info)
			at.path = next
			continue
		}
		if count++; count > maxLinks {
			return at, fmt.Errorf("cannot read %s: it has more than %d links", name, maxLinks)
		}
		target, err := r.h.Readlink(next)
		if err != nil {
			return at, err
		}
		link := walkedLink{path: next, owner: owner(info), free: trusted && owner(info) == 0}
		if !link.free && link.owner == 0 { // who may write to the directory may have moved it there
			dir, err := r.h.Lstat(at.path)
			if err != nil {
				return at, err
			}
			link.owner = owner(dir)
		}
		at.links = append(at.links, link)
		if !path.IsAbs(target) {
			target = path.Join(at.path, target)
		}
		r.note(next, target)
		at.path, trusted = "/", true
		todo = append(strings.Split(strings.Trim(path.Clean(target), "/"), "/"), todo...)
	}
	return at, nil
}

// namedBy notes that a file is read because another one names it. It returns the file.
func (r *reader) namedBy(by, file string) (string, error) {
	info, err := r.h.Lstat(by)
	if err != nil {
		return "", err
	}
	dir, err := r.h.Lstat(path.Dir(by))
	if err != nil {
		return "", err
	}
	link := walkedLink{path: by, owner: owner(info), free: onlyRootChanges(info) && onlyRootChanges(dir)}
	if link.owner == 0 { // as of a link
		link.owner = owner(dir)
	}
	if r.named == nil {
		r.named = map[string]walkedLink{}
	}
	r.named[file] = link
	return file, nil
}

func (r *reader) note(link, target string) {
	if r.links == nil {
		r.links = map[string]string{}
	}
	r.links[link] = target
}

func onlyRootChanges(info fs.FileInfo) bool { return owner(info) == 0 && info.Mode().Perm()&0o022 == 0 }

func owner(info fs.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return 0
}

// check holds what was opened against the links that led to it.
func (f followed) check(name string, info fs.FileInfo) error {
	for _, l := range f.links {
		if !l.free && owner(info) != l.owner {
			return &linkRefused{name, l.path, f.path}
		}
	}
	return nil
}

// read gives the content of a regular file.
func (r *reader) read(name string) ([]byte, error) { return r.readUpTo(name, readLimit) }

// readUpTo gives the content of a regular file of at most limit bytes.
func (r *reader) readUpTo(name string, limit int) ([]byte, error) {
	at, err := r.resolve(name)
	if err != nil {
		return nil, err
	}
	f, err := r.h.OpenPlain(at.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := at.check(name, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = &fs.PathError{Op: "read", Path: name,
			Err: fmt.Errorf("%w: more than %d bytes", host.ErrTooLong, limit)}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// names lists a directory. One that is not there is empty.
func (r *reader) names(dir string) ([]string, error) {
	at, err := r.resolve(dir)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := r.h.Lstat(at.path)
	if err != nil {
		return nil, err
	}
	if err := at.check(dir, info); err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, nil
	}
	entries, err := r.h.ReadDir(at.path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out, nil
}

// exists reports whether something is at a path, links followed.
func (r *reader) exists(name string) bool {
	_, err := r.resolve(name)
	return err == nil
}

// absent reports that an error says that a file is not there.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

// untrusted reports that an error is a link that is not followed.
func untrusted(err error) bool {
	var refused *linkRefused
	return errors.As(err, &refused) || errors.Is(err, beneath.ErrUntrustedLink)
}
