package redact

import (
	"crypto/sha1" // #nosec G505 -- the form that a log may have
	"encoding/base64"
	"encoding/hex"
	"html"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Which values are searched for everywhere. A short one made of letters only would be found in ordinary words
// (upstream's published passwords are "fate" and "admin"); such a value is found by the name of its setting. A short
// one with other characters is searched for as a whole word.
const (
	longSecret  = 8
	shortSecret = 4
)

func searchable(clear string) bool {
	switch {
	case len(clear) >= longSecret:
		return true
	case len(clear) < shortSecret:
		return false
	}
	return strings.ContainsFunc(clear, func(r rune) bool { return !isLetter(r) })
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// matcher finds one secret in text. Each of its characters may stand in any of the ways in which the files, URLs
// and logs of FATE's programs write characters, also several times over, as a URL inside a JSON string is.
type matcher struct {
	units []unit
	whole bool     // it has to be a word of its own
	fixed []string // encodings of the whole value: base64 at each of its three alignments, hexadecimal, database hash
	first [256]bool
}

// unit is one character of a secret.
type unit struct {
	literal string // its UTF-8 bytes
	r       rune
}

func newMatcher(clear string) matcher {
	m := matcher{whole: len(clear) < longSecret}
	for i := 0; i < len(clear); {
		r, n := utf8.DecodeRuneInString(clear[i:])
		if r == utf8.RuneError && n <= 1 {
			r = -1
		}
		m.units = append(m.units, unit{clear[i : i+n], r})
		i += n
	}
	if !m.whole {
		m.fixed = fixedForms(clear)
	}
	for _, c := range []byte{'%', '\\', '&', m.units[0].literal[0], 0xc2, 0xc3} {
		m.first[c] = true
	}
	if m.units[0].literal == " " {
		m.first['+'] = true
	}
	for _, f := range m.fixed {
		m.first[f[0]] = true
	}
	return m
}

// fixedForms are encodings that do not write one character after the other. In base64 what surrounds a value decides
// how it is aligned, as in the user:password of HTTP, and the characters that it shares with its surroundings are left
// out.
func fixedForms(clear string) []string {
	var out []string
	for shift := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := enc.EncodeToString(append(make([]byte, shift), clear...))
			from := (shift*8 + 5) / 6
			to := (shift + len(clear)) * 8 / 6
			if to-from >= longSecret {
				out = append(out, text[from:to])
			}
		}
	}
	// A log of statements has the server's form of a password; the one that takes the hash twice can be tried at will.
	once := sha1.Sum([]byte(clear)) // #nosec G401 -- the form that a log may have, looked for to be hidden
	twice := sha1.Sum(once[:])      // #nosec G401 -- the form that a log may have, looked for to be hidden
	out = append(out, hex.EncodeToString([]byte(clear)), hex.EncodeToString(twice[:]))
	for _, form := range out[len(out)-2:] {
		out = append(out, strings.ToUpper(form))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// replaceSecrets replaces every encoding of every secret.
func replaceSecrets(text string, matchers []matcher) string {
	if len(matchers) == 0 {
		return text
	}
	var first [256]bool
	for _, m := range matchers {
		for c, is := range m.first {
			first[c] = first[c] || is
		}
	}
	var b strings.Builder
	done := 0
	for i := 0; i < len(text); i++ {
		if !first[text[i]] {
			continue
		}
		end := -1
		for _, m := range matchers {
			if m.first[text[i]] {
				end = max(end, m.match(text, i))
			}
		}
		if end > i {
			b.WriteString(text[done:i])
			b.WriteString(Hidden)
			done, i = end, end-1
		}
	}
	if done == 0 {
		return text
	}
	b.WriteString(text[done:])
	return b.String()
}

// match returns where the longest form of the secret that begins at i ends, or -1. It follows all ways of reading the
// text at once, as an automaton does, so that text made to have many takes no longer than other text.
func (m *matcher) match(text string, i int) int {
	for _, f := range m.fixed {
		if strings.HasPrefix(text[i:], f) {
			return i + len(f)
		}
	}
	if m.whole && i > 0 && isWord(text[i-1]) {
		return -1
	}
	ends := []int{i}
	var next []int
	for n, u := range m.units {
		next = next[:0]
		for _, at := range ends {
			next = u.forms(text, at, next)
		}
		if len(next) == 0 {
			return -1
		}
		if n == len(m.units)-1 && m.whole {
			next = slices.DeleteFunc(next, func(end int) bool { return end < len(text) && isWord(text[end]) })
			if len(next) == 0 {
				return -1
			}
		}
		slices.Sort(next)
		ends, next = slices.Compact(next), ends
	}
	return ends[len(ends)-1]
}

func isWord(c byte) bool {
	return isLetter(rune(c)) || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

// mostBackslashes is how many of them an encoding inside an encoding, four times over, puts before a character.
const mostBackslashes = 16

// forms appends where each form of the character that begins at i ends.
func (u unit) forms(text string, i int, ends []int) []int {
	rest := text[i:]
	if rest == "" {
		return ends
	}
	if strings.HasPrefix(rest, u.literal) {
		ends = append(ends, i+len(u.literal))
		if u.literal == "'" && strings.HasPrefix(rest, "''") { // of SQL and YAML
			ends = append(ends, i+2)
		}
		if u.literal == "'" && strings.HasPrefix(rest, `'\''`) { // of a shell
			ends = append(ends, i+4)
		}
	}
	if u.literal == " " && rest[0] == '+' { // of a URL's query
		ends = append(ends, i+1)
	}
	switch rest[0] {
	case '\\':
		ends = u.escaped(text, i, ends)
	case '%':
		ends = u.percent(text, i, ends)
		if u.literal == " " { // a + that was encoded once more
			ends = unit{"+", '+'}.percent(text, i, ends)
		}
	case '&':
		ends = u.entity(text, i, ends)
	}
	// A program that takes UTF-8 for Latin-1, as Java's Properties does, writes each byte as a character.
	if u.literal[0] >= 0x80 {
		latin := make([]rune, len(u.literal))
		for k := range len(u.literal) {
			latin[k] = rune(u.literal[k])
		}
		if strings.HasPrefix(rest, string(latin)) {
			ends = append(ends, i+len(string(latin)))
		}
	}
	return ends
}

// escaped reads backslashes and what they protect: the character itself, or its number.
func (u unit) escaped(text string, i int, ends []int) []int {
	n := 0
	for i+n < len(text) && text[i+n] == '\\' && n < mostBackslashes {
		n++
	}
	if u.literal == `\` {
		for k := 2; k <= n; k++ {
			ends = append(ends, i+k)
		}
	}
	rest := text[i+n:]
	if u.literal != `\` && strings.HasPrefix(rest, u.literal) {
		ends = append(ends, i+n+len(u.literal))
	}
	if letter, ok := map[string]string{"\t": "t", "\n": "n", "\r": "r"}[u.literal]; ok &&
		strings.HasPrefix(rest, letter) {
		ends = append(ends, i+n+1)
	}
	if u.r >= 0 {
		if at := numberAt(text, i+n, "U", 8, int(u.r)); at >= 0 { // of python
			ends = append(ends, at)
		}
		units := utf16.Encode([]rune{u.r})
		at := i + n
		for k, c := range units {
			if k > 0 {
				for at < len(text) && text[at] == '\\' {
					at++
				}
			}
			if at = numberAt(text, at, "u", 4, int(c)); at < 0 {
				break
			}
		}
		if at >= 0 {
			ends = append(ends, at)
		}
	}
	at := i
	for k := range len(u.literal) { // \xNN of python
		for at < len(text) && text[at] == '\\' {
			at++
		}
		if at = numberAt(text, at, "x", 2, int(u.literal[k])); at < 0 {
			return ends
		}
	}
	return append(ends, at)
}

// percent reads %NN for each byte of the character, the % itself written so any number of times.
func (u unit) percent(text string, i int, ends []int) []int {
	at := i
	for k := range len(u.literal) {
		if at >= len(text) || text[at] != '%' {
			return ends
		}
		at++
		for strings.HasPrefix(text[at:], "25") && numberAt(text, at, "", 2, int(u.literal[k])) < 0 {
			at += 2
		}
		if at = numberAt(text, at, "", 2, int(u.literal[k])); at < 0 {
			return ends
		}
	}
	ends = append(ends, at)
	for u.literal == "%" && strings.HasPrefix(text[at:], "25") {
		at += 2
		ends = append(ends, at)
	}
	return ends
}

// longestEntity is the length of the longest entity that can stand for one character, once over.
const longestEntity = 12

// entity reads an entity of HTML or XML.
func (u unit) entity(text string, i int, ends []int) []int {
	at := i + 1
	for strings.HasPrefix(text[at:], "amp;") {
		at += len("amp;")
		if u.literal == "&" {
			ends = append(ends, at)
		}
	}
	end := strings.IndexByte(text[at:min(len(text), at+longestEntity)], ';')
	if end > 0 && html.UnescapeString("&"+text[at:at+end+1]) == u.literal {
		ends = append(ends, at+end+1)
	}
	return ends
}

// numberAt returns the position after prefix and a hexadecimal number of that many digits, or -1 when there is no such
// number, or another one.
func numberAt(text string, at int, prefix string, digits, want int) int {
	if !strings.HasPrefix(text[at:], prefix) || len(text) < at+len(prefix)+digits {
		return -1
	}
	at += len(prefix)
	n := 0
	for _, c := range []byte(text[at : at+digits]) {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | int(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	if n != want {
		return -1
	}
	return at + digits
}
