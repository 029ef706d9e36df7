package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// INI writes the program as a [program:NAME] section. Loading the section gives an equal Program back, whatever
// quotes, percent signs, semicolons, backslashes or spaces its words contain, provided Validate accepts it. Only keys
// that differ from NewProgram are written, so that the file shows what is particular about the program. Group is not
// part of the section: a section [group:NAME] lists its programs.
func (p Program) INI() []byte {
	d := NewProgram(p.Name)
	b := fmt.Appendf(nil, "[program:%s]\n", p.Name)
	for _, k := range programKeys {
		if v := k.write(&p); v != k.write(&d) {
			// The value is in the dialect already, except for the percent sign, which begins an expression.
			b = fmt.Appendf(b, "%s = %s\n", k.name, strings.ReplaceAll(v, "%", "%%"))
		}
	}
	return b
}

// text writes the probe for parseHTTPProbe.
func (h *HTTPProbe) text() string {
	if h == nil {
		return ""
	}
	var words []string
	if h.Method != "" {
		words = append(words, h.Method)
	}
	words = append(words, h.URL)
	if h.Status != 0 {
		words = append(words, "status="+strconv.Itoa(h.Status))
	}
	if h.OrStatus != 0 {
		words = append(words, "or_status="+strconv.Itoa(h.OrStatus))
	}
	for _, k := range slices.Sorted(maps.Keys(h.Header)) {
		words = append(words, "header="+k+": "+h.Header[k])
	}
	if h.Body != "" {
		words = append(words, "body="+h.Body)
	}
	if h.BodyContains != "" {
		words = append(words, "contains="+h.BodyContains)
	}
	return JoinWords(words)
}

// quoteWord quotes a word for splitWords when it needs it.
func quoteWord(w string) string {
	if w != "" && !strings.ContainsFunc(w, func(r rune) bool { return strings.ContainsRune(" \t\n\"'\\;#", r) }) {
		return w
	}
	return quoteAlways(w)
}

// quoteAlways quotes a word so that shlex in its POSIX mode (supervisor's command), shlex in its plain mode
// (supervisor's environment, where backslash does not escape) and splitWords read the same. There is no escape that
// all three know, so quotes of the other kind are used, and pieces are put side by side where one kind is not enough.
// A piece also ends where ini would see a comment (a space, then ; or #) and around each newline, so that
// neither the end of a line nor the indent of the next one can eat a space that belongs to the word.
func quoteAlways(w string) string {
	var b strings.Builder
	quote := pickQuote(w)
	b.WriteByte(quote)
	for i := 0; i < len(w); i++ {
		c := w[i]
		switch {
		case c == quote || c == '\\' && quote == '"':
			// POSIX shlex honours a backslash inside double quotes only.
			b.WriteByte(quote)
			quote = pickQuote(w[i:])
			b.WriteByte(quote)
			b.WriteByte(c)
		case (c == ';' || c == '#') && i > 0 && isBlank(w[i-1]):
			b.WriteByte(quote)
			b.WriteByte(quote)
			b.WriteByte(c)
		case c == '\n':
			b.WriteByte(quote)
			b.WriteByte(quote)
			b.WriteString("\n\t")
			b.WriteByte(quote)
			b.WriteByte(quote)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

// pickQuote chooses the kind of quote that can hold the beginning of w.
func pickQuote(w string) byte {
	for i := 0; i < len(w); i++ {
		switch w[i] {
		case '"', '\\':
			return '\''
		case '\'':
			return '"'
		}
	}
	return '"'
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
