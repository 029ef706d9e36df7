package fate

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// properties is an ordered java.util.Properties file.
type properties struct {
	header  string // written before the first key, for example a section title
	entries []property
}

type property struct{ key, value string }

func (p *properties) set(key string, value any) {
	p.entries = append(p.entries, property{key, fmt.Sprint(value)})
}

// encodeJava writes what java.util.Properties reads back unchanged, whatever the value: the file is Latin-1 to it, so
// everything beyond ASCII becomes an escape.
func (p *properties) encodeJava() []byte {
	var b strings.Builder
	b.WriteString(p.header)
	for _, e := range p.entries {
		b.WriteString(e.key + "=")
		for i, r := range e.value {
			switch {
			case r == ' ' && i == 0: // leading blanks are dropped otherwise
				b.WriteString(`\ `)
			case r == '\\':
				b.WriteString(`\\`)
			case r == '\t':
				b.WriteString(`\t`)
			case r == '\n':
				b.WriteString(`\n`)
			case r < ' ' || r > '~':
				for _, unit := range utf16.Encode([]rune{r}) {
					fmt.Fprintf(&b, `\u%04x`, unit)
				}
			default:
				b.WriteRune(r)
			}
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

// encodeBoth writes values that have no character on which java.util.Properties and python's configparser
// disagree; validation has refused the others (see carries).
func (p *properties) encodeBoth() []byte {
	var b strings.Builder
	b.WriteString(p.header)
	for _, e := range p.entries {
		b.WriteString(e.key + "=" + e.value + "\n")
	}
	return []byte(b.String())
}

// uncarriable finds the first character of a value that eggroll.properties cannot bring unchanged to both of its
// readers: a backslash is an escape to java only, a percent sign an expression to python only, a character beyond ASCII
// is Latin-1 to java and UTF-8 to python, and python strips blanks at both ends.
func uncarriable(value string) (char string, found bool) {
	if value != strings.TrimSpace(value) {
		return "a blank at its end", true
	}
	for _, r := range value {
		if r == '\\' || r == '%' || r < ' ' || r > '~' {
			return quoted(r), true
		}
	}
	return "", false
}
