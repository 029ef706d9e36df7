package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/logfile"
	"fate-installer/supervisor/process"
)

// record has the facts about a program that the next daemon needs, in the file NAME.json of the state directory.
//
// It is written before a program's first instruction, so that no process is ever unknown, and again at each change
// of state. It is not synced: it has to survive the daemon, not the machine, whose next boot has another id.
type record struct {
	Version       int              `json:"version"`
	Name          string           `json:"name"`
	Boot          string           `json:"boot"`
	State         State            `json:"state"`
	Since         time.Time        `json:"since"`
	SinceBoot     time.Duration    `json:"since_boot,omitempty"`
	Wanted        bool             `json:"wanted"`
	Pending       pending          `json:"pending,omitempty"`
	Asked         *Asked           `json:"asked,omitempty"`
	Identity      process.Identity `json:"identity"` // zero when there is no process
	Cgroup        string           `json:"cgroup,omitempty"`
	Program       string           `json:"program"` // fingerprint of the definition it was started from
	Started       time.Time        `json:"started,omitzero"`
	Stopped       time.Time        `json:"stopped,omitzero"`
	WasReady      bool             `json:"was_ready"`
	Restarts      int              `json:"restarts"`
	Failures      int              `json:"failures"`
	UnreadyStarts int              `json:"unready_starts"`
	Vain          int              `json:"vain,omitempty"` // UnreadyStarts of an older supervisor; only read
	Backoffs      int              `json:"backoffs"`
	Stdout        logfile.Mark     `json:"stdout,omitzero"`
	Stderr        logfile.Mark     `json:"stderr,omitzero"`
	Exit          *ExitInfo        `json:"exit,omitempty"`
	Error         string           `json:"error,omitempty"`
	LastLog       []string         `json:"last_log,omitempty"`
	LastFile      string           `json:"last_log_file,omitempty"`
	StopGroup     bool             `json:"stop_group"`
	StopWait      int              `json:"stop_wait"`
	StopWith      string           `json:"stop_with"`
}

const recordVersion = 1

// recordStore is the state directory.
type recordStore struct {
	dir   string
	fault func(op, path string) error // nil but in tests, which make changes fail

	mu   sync.Mutex
	left map[string]bool // records that could not be removed; it is tried again with each later change
}

// openRecords opens the state directory, and makes it. What is in it decides which processes this daemon takes for its
// own and may kill, so no other user may write it: the directory above it belongs to the programs' user in
// some installations.
func openRecords(dir string) (*recordStore, error) {
	if err := beneath.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state directory %s: %w", dir, err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot look at the state directory: %w", err)
	}
	if !info.IsDir() || !ownAlone(info) {
		return nil, fmt.Errorf("cannot trust the state directory %s: it is not a directory that only uid %d can write",
			dir, os.Geteuid())
	}
	return &recordStore{dir: dir, left: make(map[string]bool)}, nil
}

// ownAlone reports whether a file belongs to this process's user and no other user may write it.
func ownAlone(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && info.Mode().Perm()&0o022 == 0
}

func (s *recordStore) path(name string) string { return filepath.Join(s.dir, name+".json") }

// change makes a change to a file of the directory.
func (s *recordStore) change(op, path string, f func(p *beneath.Place) error) error {
	if s.fault != nil {
		if err := s.fault(op, path); err != nil {
			return err
		}
	}
	return beneath.At(path, f)
}

func (s *recordStore) save(r *record) error {
	r.Version = recordVersion
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.replace(r.Name, data); err != nil {
		return err
	}
	delete(s.left, r.Name) // the program is there again
	s.removeLeft()
	return nil
}

// replace writes a record under another name and gives it its own when it is complete.
func (s *recordStore) replace(name string, data []byte) error {
	half := s.path(name) + ".tmp"
	err := s.change("write", half, func(tmp *beneath.Place) error {
		f, err := tmp.Open(os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	})
	if err == nil {
		err = s.change("rename", half, func(tmp *beneath.Place) error {
			return tmp.Rename(tmp.Sibling(name + ".json"))
		})
	}
	if err != nil {
		return errors.Join(err, s.unlink(half)) // a full disk needs its room
	}
	return nil
}

// remove removes a program's record. When that fails it is tried again with each later change of any record: the record
// of a program that is defined again would say that it is to stay stopped.
func (s *recordStore) remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left[name] = true
	return s.removeLeft()[name]
}

// removeLeft removes the records of programs that are gone, and returns why some are still there. The lock is held.
func (s *recordStore) removeLeft() map[string]error {
	errs := make(map[string]error)
	for name := range s.left {
		if err := s.unlink(s.path(name)); err != nil {
			errs[name] = err
			continue
		}
		delete(s.left, name)
	}
	return errs
}

// unlink removes a file of the directory, if it is there.
func (s *recordStore) unlink(path string) error {
	return beneath.IgnoreAbsent(s.change("remove", path, (*beneath.Place).Remove))
}

// load reads all records of this boot. A damaged one is dropped: a half-written file cannot occur (rename), so it
// was damaged by hand or by the disk, and a wrong pid would be worse than none.
func (s *recordStore) load(boot string) (map[string]*record, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the state directory: %w", err)
	}
	records := make(map[string]*record)
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		if info, err := e.Info(); err != nil || !info.Mode().IsRegular() || !ownAlone(info) {
			continue
		}
		var r record
		data, err := os.ReadFile(filepath.Join(s.dir, e.Name()))
		if err != nil || json.Unmarshal(data, &r) != nil || r.Name != name || r.Version > recordVersion {
			continue
		}
		if r.Boot == boot {
			records[name] = &r
		}
	}
	return records, nil
}
