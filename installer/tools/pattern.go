package tools

import "strings"

// basicToRE2 translates a POSIX basic regular expression, with GNU's \| \+ \?, to Go's syntax: what has a meaning there
// only after a backslash has it here without, and the other way round. See regex(7).
func basicToRE2(p string) string {
	var b strings.Builder
	start := true // of the expression, a group or an alternative: a star is a star there
	for i := 0; i < len(p); i++ {
		c := p[i]
		next := byte(0)
		if i+1 < len(p) {
			next = p[i+1]
		}
		atStart := start
		start = false
		switch {
		case c == '\\' && strings.IndexByte("(){}|+?", next) >= 0 && next != 0:
			i++
			b.WriteByte(next)
			start = next == '(' || next == '|'
		case c == '\\' && next != 0:
			i++
			b.WriteString(escape(next))
		case c == '[':
			end := bracketEnd(p, i)
			b.WriteString(bracket(p[i:end]))
			i = end - 1
		case c == '*' && atStart:
			b.WriteString(`\*`)
		case c == '^' && atStart:
			b.WriteByte('^')
			start = true
		case c == '^' || c == '$' && next != 0 && !strings.HasPrefix(p[i+1:], `\)`) &&
			!strings.HasPrefix(p[i+1:], `\|`):
			b.WriteString(`\` + string(c))
		case strings.IndexByte("(){}|+?", c) >= 0:
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escapeRE2 translates what a POSIX extended regular expression writes differently than Go does.
func escapeRE2(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		switch {
		case p[i] == '\\' && i+1 < len(p):
			i++
			b.WriteString(escape(p[i]))
		case p[i] == '[':
			end := bracketEnd(p, i)
			b.WriteString(bracket(p[i:end]))
			i = end - 1
		default:
			b.WriteByte(p[i])
		}
	}
	return b.String()
}

// escape translates a character after a backslash. Word boundaries are GNU's; a digit is a back-reference, which Go's
// expressions do not have and its compiler refuses.
func escape(c byte) string {
	switch c {
	case '<', '>':
		return `\b`
	case '\'':
		return `\z`
	case '`':
		return `\A`
	case 'b', 'B', 'w', 'W', 's', 'S', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return `\` + string(c)
	}
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 {
		return string([]byte{c})
	}
	return `\` + string(c)
}

// bracketEnd is the index after the bracket expression that begins at i, or the end of the pattern.
func bracketEnd(p string, i int) int {
	j := i + 1
	if j < len(p) && p[j] == '^' {
		j++
	}
	if j < len(p) && p[j] == ']' {
		j++
	}
	for ; j < len(p); j++ {
		if p[j] == '[' && j+1 < len(p) && strings.IndexByte(":.=", p[j+1]) >= 0 {
			if end := strings.Index(p[j+2:], string(p[j+1])+"]"); end >= 0 {
				j += 2 + end + 1
				continue
			}
		}
		if p[j] == ']' {
			return j + 1
		}
	}
	return len(p)
}

// bracket writes a bracket expression for Go: a backslash is itself in POSIX's, as is an opening bracket.
func bracket(text string) string {
	var b strings.Builder
	b.WriteByte('[')
	i := 1
	if i < len(text) && text[i] == '^' {
		b.WriteByte('^')
		i++
	}
	for first := true; i < len(text); i++ {
		switch {
		case text[i] == ']' && first:
			b.WriteString(`\]`)
		case text[i] == '\\':
			b.WriteString(`\\`)
		case strings.HasPrefix(text[i:], "[:"):
			end := strings.Index(text[i:], ":]")
			if end < 0 {
				b.WriteString(`\[`)
				break
			}
			b.WriteString(text[i : i+end+2])
			i += end + 1
		case text[i] == '[':
			b.WriteString(`\[`)
		default:
			b.WriteByte(text[i])
		}
		first = false
	}
	return b.String()
}
