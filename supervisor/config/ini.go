package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Problem is one thing wrong, or odd, in a configuration file.
type Problem struct {
	File string
	Line int // 0: the file as a whole
	Text string
}

// String gives the problem in the form editors jump to.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Problems is the error of a configuration that cannot be used: everything that is wrong with it, not only the first.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Bounds of what is read. They are far above any real file and keep a hostile one from costing memory.
const (
	maxFileBytes = 4 << 20
	maxLineBytes = 256 << 10
	MaxPrograms  = 5000
)

type iniSection struct {
	name string
	file string
	line int
	keys []iniKey

	faults []Problem // of [metrics_http_server], which does not make the file unusable
}

type iniKey struct {
	name  string
	value string // lines of a continued value are joined by newlines
	line  int
	cut   bool // a comment was taken off one of its lines
}

// hint says of a value that is wrong whether a comment has taken its end, which is easily overlooked in a quoted
// command.
func (k iniKey) hint() string {
	if !k.cut {
		return ""
	}
	return "; a semicolon after a space begins a comment, also within quotes, and ends the line: write it " +
		"without the space, or put the command into a script"
}

// parseINI reads supervisor 4's dialect, which is Python's RawConfigParser with ; and # starting comments: "=" or ":"
// after the key, keys in any case, deeper indented lines continue a value, a backslash means nothing. It differs
// from Python in reporting every problem with its line and in refusing sections and keys given twice.
func parseINI(file string, data []byte) ([]iniSection, []Problem) {
	r := &iniReader{file: file}
	if len(data) > maxFileBytes {
		r.problem("is larger than %d bytes", maxFileBytes)
		return nil, r.problems
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		r.problem("is not UTF-8 text")
		return nil, r.problems
	}
	for line := range strings.Lines(string(data)) {
		r.line++
		r.next(strings.TrimRight(line, "\r\n"))
	}
	r.endValue()
	return r.sections, r.problems
}

type iniReader struct {
	file     string
	line     int
	sections []iniSection
	problems []Problem

	indent int      // of the line with the current key
	cut    bool     // of the current key
	value  []string // lines of the current key's value; nil when there is no current key
}

func (r *iniReader) problem(format string, args ...any) {
	r.problems = append(r.problems, Problem{r.file, r.line, fmt.Sprintf(format, args...)})
}

func (r *iniReader) next(raw string) {
	problem := r.lineProblem
	if strings.HasPrefix(strings.TrimSpace(raw), "[") {
		problem = r.problem
	}
	if len(raw) > maxLineBytes {
		problem("the line is longer than %d bytes", maxLineBytes)
		return
	}
	if strings.ContainsFunc(raw, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		problem("the line has a control character")
		return
	}
	line := strings.TrimRight(raw, " \t")
	text := strings.TrimLeft(line, " \t")
	indent := len(line) - len(text)
	comment := strings.HasPrefix(text, ";") || strings.HasPrefix(text, "#")
	cut := false
	if !comment {
		whole := text
		text = strings.TrimRight(stripComment(text), " \t")
		cut = text != whole
	}
	switch {
	case comment:
	case text == "":
		if r.value != nil {
			r.value = append(r.value, "")
		}
	case r.value != nil && indent > r.indent:
		r.value = append(r.value, text)
		r.cut = r.cut || cut
	case text[0] == '[':
		r.endValue()
		r.section(text)
	default:
		r.endValue()
		r.key(text, indent)
		r.cut = cut
	}
}

// lineProblem is problem for a line of a section. It must not be one that may begin another section, whose keys would
// be taken for those of this one.
func (r *iniReader) lineProblem(format string, args ...any) {
	if n := len(r.sections); n > 0 && r.sections[n-1].name == metricsSection {
		s := &r.sections[n-1]
		s.faults = append(s.faults, Problem{r.file, r.line, "[" + s.name + "] " + fmt.Sprintf(format, args...)})
		return
	}
	r.problem(format, args...)
}

// notKey says of a line that it is none that a file has. In the section for metrics, whose mistakes are logged, it may
// be a password, and is not shown.
func (r *iniReader) notKey(text string) {
	if r.sections[len(r.sections)-1].name == metricsSection {
		r.lineProblem("the line is neither a section, a key = value nor a comment")
		return
	}
	r.problem("%q is neither a section, a key = value nor a comment", text)
}

func (r *iniReader) section(text string) {
	end := strings.LastIndexByte(text, ']')
	if end < 0 || end != len(text)-1 {
		if strings.HasPrefix(text, "["+metricsSection) {
			r.sections = append(r.sections, iniSection{name: metricsSection, file: r.file, line: r.line})
			r.lineProblem("the section title has no closing bracket at its end")
			return
		}
		r.problem("the section title has no closing bracket at its end")
		return
	}
	r.sections = append(r.sections, iniSection{name: strings.TrimSpace(text[1:end]), file: r.file, line: r.line})
}

func (r *iniReader) key(text string, indent int) {
	if len(r.sections) == 0 {
		r.problem("%q stands before the first section", text)
		return
	}
	at := strings.IndexAny(text, "=:")
	if at <= 0 {
		r.notKey(text)
		return
	}
	s := &r.sections[len(r.sections)-1]
	name := strings.ToLower(strings.TrimSpace(text[:at]))
	for _, k := range s.keys {
		if k.name == name {
			r.lineProblem("%s is given twice, first in line %d", name, k.line)
			return
		}
	}
	s.keys = append(s.keys, iniKey{name: name, line: r.line})
	r.indent = indent
	r.value = []string{strings.TrimSpace(text[at+1:])}
}

func (r *iniReader) endValue() {
	if r.value == nil {
		return
	}
	s := &r.sections[len(r.sections)-1]
	s.keys[len(s.keys)-1].cut = r.cut
	s.keys[len(s.keys)-1].value = strings.TrimRight(strings.Join(r.value, "\n"), " \t\n")
	r.value = nil
}
