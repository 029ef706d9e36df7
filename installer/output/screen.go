package output

import (
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// Screen is a terminal with live lines: they are at its end, below everything that is written, and are rewritten in
// place. Its methods may be called from several goroutines.
//
// The cursor is left at the beginning of the first live line. So one deletion from there on removes all of them, also
// when the terminal has become narrower and has wrapped them, and after it has echoed ^C.
type Screen struct {
	out  io.Writer
	size func() (columns, rows int)

	mu    sync.Mutex
	lines []string // to be shown
	shown string   // what the live lines on the terminal were written as; blank: there are none
	open  bool     // the last line that was written has not ended
	ended bool
}

// NewScreen makes a screen of what out leads to. size is called for each change of the live lines.
func NewScreen(out io.Writer, size func() (columns, rows int)) *Screen {
	return &Screen{out: out, size: size}
}

// ScreenOf makes a screen of a terminal; nil: f is none, TERM says that it cannot move its cursor, or it is too narrow
// for anything that is laid out.
func ScreenOf(f *os.File) *Screen {
	if f == nil || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && columns < narrowest {
		return nil
	}
	return NewScreen(f, func() (columns, rows int) {
		_, rows, err := term.GetSize(int(f.Fd()))
		if err != nil || rows == 0 {
			rows = standardRows
		}
		return columnsOf(f), rows
	})
}

// standardRows is the height of a terminal that does not say how high it is.
const standardRows = 24

const (
	eraseDown = "\x1b[J"         // removes everything from the cursor on: ED of ECMA-48
	eraseLive = "\r" + eraseDown // removes the live lines
)

// Columns is the width of the terminal.
func (s *Screen) Columns() int {
	columns, _ := s.size()
	return columns
}

// Write implements [io.Writer]. The text takes the place of the live lines, which follow it when its last line has
// ended.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	before := ""
	if s.shown != "" {
		before = eraseLive
	}
	s.open = p[len(p)-1] != '\n'
	s.shown = s.drawing()
	if _, err := io.WriteString(s.out, before+string(p)+s.shown); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Show makes these the live lines. Each is cut to the width of the terminal.
func (s *Screen) Show(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.lines = lines
	s.redraw()
}

// End removes the live lines for good.
func (s *Screen) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines, s.ended = nil, true
	s.redraw()
}

// redraw writes over the live lines that the terminal shows, in one write, so that nothing flickers.
func (s *Screen) redraw() {
	drawing := s.drawing()
	if drawing == s.shown {
		return
	}
	text := drawing
	if text == "" {
		text = eraseLive
	}
	s.shown = drawing
	_, _ = io.WriteString(s.out, text) // a display that cannot be drawn is no reason to fail the work
}

// drawing is what shows the live lines from the cursor on, and leads back to where it was. The last column stays free:
// what a terminal does after a character there differs.
func (s *Screen) drawing() string {
	if s.open || len(s.lines) == 0 {
		return ""
	}
	columns, rows := s.size()
	lines := s.lines
	if most := max(1, rows-1); len(lines) > most {
		lines = lines[len(lines)-most:]
	}
	var out strings.Builder
	out.WriteString("\r")
	for i, line := range lines {
		if i > 0 {
			out.WriteString("\x1b[K\r\n")
		}
		out.WriteString(Cut(line, columns-1))
	}
	out.WriteString(eraseDown + "\r")
	if len(lines) > 1 {
		out.WriteString("\x1b[" + strconv.Itoa(len(lines)-1) + "A")
	}
	return out.String()
}

// ellipsis ends a text that was cut.
const ellipsis = "..."

// Cut is text in at most so many cells; what does not fit is replaced with three dots.
func Cut(text string, cells int) string {
	if Width(text) <= cells {
		return text
	}
	room := max(0, cells-len(ellipsis))
	end, state := 0, -1
	for rest := text; rest != ""; {
		cluster, tail, width, next := uniseg.FirstGraphemeClusterInString(rest, state)
		if room -= width; room < 0 {
			break
		}
		end += len(cluster)
		rest, state = tail, next
	}
	return strings.TrimRight(text[:end], " ") + ellipsis[:min(len(ellipsis), max(0, cells))]
}
