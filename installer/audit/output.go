package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fate-installer/installer/host/beneath"
)

// Writer keeps what a command prints. Its methods may be called from several goroutines; none fails because of what
// happens to the record.
type Writer struct {
	mu      sync.Mutex
	file    *os.File
	written int
	part    []byte // of a line whose end has not come yet
	full    bool
}

// maxLine bounds how much of an unfinished line is held back, in bytes.
const maxLine = 16 << 10

// NewOutput makes the file for what the command with the identifier prints, and removes those of the oldest.
func (l Log) NewOutput(id string) (*Writer, error) {
	w := &Writer{}
	err := l.place(filepath.Join(outputDir, id), true, func(p *beneath.Place) (err error) {
		w.file, err = p.Open(os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		dir, err := p.OpenDir()
		if err != nil {
			return nil // nothing is removed then
		}
		defer dir.Close()
		names, _ := dir.Readdirnames(-1)
		names = slices.DeleteFunc(names, func(n string) bool { return !validID().MatchString(n) })
		slices.Sort(names)
		for _, old := range names[:max(0, len(names)-keptOutputs)] {
			_ = p.Sibling(old).Remove()
		}
		return nil
	})
	return w, err
}

// control is a sequence that moves a terminal's cursor or colours its text.
var control = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
})

// Write keeps whole lines as a terminal shows them in the end: without colours, and of a line that was drawn again and
// again, a bar, what stood there last.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.part = append(w.part, p...)
	for {
		line, rest, whole := strings.Cut(string(w.part), "\n")
		if !whole {
			if len(w.part) > maxLine {
				w.part = w.part[len(w.part)-maxLine:]
			}
			return len(p), nil
		}
		w.part = []byte(rest)
		w.line(line)
	}
}

func (w *Writer) line(line string) {
	line = control().ReplaceAllString(strings.TrimRight(line, "\r"), "")
	if at := strings.LastIndexByte(line, '\r'); at >= 0 {
		line = line[at+1:]
	}
	switch {
	case w.full:
	case w.written+len(line) > maxOutputBytes:
		w.full = true
		fmt.Fprintf(w.file, "[more than %d KiB: the rest was not kept]\n", maxOutputBytes>>10)
	default:
		w.written += len(line) + 1
		_, _ = w.file.WriteString(line + "\n")
	}
}

// Close keeps an unfinished last line, too.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) > 0 {
		w.line(string(w.part))
	}
	return w.file.Close()
}
