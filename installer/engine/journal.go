package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/host"
)

// journalVersion is the version of the records. A program refuses a journal that is newer than itself.
const journalVersion = 1

// The operations of a record.
const (
	opHome   = "home"   // first record: the directories that had to be made for the journal
	opRun    = "run"    // a run began
	opBegin  = "begin"  // a step is about to be applied
	opDone   = "done"   // it was applied and checked
	opUndone = "undone" // it was undone
	opLeft   = "left"   // it was changed by others and is left
	opEnd    = "end"    // the run ended; OK says how
)

// record is a line of the journal.
type record struct {
	V         int             `json:"v"`
	Op        string          `json:"op"`
	Time      time.Time       `json:"time"`
	Run       string          `json:"run,omitempty"`
	Step      string          `json:"step,omitempty"`
	Title     string          `json:"title,omitempty"`
	Component string          `json:"component,omitempty"`
	Before    json.RawMessage `json:"before,omitempty"`
	First     json.RawMessage `json:"first,omitempty"` // of begin: replaces the Before of the first one, see Merger
	Mark      string          `json:"mark,omitempty"`
	Repair    bool            `json:"repair,omitempty"` // of begin: others had changed what programs read there
	All       bool            `json:"all,omitempty"`    // of undone: everything, not only what the last attempt did
	OK        bool            `json:"ok,omitempty"`
	Dirs      []string        `json:"dirs,omitempty"`
}

// Journal is the durable memory of what was done to the host: a file of JSON values, one a line, that only grows. Each
// record is on disk when the method that writes it returns. It is safe for concurrent use.
type Journal struct {
	host   *host.Host
	path   string
	ledger *Ledger
	home   []string // directories that were made for the journal, outermost first

	mu   sync.Mutex
	file *os.File
	now  func() time.Time
}

// JournalError means that a journal cannot be used.
type JournalError struct {
	Path string
	Line int // 0: not about one line
	Err  error
}

func (e *JournalError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("cannot use journal %s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("cannot use journal %s: line %d: %v", e.Path, e.Line, e.Err)
}

func (e *JournalError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *JournalError) Hint() string {
	return "the journal says what an uninstall must restore; put back an intact copy, or move it away and give that up"
}

// OpenJournal opens or creates the journal at path, mode 0600. A last line that was cut off, as by a power failure, is
// removed. Any other damage is a [*JournalError], and so is a journal that was emptied or removed.
//
// The caller holds the lock.
func OpenJournal(h *host.Host, path string) (*Journal, error) {
	j := &Journal{host: h, path: path, ledger: newLedger(), now: time.Now}
	if err := j.create(); err != nil {
		if lost := (*JournalError)(nil); errors.As(err, &lost) {
			return nil, err
		}
		return nil, fmt.Errorf("cannot create journal %s: %w", path, err)
	}
	f, err := h.Append(path, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open journal %s: %w", path, err)
	}
	if err := j.replay(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	j.file = f
	return j, nil
}

// ReadJournal reads the journal at path without changing anything, for reports and dry runs. A missing file is an
// empty journal. Nothing can be recorded in it.
func ReadJournal(h *host.Host, path string) (*Journal, error) {
	j := &Journal{host: h, path: path, ledger: newLedger(), now: time.Now}
	f, err := h.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, j.notLost()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open journal %s: %w", path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(f) // root's own file, as long as it was made
	if err != nil {
		return nil, fmt.Errorf("cannot read journal %s: %w", path, err)
	}
	_, err = j.read(data)
	return j, err
}

// create makes the journal when it is missing, with its first record. When its directory is missing, too, that
// directory, its missing parents and a journal that lists them appear by one rename: at no moment is there a directory
// of ours that an uninstall would not know of.
func (j *Journal) create() error {
	dir := filepath.Dir(j.path)
	missing, err := j.host.MissingParents(dir)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return j.createFile()
	}
	if j.host.Exists(missing[0]) { // Stat says it is not there, so it leads to nothing
		return fmt.Errorf("%s is a link to nowhere", missing[0])
	}
	staging := host.TempName(missing[0])
	err = j.stage(staging, missing)
	if err == nil {
		err = j.host.Rename(staging, missing[0])
	}
	if err != nil {
		return errors.Join(err, j.host.RemoveAll(staging))
	}
	return nil
}

// stage makes the missing directories, the first of them at staging, and the journal in the last.
func (j *Journal) stage(staging string, missing []string) error {
	top, dir := missing[0], filepath.Dir(j.path)
	if err := j.host.RemoveAll(staging); err != nil {
		return err
	}
	for _, m := range missing {
		perm := fs.FileMode(0o755)
		if m == dir {
			perm = 0o700
		}
		if err := j.host.Mkdir(staging+strings.TrimPrefix(m, top), host.FileMode{Perm: perm}); err != nil {
			return err
		}
	}
	return j.writeFirst(staging+strings.TrimPrefix(j.path, top), missing)
}

// createFile makes the journal in a directory that exists, as after an uninstall that kept something.
func (j *Journal) createFile() error {
	if j.host.Exists(j.path) {
		return nil
	}
	if err := j.notLost(); err != nil {
		return err
	}
	return j.writeFirst(j.path, nil)
}

// writeFirst makes a journal that has its first record: an empty one is never ours.
func (j *Journal) writeFirst(path string, dirs []string) error {
	line, err := json.Marshal(record{V: journalVersion, Op: opHome, Time: j.now(), Dirs: dirs})
	if err != nil {
		return err
	}
	return j.host.WriteFile(path, append(line, '\n'), host.FileMode{Perm: 0o600})
}

// Causes of a [JournalError] when the memory of what was done is gone. Taken for a new journal, an installation would
// be repaired without knowing what was there before, and an uninstall would leave everything.
var (
	errEmptied = errors.New("it is empty, and every journal has a first record: it was emptied or lost its content")
	errLost    = errors.New("it is missing, though there are backups of what was changed: it was removed")
)

// notLost tells a journal that was removed from one that never was: an uninstall removes the backups first.
func (j *Journal) notLost() error {
	if j.host.Exists(filepath.Join(filepath.Dir(j.path), backupDir)) {
		return &JournalError{Path: j.path, Err: errLost}
	}
	return nil
}

// replay reads what is there and cuts a torn end.
func (j *Journal) replay(f *os.File) error {
	data, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("cannot read journal %s: %w", j.path, err)
	}
	good, err := j.read(data)
	if err != nil || good == len(data) {
		return err
	}
	if err := f.Truncate(int64(good)); err != nil {
		return fmt.Errorf("cannot cut the torn end of journal %s: %w", j.path, err)
	}
	return f.Sync()
}

// read is load of a whole journal, which has at least one record.
func (j *Journal) read(data []byte) (good int, err error) {
	good, err = j.load(data)
	if err == nil && good == 0 {
		err = &JournalError{Path: j.path, Err: errEmptied}
	}
	return good, err
}

// load applies the records in data and returns the length of the part that is whole. Only the last line may be
// damaged: every record was synced before the next was written.
func (j *Journal) load(data []byte) (good int, err error) {
	for line := 1; good < len(data); line++ {
		end := bytes.IndexByte(data[good:], '\n')
		if end < 0 {
			return good, nil
		}
		var r record
		if err := json.Unmarshal(data[good:good+end], &r); err != nil {
			if good+end+1 == len(data) {
				return good, nil
			}
			return good, &JournalError{Path: j.path, Line: line, Err: err}
		}
		if r.V > journalVersion {
			return good, &JournalError{Path: j.path, Line: line,
				Err: fmt.Errorf("it was written by a newer program (version %d, this one knows %d)",
					r.V, journalVersion)}
		}
		if r.Op == opHome {
			j.home = r.Dirs
		}
		j.ledger.apply(r)
		good += end + 1
	}
	return good, nil
}

// Ledger has the steps that the journal records.
func (j *Journal) Ledger() *Ledger { return j.ledger }

// Close closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// write makes a record durable, then lets the ledger know it.
func (j *Journal) write(r record) error {
	r.V, r.Time = journalVersion, j.now().UTC()
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("cannot write journal %s: %w", j.path, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return fmt.Errorf("cannot write journal %s: it is closed", j.path)
	}
	if err := j.append(append(line, '\n')); err != nil {
		return fmt.Errorf("cannot write journal %s: %w", j.path, err)
	}
	j.ledger.apply(r)
	return nil
}

// append adds a line, or nothing: after a full disk the half line must not be in the way of the next one.
func (j *Journal) append(line []byte) error {
	fi, err := j.file.Stat()
	if err != nil {
		return err
	}
	if err := j.host.Write(j.file, j.path, line); err != nil {
		return errors.Join(err, j.file.Truncate(fi.Size()))
	}
	return nil
}

// Destroy removes the journal and, where nothing else is in them, the backups and the directories that were made for
// it. It is the last act of an uninstall. What cannot be removed because others use it is left. Like their making, the
// removal of journal and directories is one rename: at no moment is there a directory of ours that nothing knows of.
func (j *Journal) Destroy() error {
	if err := j.Close(); err != nil {
		return err
	}
	if err := j.destroy(); err != nil {
		return fmt.Errorf("cannot remove journal %s: %w", j.path, err)
	}
	return nil
}

func (j *Journal) destroy() error {
	if err := j.host.RemoveAll(filepath.Join(filepath.Dir(j.path), backupDir)); err != nil {
		return err
	}
	top := j.path // the outermost that holds nothing but what is removed with it
	for _, dir := range slices.Backward(j.home) {
		entries, err := j.host.ReadDir(dir)
		if err != nil || dir != filepath.Dir(top) || len(entries) != 1 {
			break
		}
		top = dir
	}
	if top == j.path {
		return j.host.Remove(j.path)
	}
	if err := j.host.Rename(top, host.TempName(top)); err != nil {
		return err
	}
	return j.host.RemoveAll(host.TempName(top))
}

// SweepDestroyed removes what a [Journal.Destroy] that was cut off has left of the journal at path.
func SweepDestroyed(h *host.Host, path string) error {
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
		if err := h.RemoveAll(host.TempName(dir)); err != nil {
			return fmt.Errorf("cannot remove what is left of journal %s: %w", path, err)
		}
	}
	return nil
}
