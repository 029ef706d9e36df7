package language

import (
	"fmt"
	"strings"
)

// Sprintf is [fmt.Sprintf] in the language. The format is found in the catalogue as it is written; what its verbs
// print is translated as [Language.Text] does.
func (l *Language) Sprintf(format string, args ...any) string {
	if l == nil {
		return fmt.Sprintf(format, args...)
	}
	var out strings.Builder
	at := 0 // the first argument of the paragraph
	for i, paragraph := range strings.Split(format, "\n\n") {
		if i > 0 {
			out.WriteString("\n\n")
		}
		text, used, ok := l.formatted(paragraph, args[min(at, len(args)):])
		if !ok {
			return l.Text(fmt.Sprintf(format, args...))
		}
		out.WriteString(text)
		at += used
	}
	if at != len(args) {
		return l.Text(fmt.Sprintf(format, args...))
	}
	return out.String()
}

// formatted is a paragraph of a format with its arguments, and how many these were. It is not ok where the arguments
// have numbers, or are none.
func (l *Language) formatted(format string, args []any) (text string, used int, ok bool) {
	head, core, tail := trimmed(format)
	pieces := piecesOf(core)
	values := map[int]string{}
	plain := true // the literals are no text
	for _, p := range pieces {
		if p.verb == 0 {
			plain = plain && letters(p.literal) == 0
			continue
		}
		stars := strings.Count(p.flags, "*")
		if strings.Contains(p.source, "[") || p.arg >= len(args) {
			return "", 0, false
		}
		value := fmt.Sprintf(p.source, args[p.arg-stars:p.arg+1]...)
		if p.isText() {
			value = l.Text(value)
		}
		values[p.arg] = value
		used = p.arg + 1
	}
	c := l.catalogue()
	switch t := c.formats[core]; {
	case t != nil:
		core = t.print(values)
	case plain:
		core = printed(pieces, values)
	default:
		core = l.Text(fmt.Sprintf(core, args[:used]...))
	}
	return head + core + tail, used, true
}
