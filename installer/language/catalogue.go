package language

import (
	"embed"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rivo/uniseg"
)

// Catalogues has the catalogue of each language but English: a directory with a file for each package.
//
//go:embed zh/*.po
var Catalogues embed.FS

// catalogue is what a language knows.
type catalogue struct {
	labels  map[string]string
	exact   map[string]string      // by the finished text
	formats map[string]*template   // by the format
	anchors map[string][]*template // by the rarest word of their literals
	loose   []*template            // those without a word
}

// template recognises what a format has printed.
type template struct {
	english string
	text    string
	source  []piece
	letters int // of the literals
	length  int // of the literals, in bytes
	words   []string

	once     sync.Once // makes what follows, for templates that are needed
	target   []piece
	pattern  *regexp.Regexp
	captures []piece // of source, in the order of the groups of the pattern
}

// load reads the catalogue of a language. Its files are part of the program: a test finds their mistakes.
func load(name string) *catalogue {
	var entries []Entry
	files, _ := fs.Glob(Catalogues, name+"/*.po")
	for _, file := range files {
		data, _ := fs.ReadFile(Catalogues, file)
		found, _ := ParsePO(string(data))
		entries = append(entries, found...)
	}
	return newCatalogue(entries)
}

func newCatalogue(entries []Entry) *catalogue {
	entries = additions(entries)
	c := &catalogue{labels: map[string]string{}, exact: make(map[string]string, len(entries)),
		formats: map[string]*template{}, anchors: map[string][]*template{}}
	frequency := map[string]int{}
	var all []*template
	for _, e := range entries {
		switch {
		case e.Text == "":
			continue
		case e.Context == Label:
			c.labels[e.English] = e.Text
			continue
		}
		if c.formats[e.English] != nil {
			continue
		}
		e.Text = aligned(e.English, e.Text)
		t := &template{english: e.English, text: e.Text}
		c.formats[e.English] = t
		if !strings.Contains(e.English, "%") {
			c.exact[e.English] = e.Text
			continue
		}
		if t.prepare(); len(t.captures) == 0 {
			c.exact[strings.ReplaceAll(e.English, "%%", "%")] = strings.ReplaceAll(e.Text, "%%", "%")
			continue
		}
		for _, w := range t.words {
			frequency[w]++
		}
		all = append(all, t)
	}
	for _, t := range all {
		if len(t.words) == 0 {
			c.loose = append(c.loose, t)
			continue
		}
		rarest := slices.MinFunc(t.words, func(a, b string) int { return frequency[a] - frequency[b] })
		c.anchors[rarest] = append(c.anchors[rarest], t)
	}
	for _, e := range entries {
		c.addLines(e)
	}
	return c
}

// additions are entries, and those that begin with a joint also without it: a text that is cut at its joints has the
// rest alone.
func additions(entries []Entry) []Entry {
	known := make(map[string]bool, len(entries))
	for _, e := range entries {
		known[e.English] = true
	}
	out := entries
	for _, e := range entries {
		for _, at := range []string{"; ", ", ", ": "} {
			english, cut := strings.CutPrefix(e.English, at)
			text, also := strings.CutPrefix(e.Text, joined[at])
			if cut && also && !known[english] && len(piecesOf(english)) > 0 && letters(english) > 0 {
				out = append(out, Entry{English: english, Text: text})
			}
		}
	}
	return out
}

// addLines makes the lines of a text known: tables of exit codes and the like are put together of parts.
func (c *catalogue) addLines(e Entry) {
	if !strings.Contains(e.English, "\n") || e.Text == "" || e.Context != "" {
		return
	}
	from, to := strings.Split(e.English, "\n"), strings.Split(e.Text, "\n")
	if len(from) != len(to) {
		return
	}
	for i, line := range from {
		a, b := item().FindStringSubmatch(line), item().FindStringSubmatch(to[i])
		for _, pair := range [][2]string{{line, to[i]}, {part(a, 2), part(b, 2)}} {
			english, text := strings.TrimSpace(pair[0]), strings.TrimSpace(pair[1])
			if english == "" || text == "" || len(piecesOf(english)) > 1 || !strings.Contains(english, " ") {
				continue
			}
			if _, known := c.exact[english]; !known {
				c.exact[english] = text
			}
		}
	}
}

// item is a line of a list: a label, two spaces or more, and a text.
var item = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^( *[^\s%]+(?: [^\s%]+)*  +)(\S.*)$`)
})

func part(match []string, n int) string {
	if match == nil {
		return ""
	}
	return match[n]
}

// aligned gives the labels at the beginning of lines the width that they have in English: other lines, which are
// printed by another format, are below them.
func aligned(english, text string) string {
	if !strings.Contains(english, "  ") {
		return text
	}
	from, to := strings.Split(english, "\n"), strings.Split(text, "\n")
	if len(from) != len(to) {
		return text
	}
	for i := range from {
		a, b := item().FindStringSubmatch(from[i]), item().FindStringSubmatch(to[i])
		if a == nil || b == nil {
			continue
		}
		label := strings.TrimRight(b[1], " ")
		gap := uniseg.StringWidth(a[1]) - uniseg.StringWidth(label)
		to[i] = label + strings.Repeat(" ", max(2, gap)) + b[2]
	}
	return strings.Join(to, "\n")
}

// prepare finds the literals of a template.
func (t *template) prepare() {
	t.source = piecesOf(t.english)
	for i, p := range t.source {
		if p.verb != 0 {
			t.captures = append(t.captures, p)
			continue
		}
		t.letters += letters(p.literal)
		t.length += len(p.literal)
		for rest := p.literal; ; {
			w, after := nextWord(rest)
			if w == "" {
				break
			}
			begins := len(rest)-len(w)-len(after) == 0 && len(rest) == len(p.literal) // what a verb printed may go on
			if !(begins && strings.HasPrefix(p.literal, w) && i > 0) && !(after == "" && i < len(t.source)-1) {
				t.words = append(t.words, w)
			}
			rest = after
		}
	}
}

// compile makes what is needed to match and to print.
func (t *template) compile() {
	t.once.Do(func() {
		var pattern strings.Builder
		pattern.WriteString(`(?s)\A`)
		for i, p := range t.source {
			switch {
			case p.verb == 0:
				pattern.WriteString(regexp.QuoteMeta(p.literal))
			case p.isText() && i+1 < len(t.source) && t.source[i+1].isText():
				pattern.WriteString("(.*)") // what follows directly is an addition, which may be blank
			default:
				pattern.WriteString(p.pattern())
			}
		}
		pattern.WriteString(`\z`)
		t.pattern = regexp.MustCompile(pattern.String())
		t.target = piecesOf(t.text)
	})
}

// mayMatch reports whether a text has the literals of the template in their order.
func (t *template) mayMatch(text string) bool {
	if first := t.source[0]; first.verb == 0 && !strings.HasPrefix(text, first.literal) {
		return false
	}
	if last := t.source[len(t.source)-1]; last.verb == 0 && !strings.HasSuffix(text, last.literal) {
		return false
	}
	for _, p := range t.source {
		if p.verb != 0 {
			continue
		}
		_, after, found := strings.Cut(text, p.literal)
		if !found {
			return false
		}
		text = after
	}
	return true
}

// match returns what the verbs of the template have printed, by argument; nil: the text is another one.
func (t *template) match(text string) map[int]string {
	t.compile()
	found := t.pattern.FindStringSubmatch(text)
	if found == nil {
		return nil
	}
	captured := make(map[int]string, len(t.captures))
	for i, p := range t.captures {
		if before, twice := captured[p.arg]; twice && before != found[i+1] {
			return nil
		}
		captured[p.arg] = found[i+1]
	}
	return captured
}

// print writes the translation with what the verbs print there.
func (t *template) print(values map[int]string) string {
	t.compile()
	return printed(t.target, values)
}

// hides reports whether the translation does without an argument.
func (t *template) hides(arg int) bool {
	for _, p := range t.target {
		if p.verb != 0 && p.arg == arg {
			_, _, nothing := layout(p.flags)
			return nothing
		}
	}
	return false
}

// printFound is print for a text that was found, without the space before it.
func (t *template) printFound(values map[int]string) string {
	return strings.TrimLeft(t.print(values), " ")
}

// printed writes pieces with the values of their arguments. A column has the width that its verb says, in cells.
func printed(pieces []piece, values map[int]string) string {
	var out strings.Builder
	for _, p := range pieces {
		if p.verb == 0 {
			out.WriteString(p.literal)
			continue
		}
		value := values[p.arg]
		left, width, nothing := layout(p.flags)
		if nothing {
			continue
		}
		if width > 0 && p.isText() {
			value = strings.TrimSpace(value)
		}
		gap := strings.Repeat(" ", max(0, width-uniseg.StringWidth(value)))
		if left {
			value += gap
		} else {
			value = gap + value
		}
		out.WriteString(value)
	}
	return out.String()
}

// layout reads the flags of a verb. nothing is set by the precision 0 of a text: the translation does without it.
func layout(flags string) (left bool, width int, nothing bool) {
	before, after, precise := strings.Cut(flags, ".")
	for _, r := range before {
		switch {
		case r == '-':
			left = true
		case r >= '0' && r <= '9' && width < 1000:
			width = width*10 + int(r-'0')
		}
	}
	return left, width, precise && after == "0"
}

// nextWord is the first word of two letters or more, and what is after it.
func nextWord(text string) (word, rest string) {
	for begin := 0; begin < len(text); {
		end := begin
		for end < len(text) && isLetter(text[end]) {
			end++
		}
		if end-begin > 1 {
			return text[begin:end], text[end:]
		}
		begin = end + 1
	}
	return "", ""
}

func isLetter(c byte) bool {
	c |= 0x20
	return c >= 'a' && c <= 'z'
}

// letters counts the letters of a text.
func letters(text string) int {
	n := 0
	for i := range len(text) {
		if isLetter(text[i]) {
			n++
		}
	}
	return n
}
