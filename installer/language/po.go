package language

import (
	"fmt"
	"strconv"
	"strings"
)

// Entry is a text of the source and its translation.
type Entry struct {
	Context string // [Label] for a word of a table, else blank
	English string // a text, or a format of package fmt
	Text    string // in the other language; blank: there is none
	Line    int    // of the file, from 1
}

// Label is the context of words that stand alone: names of columns and of statuses. A text that has the same word in
// it is another one.
const Label = "label"

// SyntaxError is a line of a catalogue that cannot be read.
type SyntaxError struct {
	Line    int // from 1
	Message string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// ParsePO reads a catalogue: the part of gettext's PO format that it needs, which is msgctxt, msgid and msgstr, each
// with a quoted text that may go on in the next lines, and comments. The format is that of
// https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html. Unlike readers that skip what they do not know,
// it returns a [SyntaxError] for it: the line would be a text that stays English.
func ParsePO(data string) ([]Entry, error) {
	var entries []Entry
	var entry Entry
	var target *string // what a quoted line adds to
	seen := ""         // the last keyword
	wrong := func(line int, format string, args ...any) error {
		return &SyntaxError{line, fmt.Sprintf(format, args...)}
	}
	number := 0
	for line := range strings.Lines(data) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		keyword, quoted, found := strings.Cut(line, " ")
		if strings.HasPrefix(line, `"`) {
			keyword, quoted, found = "", line, target != nil
		}
		if !found {
			return nil, wrong(number, "expected msgctxt, msgid or msgstr with a quoted text")
		}
		text, err := strconv.Unquote(strings.TrimSpace(quoted))
		if err != nil || !strings.HasPrefix(quoted, `"`) {
			return nil, wrong(number, "the text is not quoted as in Go or C")
		}
		switch {
		case keyword == "":
			*target += text
			continue
		case keyword == "msgctxt" && (seen == "" || seen == "msgstr"):
			entry = Entry{Line: number}
			target = &entry.Context
		case keyword == "msgid" && (seen == "" || seen == "msgstr"):
			entry = Entry{Line: number}
			target = &entry.English
		case keyword == "msgid" && seen == "msgctxt":
			target = &entry.English
		case keyword == "msgstr" && seen == "msgid":
			entries = append(entries, entry)
			target = &entries[len(entries)-1].Text
		default:
			return nil, wrong(number, "%s does not follow %q here", keyword, seen)
		}
		*target = text
		seen = keyword
	}
	if seen != "" && seen != "msgstr" {
		return nil, wrong(number, "the last entry has no msgstr")
	}
	return entries, nil
}

// FormatPO writes a catalogue that [ParsePO] reads, in the order of the entries.
func FormatPO(entries []Entry) string {
	var out strings.Builder
	for i, e := range entries {
		if i > 0 {
			out.WriteByte('\n')
		}
		if e.Context != "" {
			out.WriteString("msgctxt " + quotedPO(e.Context) + "\n")
		}
		out.WriteString("msgid " + quotedPO(e.English) + "\nmsgstr " + quotedPO(e.Text) + "\n")
	}
	return out.String()
}

var escapes = strings.NewReplacer("\\", "\\\\", "\"", "\\\"", "\n", "\\n", "\t", "\\t", "\r", "\\r")

// quotedPO is a text in quotes, each of its lines in a line.
func quotedPO(text string) string {
	if !strings.Contains(strings.TrimSuffix(text, "\n"), "\n") {
		return quotedLine(text)
	}
	var out strings.Builder
	out.WriteString(`""`)
	for line := range strings.Lines(text) {
		out.WriteString("\n" + quotedLine(line))
	}
	return out.String()
}

func quotedLine(line string) string {
	for _, r := range line {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f || r == '\ufffd' {
			return strconv.Quote(line)
		}
	}
	return `"` + escapes.Replace(line) + `"`
}
