package render

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
