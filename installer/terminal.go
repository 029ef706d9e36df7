package main

import (
	"io"
	"os"
	"regexp"
	"sync"
	"unicode/utf8"

	"fate-installer/installer/output"

	"golang.org/x/term"
)

// terminalWriter writes to a terminal what may have come from others: logs, the output of programs of the service user,
// names of files and of jobs. A terminal obeys what it is sent, and some send text back as if it had been typed. So
// colours and movements of the cursor pass, and all other control characters are shown, as ^[ or the like.
type terminalWriter struct {
	*os.File
	screen *output.Screen // through which it writes; nil: the file alone
	rest   []byte         // the beginning of a character whose end comes with the next write
}

// forTerminal is w, or what writes to it when it is a terminal. On the terminal of screen, what is written removes live
// lines.
func forTerminal(w io.Writer, screen *output.Screen) io.Writer {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &terminalWriter{File: f, screen: screen}
	}
	return w
}

// useStreams makes the streams of a command ready for what they lead to, and returns standard output.
func (g *globals) useStreams() *resultWriter {
	f, _ := g.Stderr.(*os.File)
	screen := output.ScreenOf(f)
	g.shows().screen = screen
	one := new(sync.Mutex) // both streams may lead to the same place
	g.Stderr = &sharedWriter{forTerminal(g.Stderr, screen), one}
	if out, _ := g.Stdout.(*os.File); !isSameFile(out, f) {
		screen = nil
	}
	result := &resultWriter{Writer: &sharedWriter{forTerminal(g.Stdout, screen), one}}
	g.Stdout = result
	return result
}

// sharedWriter is a stream that several goroutines write to: steps, events of programs, and signals.
type sharedWriter struct {
	io.Writer
	mu *sync.Mutex
}

// Write implements [io.Writer].
func (s *sharedWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Writer.Write(p)
}

// isSameFile reports whether two files, which may be nil, lead to the same terminal.
func isSameFile(a, b *os.File) bool {
	if a == nil || b == nil {
		return false
	}
	infoA, errA := a.Stat()
	infoB, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// Write implements [io.Writer].
func (t *terminalWriter) Write(p []byte) (int, error) {
	text, rest := shown(append(t.rest, p...))
	t.rest = rest
	out := io.Writer(t.File)
	if t.screen != nil {
		out = t.screen
	}
	if _, err := out.Write(text); err != nil {
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
var harmless = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\x1b\[[0-9;]{0,16}[mABCDHJK]`)
})

// shown is text with its control characters made visible; rest is the beginning of a character at its end.
func shown(text []byte) (out, rest []byte) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1 && !utf8.FullRune(text):
			return out, append([]byte(nil), text...)
		case r == '\x1b':
			if found := harmless().Find(text); found != nil {
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

// canAsk reports whether a person sits at both ends.
func canAsk(g *globals) bool {
	in, ok := g.Stdin.(*os.File)
	return ok && term.IsTerminal(int(in.Fd())) && isTerminal(g.Stderr)
}
