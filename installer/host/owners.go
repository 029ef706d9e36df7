package host

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// OwnersFile is where a tree that is not "/" records the owners that its files are to have, one JSON value a line,
// the last line for a path wins. An image builder applies it with chown.
const OwnersFile = "/.fate-installer/owners"

// owned is a line of OwnersFile. Neither owner nor group: the record of the path is withdrawn.
type owned struct {
	Path  string `json:"path"`
	Owner string `json:"owner,omitempty"`
	Group string `json:"group,omitempty"`
	Tree  bool   `json:"tree,omitempty"` // of everything below, where there is no record of its own
}

// owners remembers the owners of a tree. A nil owners is the running machine, which remembers itself.
type owners struct {
	mu   sync.Mutex
	tree *tree
	file *os.File // nil until something is recorded
	m    map[string]owned
}

func openOwners(t *tree) (*owners, error) {
	o := &owners{tree: t, m: map[string]owned{}}
	f, err := t.open(OwnersFile, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read owners: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var e owned
		if json.Unmarshal(lines.Bytes(), &e) == nil { // a torn line is a change that did not happen
			o.keep(e)
		}
	}
	return o, lines.Err()
}

func (o *owners) keep(e owned) {
	if e.Owner == "" && e.Group == "" {
		delete(o.m, e.Path)
	} else {
		o.m[e.Path] = e
	}
}

func (o *owners) close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}

// record notes changes; o.mu is held.
func (o *owners) record(entries ...owned) error {
	if len(entries) == 0 {
		return nil
	}
	if o.file == nil {
		if err := o.create(); err != nil {
			return err
		}
	}
	var line []byte
	for _, e := range entries {
		o.keep(e)
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		line = append(append(line, b...), '\n')
	}
	_, err := o.file.Write(line)
	return err
}

// create opens the file on a line of its own, also when the last run was cut short in the middle of one.
func (o *owners) create() error {
	if err := o.tree.mkdir(path.Dir(OwnersFile), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := o.tree.open(OwnersFile, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	o.file = f
	fi, err := f.Stat()
	if err != nil || fi.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, fi.Size()-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		_, err = f.Write([]byte{'\n'})
	}
	return err
}

func (o *owners) lookup(abs string) owned {
	o.mu.Lock()
	defer o.mu.Unlock()
	abs = filepath.Clean(abs)
	if e, ok := o.m[abs]; ok {
		return e
	}
	for dir := path.Dir(abs); dir != "/"; dir = path.Dir(dir) {
		if e, ok := o.m[dir]; ok && e.Tree {
			return e
		}
	}
	return owned{Owner: "root", Group: "root"}
}

func (o *owners) below(abs string) []owned {
	var out []owned
	for p, e := range o.m {
		if p == abs || strings.HasPrefix(p, abs+"/") {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b owned) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// moved makes the records of a renamed path follow it.
func (o *owners) moved(from, to string) error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	from, to = filepath.Clean(from), filepath.Clean(to)
	var changes []owned
	for _, e := range o.below(to) {
		changes = append(changes, owned{Path: e.Path})
	}
	for _, e := range o.below(from) {
		changes = append(changes, owned{Path: e.Path})
		e.Path = to + strings.TrimPrefix(e.Path, from)
		changes = append(changes, e)
	}
	return o.record(changes...)
}

func (o *owners) removed(abs string) error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var changes []owned
	for _, e := range o.below(filepath.Clean(abs)) {
		changes = append(changes, owned{Path: e.Path})
	}
	return o.record(changes...)
}

func (o *owners) set(abs, owner, group string, tree bool) error {
	old := o.lookup(abs)
	if owner == "" {
		owner = old.Owner
	}
	if group == "" {
		group = old.Group
	}
	want := owned{Path: filepath.Clean(abs), Owner: owner, Group: group, Tree: tree || old.Tree && old.Path == filepath.Clean(abs)}
	if old.Owner == want.Owner && old.Group == want.Group && (old.Path != want.Path || old.Tree == want.Tree) && !tree {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.record(want)
}

// Owner returns the names of the owner and the group of a file, or decimal ids where the tree has no name for them.
func (h *Host) Owner(abs string) (owner, group string, err error) {
	fi, err := h.Lstat(abs)
	if err != nil {
		return "", "", err
	}
	owner, group = h.ownerOf(abs, fi)
	return owner, group, nil
}

func (h *Host) ownerOf(abs string, fi fs.FileInfo) (owner, group string) {
	if h.owners != nil {
		e := h.owners.lookup(abs)
		return e.Owner, e.Group
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "", ""
	}
	owner, group = strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid))
	if u, err := h.LookupUser(owner); err == nil {
		owner = u.Name
	}
	if g, err := h.LookupGroup(group); err == nil {
		group = g.Name
	}
	return owner, group
}

// Chown gives a file (a link itself, not what it leads to) to an owner and a group; empty names are left alone.
func (h *Host) Chown(abs, owner, group string) error {
	if owner == "" && group == "" {
		return nil
	}
	if err := h.mayChange("chown", abs); err != nil {
		return err
	}
	if err := h.try(OpChown, abs); err != nil {
		return err
	}
	if h.owners != nil {
		return h.owners.set(abs, owner, group, false)
	}
	uid, gid, err := h.IDs(owner, group)
	if err != nil {
		return err
	}
	fi, err := h.Lstat(abs)
	if err != nil {
		return err
	}
	if sameIDs(fi, uid, gid) {
		return nil // an unprivileged process may not even repeat it
	}
	return h.files.lchown(abs, uid, gid)
}

// RecordOwners notes, in a tree that is not "/", that everything below abs belongs to an owner and a group. On the
// running machine whoever writes the files sets their owner.
func (h *Host) RecordOwners(abs, owner, group string) error {
	if h.owners == nil {
		return nil
	}
	return h.owners.set(abs, owner, group, true)
}

// setOwner is Chown for an open new file.
func (h *Host) setOwner(temp string, f *os.File, mode FileMode) error {
	if mode.Owner == "" && mode.Group == "" {
		return nil
	}
	if h.owners != nil {
		return h.Chown(temp, mode.Owner, mode.Group)
	}
	uid, gid, err := h.IDs(mode.Owner, mode.Group)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil || sameIDs(fi, uid, gid) {
		return err
	}
	return f.Chown(uid, gid)
}

func sameIDs(fi fs.FileInfo, uid, gid int) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && (uid < 0 || uid == int(st.Uid)) && (gid < 0 || gid == int(st.Gid))
}
