package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// logWriter is the daemon's own log file. Nobody else holds it open, so it rotates by renaming.
type logWriter struct {
	mu      sync.Mutex
	path    string
	max     int64
	backups int
	f       *os.File
	size    int64
}

func openLogWriter(path string, maxBytes int64, backups int) (*logWriter, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("cannot make the log directory: %w", err)
	}
	w := &logWriter{path: path, max: maxBytes, backups: backups}
	if err := w.open(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *logWriter) open() error {
	f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return fmt.Errorf("cannot open the log file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	w.f, w.size = f, info.Size()
	return nil
}

// Write appends one entry. On a full disk the entry is lost and the daemon goes on.
func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.max > 0 && w.size > 0 && w.size+int64(len(p)) > w.max {
		w.rotate()
	}
	if w.f == nil && w.open() != nil {
		return len(p), nil
	}
	n, _ := w.f.Write(p)
	w.size += int64(n)
	return len(p), nil
}

func (w *logWriter) rotate() {
	if w.f != nil {
		w.f.Close()
		w.f = nil
	}
	if w.backups == 0 {
		_ = os.Truncate(w.path, 0)
	} else {
		for i := w.backups - 1; i >= 1; i-- {
			_ = os.Rename(fmt.Sprintf("%s.%d", w.path, i), fmt.Sprintf("%s.%d", w.path, i+1))
		}
		_ = os.Rename(w.path, w.path+".1")
	}
	_ = w.open()
}

// Reopen opens the file again, for a log rotated by another program, and so does Truncate after emptying it.
func (w *logWriter) reopen(truncate bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f != nil {
		w.f.Close()
		w.f = nil
	}
	if truncate {
		if err := os.Truncate(w.path, 0); err != nil {
			return fmt.Errorf("cannot empty the log file: %w", err)
		}
	}
	return w.open()
}

func (w *logWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return nil
	}
	return w.f.Close()
}
