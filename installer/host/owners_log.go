package host

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// OwnersFile is where a tree that is not "/" records the owners that its files are to have, one JSON value a line: an
// image builder reads path, owner and group, and for a record with tree everything below that has no record of its own.
// While the tree is being changed the file is a log, in which later lines replace earlier ones and records follow
// renames; a run that ends leaves one line for each path, sorted.
const OwnersFile = "/.fate-installer/owners"

// owned is a line of OwnersFile. Neither owner nor group: the record of the path is withdrawn.
type owned struct {
	Path  string `json:"path"`
	Owner string `json:"owner,omitempty"`
	Group string `json:"group,omitempty"`
	Tree  bool   `json:"tree,omitempty"` // of everything below, where there is no record of its own

	// A rename is announced before it happens and confirmed, or called off, afterwards. Otherwise a process that is
	// killed in between would leave a file without its owner.
	Rename rename `json:"rename,omitempty"`
	From   string `json:"from,omitempty"` // of a rename to Path
}

// rename is the state of a rename in the log.
type rename string

const (
	announced rename = "announced"
	happened  rename = "happened"
	calledOff rename = "called off"
)

// owners remembers the owners of a tree. A nil owners is the running machine, which remembers itself.
type owners struct {
	mu   sync.Mutex
	tree *fileSystem
	file *os.File // nil until something is recorded
	size int64    // of the log, as far as this process knows it
	m    map[string]owned

	// unsettled has the entries that the end of an earlier process left open. It is written before the tree changes
	// again, and never by a command that only reads.
	unsettled []owned
}

func openOwners(t *fileSystem) (*owners, error) {
	o := &owners{tree: t, m: map[string]owned{}}
	if err := o.load(); err != nil {
		return nil, fmt.Errorf("cannot read owners: %w", err)
	}
	return o, nil
}

// load replays the log.
func (o *owners) load() error {
	f, err := o.tree.open(OwnersFile, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	pending := map[string]owned{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		o.size += int64(len(lines.Bytes())) + 1
		var e owned
		if json.Unmarshal(lines.Bytes(), &e) != nil { // a torn line is a change that did not happen
			continue
		}
		if e.Rename == announced {
			pending[e.From] = e
			continue
		}
		if e.Rename != "" {
			delete(pending, e.From)
		}
		o.keep(e)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	o.resume(pending)
	return nil
}

// reload reads the log again, unless this process has changed it.
func (o *owners) reload() error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		return nil
	}
	fresh, err := openOwners(o.tree)
	if err == nil {
		o.m, o.size, o.unsettled = fresh.m, fresh.size, fresh.unsettled
	}
	return err
}

// resume finds out what the last process, if it was cut off, had done to the files but not recorded: whether the
// renames that it announced have happened, and which files it removed.
func (o *owners) resume(pending map[string]owned) {
	for _, from := range slices.Sorted(maps.Keys(pending)) {
		e := pending[from]
		e.Rename = calledOff
		if o.isGone(from) {
			e.Rename = happened
		}
		o.keep(e)
		o.unsettled = append(o.unsettled, e)
	}
	for _, p := range slices.Sorted(maps.Keys(o.m)) {
		if o.isGone(p) {
			delete(o.m, p)
			o.unsettled = append(o.unsettled, owned{Path: p})
		}
	}
}

func (o *owners) isGone(abs string) bool {
	_, err := o.tree.lstat(abs)
	return errors.Is(err, fs.ErrNotExist)
}

// settle writes what resume found. Every change of the tree begins with it: it would otherwise be found again later,
// when the files tell something else.
func (o *owners) settle() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.unsettled) == 0 {
		return nil
	}
	if err := o.write(o.unsettled); err != nil {
		return fmt.Errorf("cannot record owners: %w", err)
	}
	o.unsettled = nil
	return nil
}

// keep does to the map what a line of the log says.
func (o *owners) keep(e owned) {
	switch {
	case e.Rename == happened:
		o.move(e.From, e.Path)
	case e.Rename != "":
	case e.Owner == "" && e.Group == "":
		delete(o.m, e.Path)
	default:
		o.m[e.Path] = e
	}
}

// move makes the records of a renamed path follow it.
func (o *owners) move(from, to string) {
	moving := o.below(from)
	for _, p := range o.below(to) {
		delete(o.m, p)
	}
	for _, p := range moving {
		e := o.m[p]
		delete(o.m, p)
		e.Path = to + strings.TrimPrefix(p, from)
		o.m[e.Path] = e
	}
}

// below returns the paths that have a record, from abs downwards, sorted.
func (o *owners) below(abs string) []string {
	var out []string
	for p := range o.m {
		if p == abs || strings.HasPrefix(p, abs+"/") {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// record notes changes; o.mu is held.
func (o *owners) record(entries ...owned) error {
	if len(entries) == 0 {
		return nil
	}
	for _, e := range entries {
		o.keep(e)
	}
	return o.write(entries)
}

// write appends lines to the log, in one write; o.mu is held.
func (o *owners) write(entries []owned) error {
	if o.file == nil {
		if err := o.create(); err != nil {
			return err
		}
	}
	lines, err := marshalOwned(entries)
	if err != nil {
		return err
	}
	n, err := o.file.Write(lines)
	o.size += int64(n)
	return err
}

func marshalOwned(entries []owned) ([]byte, error) {
	var lines []byte
	for _, e := range entries {
		b, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		lines = append(append(lines, b...), '\n')
	}
	return lines, nil
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
	if last[0] != '\n' { // the reader counted it
		_, err = f.Write([]byte{'\n'})
	}
	return err
}

// close leaves the records in the order of their paths, each once, unless another process has changed the log
// at that time.
func (o *owners) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return nil
	}
	defer o.file.Close()
	fi, err := o.file.Stat()
	if err != nil || fi.Size() != o.size || len(o.unsettled) > 0 {
		return err
	}
	var entries []owned
	for _, p := range slices.Sorted(maps.Keys(o.m)) {
		entries = append(entries, o.m[p])
	}
	lines, err := marshalOwned(entries)
	if err != nil {
		return err
	}
	return o.replace(lines)
}

// replace rewrites the file.
func (o *owners) replace(lines []byte) error {
	temp := TempName(OwnersFile)
	f, err := o.tree.open(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(lines)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = o.tree.rename(temp, OwnersFile)
	}
	if err != nil {
		return errors.Join(err, o.tree.remove(temp))
	}
	return nil
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

// renaming calls do, which renames a file or directory, and makes the records follow it.
func (o *owners) renaming(from, to string, do func() error) error {
	if o == nil {
		return do()
	}
	e := owned{From: filepath.Clean(from), Path: filepath.Clean(to), Rename: announced}
	concerned, err := o.announce(e)
	if err != nil {
		return err
	}
	err = do()
	if !concerned {
		return err
	}
	e.Rename = happened
	if err != nil {
		e.Rename = calledOff
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return errors.Join(err, o.record(e))
}

// announce notes a rename that is about to happen, and reports whether it concerns any record. The owners of a whole
// tree are on disk before the tree is in its place, because its files are not looked at again.
func (o *owners) announce(e owned) (concerned bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	moving := o.below(e.From)
	if len(moving) == 0 && len(o.below(e.Path)) == 0 {
		return false, nil
	}
	err = o.record(e)
	if err == nil && slices.ContainsFunc(moving, func(p string) bool { return o.m[p].Tree }) {
		err = o.file.Sync()
	}
	return true, err
}

// removed withdraws the records of what is no longer there.
func (o *owners) removed(abs string) error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var changes []owned
	for _, p := range o.below(filepath.Clean(abs)) {
		changes = append(changes, owned{Path: p})
	}
	return o.record(changes...)
}

// set records an owner and a group; an empty name is left as it is.
func (o *owners) set(abs, owner, group string, tree bool) error {
	old := o.lookup(abs)
	if owner == "" {
		owner = old.Owner
	}
	if group == "" {
		group = old.Group
	}
	want := owned{Path: filepath.Clean(abs), Owner: owner, Group: group, Tree: tree ||
		old.Tree && old.Path == filepath.Clean(abs)}
	if old.Owner == want.Owner && old.Group == want.Group && (old.Path != want.Path || old.Tree == want.Tree) && !tree {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.record(want)
}
