package language

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// piece is a part of a format of package fmt: a literal, or a verb.
type piece struct {
	literal string // blank: it is a verb
	verb    byte   // 0: it is a literal
	flags   string // between % and the verb, without the number of the argument
	arg     int    // which argument it prints, from 0
	source  string // as it is written
}

// verbPattern finds verbs. The flag of a space is left out: "5 % of it" is a text with a percent sign, and no verb is
// written so here.
var verbPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`%(?:%|(?:\[(\d+)\])?([-+#0]*(?:\d+|\*)?(?:\.(?:\d+|\*)?)?)([a-zA-Z]))`)
})

// piecesOf splits a format.
func piecesOf(format string) []piece {
	var out []piece
	literal := func(text string) {
		if text == "" {
			return
		}
		if n := len(out); n > 0 && out[n-1].verb == 0 {
			out[n-1].literal += text
			return
		}
		out = append(out, piece{literal: text})
	}
	at, arg := 0, 0
	for _, m := range verbPattern().FindAllStringSubmatchIndex(format, -1) {
		literal(format[at:m[0]])
		at = m[1]
		if m[6] < 0 {
			literal("%")
			continue
		}
		p := piece{verb: format[m[6]], flags: format[m[4]:m[5]], source: format[m[0]:m[1]]}
		if m[2] >= 0 {
			n, err := strconv.Atoi(format[m[2]:m[3]])
			if err != nil || n < 1 || n > 99 {
				literal(p.source)
				continue
			}
			arg = n - 1
		}
		arg += strings.Count(p.flags, "*")
		p.arg = arg
		arg++
		out = append(out, p)
	}
	literal(format[at:])
	return out
}

// Verbs lists the verbs of a format in the order of their arguments: "0s 1d" and the like. A translation has the same.
func Verbs(format string) string {
	var out []string
	for _, p := range piecesOf(format) {
		if p.verb != 0 {
			for len(out) <= p.arg {
				out = append(out, "")
			}
			out[p.arg] += strconv.Itoa(p.arg) + string(p.verb)
		}
	}
	return strings.TrimSpace(strings.Join(out, " "))
}

// Words of numbers and the like. What a verb for text printed may be anything.
var patterns = map[byte]string{
	'd': `\s*[-+]?\d+\s*`, 't': `true|false`, 'c': `.`, 'x': `[0-9a-fA-F]+`, 'X': `[0-9A-F]+`, 'o': `[0-7]+`,
	'f': `\s*[-+]?[0-9]+(?:\.[0-9]+)?\s*`, 'g': `[-+]?[0-9.]+(?:e[-+][0-9]+)?`, 'U': `U\+[0-9A-F]+`, 'T': `\S+`,
	'q': "\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`|\\[(?:\"(?:[^\"\\\\]|\\\\.)*\" ?)*\\]",
}

// pattern is a regular expression for what a verb has printed.
func (p piece) pattern() string {
	pattern, ok := patterns[p.verb]
	if !ok {
		pattern = ".*?"
	}
	if left, width, _ := layout(p.flags); width > 0 && left {
		pattern += " *"
	} else if width > 0 {
		pattern = " *" + pattern
	}
	return "(" + pattern + ")"
}

// isText reports whether a verb prints what may have to be translated.
func (p piece) isText() bool { return p.verb == 's' || p.verb == 'v' || p.verb == 'w' }
