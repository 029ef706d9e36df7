package adopt

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// entry is a key of a configuration file with its value.
type entry struct {
	key   string
	value string
	line  int // from 1
}

// maxEntries is how many keys are read of one file. An exchange of 10,000 parties has 40,000 in its route table.
const maxEntries = 500_000

// lineError is a place of a file that is not what the file should be.
type lineError struct {
	line int
	text string
}

func (e *lineError) Error() string {
	if e.line == 0 {
		return e.text
	}
	return fmt.Sprintf("line %d: %s", e.line, e.text)
}

func notAt(line int, format string, args ...any) error {
	return &lineError{line, fmt.Sprintf(format, args...)}
}

// checkText refuses what no configuration file of FATE can be.
func checkText(data []byte) error {
	if !utf8.Valid(data) {
		return notAt(0, "it is not UTF-8 text")
	}
	if strings.ContainsRune(string(data), 0) {
		return notAt(0, "it has a NUL byte")
	}
	return nil
}

// readProperties reads a file as java.util.Properties does: comments with # and !, a key that ends at = or : or a
// blank, values that go on after a backslash at the end of a line, and escapes.
func readProperties(data []byte) ([]entry, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	var out []entry
	number, logical, began := 0, "", 0
	for raw := range strings.Lines(string(data)) {
		number++
		text := strings.TrimLeft(strings.TrimRight(raw, "\r\n"), " \t\f")
		if logical == "" && (text == "" || text[0] == '#' || text[0] == '!') {
			continue
		}
		if logical == "" {
			began = number
		}
		if continues(text) {
			logical += text[:len(text)-1]
			if logical != "" {
				continue
			}
			text = ""
		}
		if key, value, ok := splitProperty(logical + text); ok {
			out = append(out, entry{key, value, began})
		}
		logical = ""
		if len(out) > maxEntries {
			return nil, notAt(number, "it has more than %d keys", maxEntries)
		}
	}
	if key, value, ok := splitProperty(logical); ok {
		out = append(out, entry{key, value, began})
	}
	return out, nil
}

// continues reports whether a line ends with a backslash that is not itself escaped.
func continues(line string) bool {
	n := len(line) - len(strings.TrimRight(line, `\`))
	return n%2 == 1
}

func splitProperty(line string) (key, value string, ok bool) {
	if line == "" {
		return "", "", false
	}
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	return unescapeProperty(line[:end]), unescapeProperty(rest), true
}

func unescapeProperty(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			code, err := strconv.ParseUint(s[i+1:min(i+5, len(s))], 16, 16)
			if err != nil || i+5 > len(s) {
				b.WriteByte('u') // Java refuses it
				continue
			}
			b.WriteRune(rune(code))
			i += 4
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// readOptions reads an option file as MySQL does: sections, names in which - and _ are the same, values in quotes or
// without. The key of an entry is section.name; one without a value has the value that switches it on, "ON".
func readOptions(data []byte) ([]entry, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	var out []entry
	section, number := "", 0
	for raw := range strings.Lines(string(data)) {
		number++
		text := strings.TrimSpace(raw)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
			continue
		case text[0] == '!':
			word, value, _ := strings.Cut(text, " ")
			out = append(out, entry{word, strings.TrimSpace(value), number})
			continue
		case text[0] == '[':
			end := strings.IndexByte(text, ']')
			if end < 0 {
				return nil, notAt(number, "the section has no closing bracket")
			}
			section = strings.TrimSpace(text[1:end])
			continue
		}
		name, value, given := strings.Cut(text, "=")
		name = strings.ReplaceAll(strings.TrimSpace(name), "-", "_")
		if !given {
			value = "ON"
		}
		out = append(out, entry{section + "." + name, optionValue(strings.TrimSpace(value)), number})
		if len(out) > maxEntries {
			return nil, notAt(number, "it has more than %d options", maxEntries)
		}
	}
	return out, nil
}

// optionValue takes the quotes and a comment off a value.
func optionValue(value string) string {
	if value == "" {
		return ""
	}
	if quote := value[0]; quote == '\'' || quote == '"' {
		if end := strings.LastIndexByte(value, quote); end > 0 {
			return value[1:end]
		}
		return value
	}
	if i := strings.Index(value, " #"); i >= 0 {
		value = strings.TrimSpace(value[:i])
	}
	return value
}

// readShell reads a script that sets variables. An assignment, exported or not, is an entry of its name; any other
// statement is one whose key is the statement itself, so that nothing of the script is left out. Nothing is run or
// expanded.
func readShell(data []byte) ([]entry, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	var out []entry
	number := 0
	for raw := range strings.Lines(string(data)) {
		number++
		text := strings.TrimSpace(raw)
		if text == "" || text[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(text, "export "), "=")
		if ok && isVariable(name) {
			out = append(out, entry{name, unquoteShell(value), number})
		} else {
			out = append(out, entry{text, "", number})
		}
		if len(out) > maxEntries {
			return nil, notAt(number, "it has more than %d statements", maxEntries)
		}
	}
	return out, nil
}

func isVariable(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// unquoteShell takes off quotes around a whole value that has none inside.
func unquoteShell(value string) string {
	for _, quote := range []string{"'", `"`} {
		inner, ok := strings.CutPrefix(value, quote)
		if !ok {
			continue
		}
		if inner, ok = strings.CutSuffix(inner, quote); ok && !strings.Contains(inner, quote) {
			return inner
		}
	}
	return value
}
