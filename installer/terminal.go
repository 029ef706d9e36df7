package main

import (
	"io"
	"os"
	"regexp"
	"unicode/utf8"

	"golang.org/x/term"
)

// terminalWriter writes to a terminal what may have come from others: logs, the output of programs of the service user,
// names of files and of jobs. A terminal obeys what it is sent, and some send text back as if it had been typed. So
// colours and movements of the cursor pass, and all other control characters are shown, as ^[ or the like.
type terminalWriter struct {
	*os.File
	rest []byte // the beginning of a character whose end comes with the next write
}

// forTerminal is w, or what writes to it when it is a terminal.
func forTerminal(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &terminalWriter{File: f}
	}
	return w
}

// Write implements [io.Writer].
func (t *terminalWriter) Write(p []byte) (int, error) {
	text, rest := shown(append(t.rest, p...))
	t.rest = rest
	if _, err := t.File.Write(text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString implements [io.StringWriter], which the file would do as it is.
func (t *terminalWriter) WriteString(s string) (int, error) { return t.Write([]byte(s)) }

// ReadFrom implements [io.ReaderFrom], which the file would do as it is.
func (t *terminalWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{t}, r)
}

// harmless are colours, and the cursor's movements and deletions that this program's displays use.
var harmless = regexp.MustCompile(`^\x1b\[[0-9;]{0,16}[mABCDHJK]`)

// shown is text with its control characters made visible; rest is the beginning of a character at its end.
func shown(text []byte) (out, rest []byte) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1 && !utf8.FullRune(text):
			return out, append([]byte(nil), text...)
		case r == '\x1b':
			if found := harmless.Find(text); found != nil {
				out, size = append(out, found...), len(found)
			} else {
				out = append(out, "^["...)
			}
		case r == '\n' || r == '\t' || r == '\r':
			out = append(out, byte(r))
		case r < ' ' || r == 0x7f:
			out = append(out, '^', byte(r)^0x40)
		case r == utf8.RuneError || r >= 0x80 && r < 0xa0: // terminals that take 8 bits have controls there
			out = utf8.AppendRune(out, utf8.RuneError)
		default:
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	return out, nil
}
