// Package outputtest has a terminal for tests: it interprets what is written to it.
package outputtest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Terminal is a terminal of a number of columns and rows. It knows line breaks, carriage returns, movements up,
// deletions to the end of the line and of the screen, colours, and wraps what is too wide. It keeps the lines that left
// the screen at its top, which no cursor reaches any more.
type Terminal struct {
	columns, rows int
	lines         [][]cell
	style         string // of what is written next: the parameter of SGR; blank: none
	row, col      int
	unknown       []string // sequences that it does not know
}

// cell is a place of a terminal. The second one of a wide character has no text.
type cell struct{ text, style string }

// NewTerminal makes an empty terminal.
func NewTerminal(columns, rows int) *Terminal {
	return &Terminal{columns: columns, rows: rows, lines: [][]cell{nil}}
}

// Interpreted is what a terminal of that many columns shows after a text, with the lines that left the screen.
func Interpreted(columns int, text string) string {
	t := NewTerminal(columns, 25)
	_, _ = t.Write([]byte(text))
	return t.String()
}

var sequence = regexp.MustCompile(`^\x1b\[([0-9;]*)([A-Za-z])`)

// Write implements [io.Writer]. A line break leads to the beginning of the next line, as a terminal is set up.
func (t *Terminal) Write(p []byte) (int, error) {
	for text := string(p); text != ""; {
		if found := sequence.FindStringSubmatch(text); found != nil {
			t.obey(found[1], found[2])
			text = text[len(found[0]):]
			continue
		}
		switch r, size := utf8.DecodeRuneInString(text); r {
		case '\n':
			t.down()
			text = text[size:]
		case '\r':
			t.col = 0
			text = text[size:]
		default:
			if r < ' ' {
				t.unknown = append(t.unknown, fmt.Sprintf("%q", r))
				text = text[size:]
				continue
			}
			cluster, _, width, _ := uniseg.FirstGraphemeClusterInString(text, -1)
			t.put(cluster, width)
			text = text[len(cluster):]
		}
	}
	return len(p), nil
}

func (t *Terminal) obey(parameter, command string) {
	n, _ := strconv.Atoi(parameter)
	switch command {
	case "A":
		t.row = max(t.row-max(n, 1), t.top())
	case "J":
		t.lines = t.lines[:t.row+1]
		fallthrough
	case "K":
		t.lines[t.row] = t.lines[t.row][:min(t.col, len(t.lines[t.row]))]
	case "m":
		if t.style = parameter; parameter == "0" {
			t.style = ""
		}
	default:
		t.unknown = append(t.unknown, "ESC ["+parameter+command)
	}
}

// top is the first line on the screen.
func (t *Terminal) top() int { return max(0, len(t.lines)-t.rows) }

func (t *Terminal) down() {
	t.row, t.col = t.row+1, 0
	if t.row == len(t.lines) {
		t.lines = append(t.lines, nil)
	}
}

func (t *Terminal) put(cluster string, width int) {
	if t.col+width > t.columns {
		t.down()
	}
	line := t.lines[t.row]
	for len(line) < t.col+width {
		line = append(line, cell{" ", ""})
	}
	line[t.col] = cell{cluster, t.style}
	for i := 1; i < width; i++ {
		line[t.col+i] = cell{"", t.style}
	}
	t.lines[t.row] = line
	t.col += width
}

// Unknown lists what was written that the terminal does not know.
func (t *Terminal) Unknown() []string { return slices.Clone(t.unknown) }

// String is all lines, without the spaces at their ends.
func (t *Terminal) String() string {
	var out strings.Builder
	for _, line := range t.lines {
		var text strings.Builder
		for _, c := range line {
			text.WriteString(c.text)
		}
		out.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// Styled is String with colours: each text in one begins with its SGR sequence, and ends with that of none.
func (t *Terminal) Styled() string {
	var out strings.Builder
	for _, line := range t.lines {
		for len(line) > 0 && line[len(line)-1] == (cell{" ", ""}) {
			line = line[:len(line)-1]
		}
		style := ""
		for _, c := range line {
			if c.style != style && style != "" {
				out.WriteString("\x1b[0m")
			}
			if c.style != style && c.style != "" {
				out.WriteString("\x1b[" + c.style + "m")
			}
			style = c.style
			out.WriteString(c.text)
		}
		if style != "" {
			out.WriteString("\x1b[0m")
		}
		out.WriteString("\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}
