package step

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// prior describes a path before we changed it. The content of a file is in the backups, under Hash.
type prior struct {
	Path    string   `json:"path"`
	Kind    string   `json:"kind"` // absent, file or link
	Hash    string   `json:"hash,omitempty"`
	Perm    string   `json:"perm,omitempty"` // octal
	Owner   string   `json:"owner,omitempty"`
	Group   string   `json:"group,omitempty"`
	Target  string   `json:"target,omitempty"`  // of a link
	Parents []string `json:"parents,omitempty"` // directories that had to be made, outermost first
}

const (
	absent = "absent"
	isFile = "file"
	isLink = "link"
)

// errNotFile is the cause when something is in the way that is not replaced.
var errNotFile = errors.New("it is neither a file nor a link")

// readState describes what is at path now, with its content when it is a file.
func readState(env *engine.Env, path string) (prior, []byte, error) {
	var content []byte
	p, err := describe(env, path, func() (hash string, err error) {
		content, err = env.Host.ReadFile(path)
		return engine.Hash(content), err
	})
	if errors.Is(err, host.ErrTooLong) {
		err = engine.WithRepeat(err,
			fmt.Sprintf("if it is not needed, remove it, else rename it (mv %s %s.old); then", path, path), "")
	}
	return p, content, err
}

// hashLimit is the longest file that is read for its hash, in bytes: four times what a step ever writes, programs too.
// The user of a directory may put a file of any length there, which takes no space and would keep root reading for
// days.
const hashLimit = 256 << 20

// tooLong is the hash of a longer file: of none that a step has written.
const tooLong = "too long"

// hashState describes what is at path now, be it a program of many megabytes. The hash of a file that no step can have
// written, since it is longer than [hashLimit], is [tooLong].
func hashState(env *engine.Env, path string) (prior, error) {
	return describe(env, path, func() (string, error) {
		f, err := env.Host.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil || fi.Size() > hashLimit {
			return tooLong, err
		}
		hash, whole, err := engine.HashFrom(f, hashLimit)
		if !whole {
			hash = tooLong // it grows
		}
		return hash, err
	})
}

// describe tells what is at path now; hash is called when it is a file.
func describe(env *engine.Env, path string, hash func() (string, error)) (prior, error) {
	p := prior{Path: path, Kind: absent}
	fi, err := env.Host.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		p.Parents, err = env.Host.MissingParents(dirOf(path))
		return p, err
	}
	if err != nil {
		return p, err
	}
	p.Owner, p.Group, err = env.Host.Owner(path)
	if err != nil {
		return p, err
	}
	switch {
	case fi.Mode()&fs.ModeSymlink != 0:
		p.Kind = isLink
		p.Target, err = env.Host.Readlink(path)
		return p, err
	case !fi.Mode().IsRegular():
		return p, fmt.Errorf("cannot use %s: %w", path, errNotFile)
	}
	p.Kind, p.Perm = isFile, octal(fi.Mode())
	p.Hash, err = hash()
	return p, err
}

// save stores what is at path now, so that putBack can bring it back.
func save(env *engine.Env, path string) error {
	p, content, err := readState(env, path)
	if err != nil || p.Kind != isFile {
		return err
	}
	_, err = env.Backup(content)
	return err
}

// replace writes a file in the place of what is at path now, which putBack can bring back.
func replace(env *engine.Env, path string, content []byte, mode host.FileMode) error {
	if err := save(env, path); err != nil {
		return err
	}
	if err := makeParents(env, path); err != nil {
		return err
	}
	return env.Host.WriteFile(path, content, mode)
}

// makeParents makes the directories that a file at path needs.
func makeParents(env *engine.Env, path string) error {
	return env.Host.MkdirAll(dirOf(path), host.FileMode{Perm: 0o755})
}

// putBack restores what was before, if what is there now is still ours: a content or link target among marks. What
// others put there is an [*engine.LeftError].
func (p prior) putBack(env *engine.Env, marks []string) error {
	if err := env.Host.Remove(host.TempName(p.Path)); err != nil {
		return err
	}
	now, err := hashState(env, p.Path)
	if errors.Is(err, errNotFile) {
		return &engine.LeftError{What: p.Path, Why: "it was replaced by something else"}
	}
	if err != nil {
		return err
	}
	switch {
	case now.Kind == p.Kind && now.Hash == p.Hash && now.Target == p.Target:
		err = p.restoreMode(env)
	case now.Kind == absent:
		return &engine.LeftError{What: p.Path, Why: "it was removed after it was installed"}
	case !slices.Contains(marks, now.Hash+now.Target):
		return &engine.LeftError{What: p.Path, Why: "it was changed after it was installed"}
	default:
		err = p.restore(env)
	}
	if err != nil {
		return err
	}
	return dropParents(env, p.Parents)
}

func (p prior) restore(env *engine.Env) error {
	switch p.Kind {
	case isLink:
		if err := env.Host.Symlink(p.Target, p.Path); err != nil {
			return err
		}
		return env.Host.Chown(p.Path, p.Owner, p.Group)
	case isFile:
		content, err := env.Restore(p.Hash)
		if err != nil {
			return err
		}
		return env.Host.WriteFile(p.Path, content, p.mode())
	}
	return env.Host.Remove(p.Path)
}

func (p prior) restoreMode(env *engine.Env) error {
	switch p.Kind {
	case absent:
		return nil
	case isLink:
		return env.Host.Chown(p.Path, p.Owner, p.Group)
	}
	return env.Host.SetMode(p.Path, p.mode())
}

func (p prior) mode() host.FileMode {
	return host.FileMode{Perm: parseOctal(p.Perm), Owner: p.Owner, Group: p.Group}
}

// dropParents removes the directories that were made for a file, as far as they are empty.
func dropParents(env *engine.Env, parents []string) error {
	for _, dir := range slices.Backward(parents) {
		if err := env.Host.RemoveAll(host.TempName(dir)); err != nil { // of a run that was cut off
			return err
		}
		entries, err := env.Host.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if failed := env.Ledger.UndoFailedBelow(dir); len(entries) > 0 && failed != "" {
			return fmt.Errorf("cannot remove %s: %s is still in it", dir, failed)
		}
		if len(entries) > 0 {
			return nil
		}
		if err := env.Host.Remove(dir); err != nil {
			return err
		}
	}
	return nil
}

// remains tells what putBack would still have to do.
func (p prior) remains(env *engine.Env, marks []string) ([]string, error) {
	now, err := hashState(env, p.Path)
	switch {
	case errors.Is(err, errNotFile) || err == nil && now.Kind == absent:
		return nil, nil
	case err != nil:
		return nil, err
	case now.Kind == p.Kind && now.Hash == p.Hash && now.Target == p.Target:
		if now.Perm != p.Perm || now.Owner != p.Owner || now.Group != p.Group {
			return []string{"mode or owner of " + p.Path}, nil
		}
		return nil, nil
	case slices.Contains(marks, now.Hash+now.Target):
		return []string{p.Path}, nil
	}
	return []string{p.Path + " (changed by others)"}, nil
}

// dirOf is path.Dir, for functions whose parameter is called path.
func dirOf(p string) string { return path.Dir(p) }

func octal(m fs.FileMode) string { return fmt.Sprintf("%04o", m.Perm()) }

func parseOctal(s string) fs.FileMode {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil {
		return 0
	}
	return fs.FileMode(n)
}

// sameUser reports whether two names of users mean the same: one may be a number.
func sameUser(h *host.Host, want, have string) bool {
	if want == "" || want == have {
		return true
	}
	u, err := h.LookupUser(want)
	return err == nil && (u.Name == have || strconv.Itoa(u.UID) == have)
}

// sameGroup is sameUser for groups.
func sameGroup(h *host.Host, want, have string) bool {
	if want == "" || want == have {
		return true
	}
	g, err := h.LookupGroup(want)
	return err == nil && (g.Name == have || strconv.Itoa(g.GID) == have)
}

// modeDiffers says how the mode of a file differs from what is wanted, in one line; empty when it does not.
func modeDiffers(h *host.Host, have fs.FileMode, owner, group string, want host.FileMode) string {
	switch {
	case want.Perm != 0 && have.Perm() != want.Perm:
		return fmt.Sprintf("mode is %s, want %s", octal(have), octal(want.Perm))
	case !sameUser(h, want.Owner, owner):
		return fmt.Sprintf("owner is %s, want %s", owner, want.Owner)
	case !sameGroup(h, want.Group, group):
		return fmt.Sprintf("group is %s, want %s", group, want.Group)
	}
	return ""
}
