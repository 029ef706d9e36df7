// Package audit keeps the record of who changed what on a host: one line for the begin and one for the end of each
// command, in files that only root can read, and what the commands printed.
package audit

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
)

// Bounds of what is kept.
const (
	maxLogBytes    = 1 << 20   // of the log, after which it becomes log.1
	keptLogs       = 4         // rotated logs
	maxOutputBytes = 512 << 10 // of the output of one command
	keptOutputs    = 100       // newest commands whose output is kept
	maxErrorBytes  = 2000
)

const (
	logName   = "log"
	outputDir = "output"
)

// Entry is one command.
type Entry struct {
	ID      string    `json:"id"`                // names the entry, and begins with its time
	Began   time.Time `json:"began,omitzero"`    // when it began
	UID     int       `json:"uid"`               // user ID; -1: not known
	User    string    `json:"user,omitempty"`    // the user it ran as
	Login   string    `json:"login,omitempty"`   // who logged in, when that is another user
	PID     int       `json:"pid,omitempty"`     // of the command
	Command string    `json:"command,omitempty"` // as it was called, without secrets
	Action  string    `json:"action,omitempty"`  // what the supervisor was asked for
	Version string    `json:"version,omitempty"` // of fate-installer

	Ended  time.Time `json:"ended,omitzero"`  // when it ended; absent while it runs, or when it was killed
	Exit   *int      `json:"exit,omitempty"`  // exit status; absent for a request to the supervisor
	Result string    `json:"result"`          // done, failed, or unfinished
	Error  string    `json:"error,omitempty"` // why it failed

	// Seconds is how long it took, by a clock that is never set; absent in records of earlier versions.
	Seconds float64 `json:"seconds,omitempty"`
}

// Took is how long the command took; false while no end is recorded. Of an entry without Seconds it is the difference
// of the wall clock's times, which a correction of that clock falsifies.
func (e *Entry) Took() (time.Duration, bool) {
	switch {
	case e.Ended.IsZero():
		return 0, false
	case e.Seconds > 0:
		return time.Duration(e.Seconds * float64(time.Second)), true
	}
	return max(0, e.Ended.Sub(e.Began)), true
}

// Results of an entry.
const (
	Done       = "done"
	Failed     = "failed"
	Unfinished = "unfinished" // its end was not recorded: it runs, or it was killed
)

// Log is the record in a directory. It is safe for use by several processes at once.
type Log struct{ dir string }

// Open returns the record in a directory, which is made with the first entry; the directory above it has to exist.
func Open(dir string) Log { return Log{dir} }

// NewID returns an identifier for an entry, which sorts by time.
func NewID(at time.Time) string {
	var random [3]byte
	_, _ = rand.Read(random[:]) // never fails
	return at.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(random[:])
}

// IsID reports whether a text is an identifier as NewID makes them.
func IsID(text string) bool { return validID().MatchString(text) }

var validID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\d{8}-\d{6}-[0-9a-f]{6}$`)
})

// place finds a file below the directory; make says whether the directory may be made.
func (l Log) place(name string, makeDir bool, do func(p *beneath.Place) error) error {
	path := filepath.Join(l.dir, name)
	if makeDir {
		root, err := beneath.Machine()
		if err != nil {
			return err
		}
		for _, dir := range []string{l.dir, filepath.Dir(path)} {
			p, err := root.Exact("mkdir", dir)
			if err != nil {
				return err
			}
			err = p.Mkdir(0o700)
			p.Close()
			if err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
	return beneath.At(path, do)
}

// Append adds a line to the log and has it on the disk before it returns.
func (l Log) Append(e Entry) error {
	e.Error = short(e.Error)
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return l.place(logName, true, func(p *beneath.Place) error {
		f, err := openLocked(p)
		if err != nil {
			return err
		}
		defer func() { f.Close() }()
		if info, err := f.Stat(); err == nil && info.Size() > maxLogBytes {
			rotate(p)
			f.Close() // the lock goes with the old file; the new one has its own
			if f, err = openLocked(p); err != nil {
				return err
			}
		}
		if err := endTornLine(f); err != nil {
			return err
		}
		if _, err := f.Write(append(line, '\n')); err != nil {
			return err
		}
		return f.Sync()
	})
}

// openLocked opens the log to append to it, and takes its lock. A log that was rotated in between is opened again.
func openLocked(p *beneath.Place) (*os.File, error) {
	for {
		f, err := p.Open(os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			f.Close()
			return nil, err
		}
		mine, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		if now, err := p.Lstat(); err == nil && os.SameFile(mine, now) {
			return f, nil
		}
		f.Close()
	}
}

// endTornLine completes a line that a power cut has left without its end, so that only that one is lost.
func endTornLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] == '\n' {
		return nil
	}
	_, err = f.Write([]byte("\n"))
	return err
}

func rotate(p *beneath.Place) {
	for i := keptLogs - 1; i >= 1; i-- {
		_ = p.Sibling(fmt.Sprintf("%s.%d", logName, i)).Rename(p.Sibling(fmt.Sprintf("%s.%d", logName, i+1)))
	}
	_ = p.Rename(p.Sibling(logName + ".1"))
}

func short(text string) string {
	if len(text) > maxErrorBytes {
		return text[:maxErrorBytes] + "..."
	}
	return text
}

// Entries returns all commands that are recorded, the oldest first. Lines that cannot be read are left out.
func (l Log) Entries() ([]Entry, error) {
	var all []Entry
	at := make(map[string]int)
	for i := keptLogs; i >= 0; i-- {
		name := logName
		if i > 0 {
			name = fmt.Sprintf("%s.%d", logName, i)
		}
		data, err := l.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range parse(data) {
			k, known := at[e.ID]
			switch {
			case !known:
				at[e.ID] = len(all)
				all = append(all, e)
			case !e.Ended.IsZero():
				all[k].Ended, all[k].Exit, all[k].Result, all[k].Error = e.Ended, e.Exit, e.Result, e.Error
				all[k].Seconds = e.Seconds
			}
		}
	}
	return all, nil
}

// parse reads the lines of a log.
func parse(data []byte) []Entry {
	var out []Entry
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxLogBytes)
	for lines.Scan() {
		var e Entry
		if json.Unmarshal(lines.Bytes(), &e) != nil || !validID().MatchString(e.ID) {
			continue
		}
		if e.Ended.IsZero() {
			e.Result = Unfinished
		}
		out = append(out, e)
	}
	return out
}

func (l Log) read(name string) ([]byte, error) {
	var data []byte
	err := l.place(name, false, func(p *beneath.Place) error {
		f, err := p.Open(os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		data, err = io.ReadAll(io.LimitReader(f, 2*maxLogBytes))
		return err
	})
	return data, err
}

// Output returns what a command has printed.
func (l Log) Output(id string) ([]byte, error) {
	if !validID().MatchString(id) {
		return nil, fs.ErrNotExist
	}
	return l.read(filepath.Join(outputDir, id))
}
