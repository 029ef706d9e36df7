// Package output lays text out for people: tables and paragraphs that fit the terminal, with the width of Chinese
// characters counted, and colours for words that say how something is. Where no terminal is, it writes plain text with
// one record on a line, for grep and awk.
package output

import (
	"os"
	"strconv"

	"fate-installer/installer/language"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// StandardColumns is the width of a terminal that does not say how wide it is, and of help that goes to a file.
const StandardColumns = 80

// Device says what a text is written to.
type Device struct {
	// Columns is the width of a terminal in cells, and 0 where a text goes to no terminal.
	Columns int
	// Language is that of what is laid out: names of columns, statuses and cells are given in English.
	Language *language.Language
	// Colour is set when status words may be coloured. A word is never the colour alone.
	Colour bool
}

// DeviceOf describes what a file leads to; it may be nil. The environment decides about colours as on other
// programs: NO_COLOR (https://no-color.org) forbids them, CLICOLOR_FORCE asks for them where no terminal is, and
// TERM=dumb is a terminal without them.
func DeviceOf(f *os.File) Device {
	d := Device{}
	if f != nil && term.IsTerminal(int(f.Fd())) {
		d.Columns = columnsOf(f)
		d.Colour = os.Getenv("TERM") != "dumb"
	}
	if force := os.Getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		d.Colour = true
	}
	if os.Getenv("NO_COLOR") != "" {
		d.Colour = false
	}
	return d
}

// columnsOf asks the terminal for its width. A serial console has none to tell, and COLUMNS is what people set there.
func columnsOf(f *os.File) int {
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		return max(w, narrowest)
	}
	if w, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && w > 0 {
		return max(w, narrowest)
	}
	return StandardColumns
}

// narrowest is the width below which nothing is laid out for.
const narrowest = 20

// Width is the number of cells that text takes on a terminal: two for a Chinese character, none for a combining one.
func Width(text string) int { return uniseg.StringWidth(text) }
