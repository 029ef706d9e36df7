package logfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"fate-installer/installer/host/beneath"
)

// Writer is the daemon's own log file. No other process holds it open, so it rotates by renaming. Reading and emptying
// it go through the open file, whatever its name leads to by then.
//
// A log that cannot be opened does not stop the daemon: what is written is lost, and it is tried again with each entry.
type Writer struct {
	mu      sync.Mutex
	path    string
	max     int64
	backups int
	dir     *beneath.Place // of the log; nil when it is not open
	f       *os.File       // nil when it is not open
	size    int64
	looked  time.Time // when the name was last looked at
	noted   bool      // in the log: that it could not be rotated
}

// NewWriter returns the log and why it could not be opened, if so.
func NewWriter(path string, maxBytes int64, backups int) (*Writer, error) {
	w := &Writer{path: path, max: maxBytes, backups: backups}
	return w, w.open()
}

// errSharedDir is the cause when root's log would be where others may put something in its place.
var errSharedDir = errors.New("its directory does not belong to root alone")

// ErrNoFile means that the log is /dev/null, or the output, where each entry is printed anyway.
var ErrNoFile = errors.New("the log is no file")

// open opens the log by its name, and makes its directory when it is missing.
func (w *Writer) open() error {
	w.close()
	if IsDevice(w.path) {
		return ErrNoFile
	}
	if err := beneath.MkdirAll(filepath.Dir(w.path), 0o750); err != nil {
		return fmt.Errorf("cannot make the directory of the log %s: %w", w.path, err)
	}
	root, err := beneath.Machine()
	if err != nil {
		return err
	}
	dir, err := root.Exact("open", w.path)
	if err != nil {
		return fmt.Errorf("cannot open the log: %w", err)
	}
	f, size, err := openOwnLog(dir, os.O_CREATE)
	if err != nil {
		dir.Close()
		return fmt.Errorf("cannot open the log %s: %w", w.path, err)
	}
	w.dir, w.f, w.size = dir, f, size
	return nil
}

func openOwnLog(dir *beneath.Place, create int) (*os.File, int64, error) {
	if os.Geteuid() == 0 && !dir.OwnDir() {
		return nil, 0, errSharedDir
	}
	f, err := dir.Open(os.O_RDWR|os.O_APPEND|create, 0o640)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || ownerOf(info) != os.Geteuid()) {
		err = errForeign
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Write appends one entry. On a full disk the entry is lost and the daemon goes on.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil && w.open() != nil {
		return len(p), nil
	}
	w.keepName()
	if w.max > 0 && w.size > 0 && w.size+int64(len(p)) > w.max {
		w.rotate()
	}
	if w.f == nil {
		return len(p), nil
	}
	n, _ := w.f.Write(p)
	w.size += int64(n)
	return len(p), nil
}

// keepName opens the log again when its name leads to another file or to none: an operator or the distribution's
// logrotate has removed or renamed it. As long as it cannot be opened there, the held one is written.
func (w *Writer) keepName() {
	if w.f == nil || time.Since(w.looked) < time.Second {
		return
	}
	w.looked = time.Now()
	held, err := w.f.Stat()
	if named, lookErr := os.Lstat(w.path); err != nil || lookErr == nil && beneath.IDOf(named) == beneath.IDOf(held) {
		return
	}
	next := &Writer{path: w.path}
	if next.open() == nil {
		w.close()
		w.dir, w.f, w.size = next.dir, next.f, next.size
	}
}

// rotate works in the directory that is open. What fails is noted in the log itself, once until it succeeds.
func (w *Writer) rotate() {
	failure := w.rotateFiles()
	if failure == nil {
		w.noted = false
		return
	}
	if w.noted || w.f == nil {
		return
	}
	n, err := fmt.Fprintf(w.f, "%s WRN cannot rotate this log: %v\n",
		time.Now().Format("2006-01-02 15:04:05.000"), failure)
	w.size += int64(n)
	w.noted = err == nil
}

// rotateFiles moves the backups and the log. A backup that cannot be moved is replaced by a newer one.
func (w *Writer) rotateFiles() error {
	if w.backups == 0 {
		err := w.f.Truncate(0)
		if err == nil {
			w.size = 0
		}
		return err
	}
	backup := func(i int) *beneath.Place {
		return w.dir.Sibling(fmt.Sprintf("%s.%d", filepath.Base(w.path), i))
	}
	var errs []error
	for i := w.backups - 1; i >= 1; i-- {
		if err := beneath.IgnoreAbsent(backup(i).Rename(backup(i + 1))); err != nil {
			errs = append(errs, err)
		}
	}
	if err := w.dir.Rename(backup(1)); err != nil {
		return errors.Join(append(errs, err)...)
	}
	f, size, err := openOwnLog(w.dir, os.O_CREATE)
	if err != nil {
		w.close()
		return err
	}
	w.f.Close()
	w.f, w.size = f, size
	return errors.Join(errs...)
}

// Reopen opens the file again by its name, for a log rotated by another program.
func (w *Writer) Reopen() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open()
}

// Truncate empties the log.
func (w *Writer) Truncate() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	if err := w.f.Truncate(0); err != nil {
		return fmt.Errorf("cannot empty the log: %w", err)
	}
	w.size = 0
	return nil
}

// Reader returns the open log once more, for reading at offsets.
func (w *Writer) Reader() (*os.File, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		if err := w.open(); err != nil {
			return nil, err
		}
	}
	return beneath.Dup(w.f)
}

// Close closes the log. A later entry opens it again.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.close()
	return nil
}

func (w *Writer) close() {
	if w.f != nil {
		w.f.Close()
		w.dir.Close()
		w.f, w.dir = nil, nil
	}
}
