package language

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Limits of what is recognised. Texts may come from logs and from other parties, and may be made to take long.
const (
	longest = 8 << 10 // bytes of a line or paragraph; a longer one is no text of this program
	deepest = 12      // texts in texts
	efforts = 600     // looks at 128 bytes of a text, for one line
	mostCut = 24      // joints of a text that was put together
)

// Text translates a finished text: its paragraphs and lines, and what was put into them. What is not in the catalogue
// stays as it is. A nil Language is English.
func (l *Language) Text(text string) string {
	if l == nil || letters(text) < 2 {
		return text
	}
	var out strings.Builder
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			out.WriteString("\n\n")
		}
		out.WriteString(l.paragraph(paragraph))
	}
	return out.String()
}

// paragraph translates a text of one line or more: as a whole where it is known, else by line.
func (l *Language) paragraph(text string) string {
	head, core, tail := trimmed(text)
	if letters(core) < 2 {
		return text
	}
	t := newTranslation(l.catalogue())
	lines := strings.Split(core, "\n")
	best := t.lines(lines)
	if len(lines) > 1 && len(core) <= longest {
		if whole := t.whole(core, 0); whole.covered >= best.covered {
			best = whole
		}
	}
	l.report(best.left)
	return head + best.text + tail
}

// lines translates each line of a text.
func (t *translation) lines(lines []string) (sum result) {
	out := make([]string, len(lines))
	for i, text := range lines {
		head, core, tail := trimmed(text)
		t.effort = 0
		r := t.line(core)
		out[i] = head + r.text + tail
		sum.covered += r.covered
		sum.odd = sum.odd || r.odd
		sum.left = append(sum.left, r.left...)
	}
	sum.text = strings.Join(out, "\n")
	return sum
}

// line translates one line without space around it.
func (t *translation) line(text string) result {
	if letters(text) < 2 || len(text) > longest {
		return result{text: text}
	}
	best := t.best(text, 0)
	if found := item().FindStringSubmatch(text); found != nil && best.covered < letters(text) { // an item of a list
		if rest := t.best(found[2], 0); rest.covered > best.covered {
			rest.text = found[1] + rest.text
			return rest
		}
	}
	return best
}

func (l *Language) report(left []string) {
	if l.missed == nil {
		return
	}
	for _, text := range left {
		l.missed(text)
	}
}

// trimmed parts a text from the space around it.
func trimmed(text string) (head, core, tail string) {
	core = strings.TrimLeft(text, " \t\r\n")
	head = text[:len(text)-len(core)]
	core = strings.TrimRight(core, " \t\r\n")
	return head, core, text[len(head)+len(core):]
}

// result is a translation of a part of a text.
type result struct {
	text    string
	covered int      // letters that were recognised
	odd     bool     // a word was not, and is no name
	left    []string // what reads as English and was not
}

// translation is the work on one line.
type translation struct {
	*catalogue
	known  map[string]result
	effort int
}

func newTranslation(c *catalogue) *translation {
	return &translation{catalogue: c, known: map[string]result{}}
}

// isProse reports whether a text has two words in sequence, so that it is no name and no path.
func isProse(text string) bool {
	run, before := 0, false // letters of the word at hand; whether a word is before it
	for i := 0; i <= len(text); i++ {
		switch {
		case i < len(text) && text[i] >= 'a' && text[i] <= 'z':
			if run++; run == 2 && before {
				return true
			}
		case i < len(text) && text[i] == ' ':
			before, run = run >= 2, 0
		default:
			before, run = false, -len(text) // what goes on with other characters is no word
			if i < len(text) && (text[i] == '(' || text[i] == '\n') {
				run = 0
			}
		}
	}
	return false
}

func asIs(text string) result {
	r := result{text: text, odd: !isNames(text)}
	if isProse(text) {
		r.left = []string{text}
	}
	return r
}

// names are names in small letters that texts have.
var names = wordSet(`host guest exchange arbiter local party root app apps user linux
	mysql mysqld mariadb eggroll rollsite nodemanager clustermanager fateflow fateboard fate flow board zookeeper nginx
	rabbitmq spark python jdk java supervisor supervisord systemd firewalld ufw iptables nft selinux sysctl swap limits
	bash hostname hosts libraries sudoers toy fast normal json text job secrets
	install upgrade rollback uninstall init plan check config render svc`)

func wordSet(words string) map[string]bool {
	out := map[string]bool{}
	for _, word := range strings.Fields(words) {
		out[word] = true
	}
	return out
}

// isNames reports whether each word of a text is a name or a number, as far as that can be seen: it has another
// character than small letters in it, or is known.
func isNames(text string) bool {
	isGap := func(r rune) bool { return strings.ContainsRune(" ,;()[]\t", r) }
	for _, word := range strings.FieldsFunc(text, isGap) {
		small := true
		for i := range len(word) {
			small = small && word[i] >= 'a' && word[i] <= 'z'
		}
		if small && len(word) > 1 && !names[word] {
			return false
		}
	}
	return true
}

// best translates a text as a whole, or its parts where that recognises more of it.
func (t *translation) best(text string, depth int) result {
	if known, ok := t.known[text]; ok {
		return known
	}
	if letters(text) < 2 || depth > deepest || t.effort > efforts {
		return asIs(text)
	}
	best := t.whole(text, depth)
	if lines := strings.Split(text, "\n"); len(lines) > 1 {
		if each := t.lines(lines); each.covered > best.covered {
			best = each
		}
	} else if best.covered == 0 || len(best.left) > 0 {
		if parts := t.parts(text, depth); parts.covered > best.covered {
			best = parts
		}
	}
	t.known[text] = best
	return best
}

// weak is the number of letters below which a template, such as "%s of %s", may have found its words in anything.
const weak = 9

// most is how many templates that match are compared.
const most = 5

// whole translates a text that one entry of the catalogue has made.
func (t *translation) whole(text string, depth int) result {
	head, core, tail := trimmed(text)
	if head != "" || tail != "" {
		r := t.whole(core, depth)
		r.text = head + r.text + tail
		return r
	}
	if known, ok := t.exact[text]; ok {
		return result{text: known, covered: letters(text)}
	}
	t.effort += 1 + len(text)/128
	if t.effort > efforts || len(text) > longest {
		return asIs(text)
	}
	best, tried := asIs(text), 0
	for _, c := range t.candidates(text) {
		captured := c.match(text)
		if captured == nil {
			continue
		}
		r := result{covered: c.letters}
		for _, p := range c.captures {
			if !p.isText() || c.hides(p.arg) {
				continue
			}
			inner := t.best(captured[p.arg], depth+1)
			captured[p.arg] = inner.text
			r.covered += inner.covered
			r.left = append(r.left, inner.left...)
			r.odd = r.odd || inner.odd
		}
		if c.letters < weak && r.odd {
			continue
		}
		r.text = c.printFound(captured)
		if tried++; r.covered > best.covered {
			best = r
		}
		if tried == most {
			break
		}
	}
	if best.covered == 0 {
		if list, ok := listed(text); ok {
			return result{text: list, covered: 2}
		}
	}
	return best
}

// candidates are the templates whose rarest word, and all of whose literals, are in a text, those with most letters
// first.
func (t *translation) candidates(text string) []*template {
	var found []*template
	add := func(templates []*template) {
		for _, c := range templates {
			if c.mayMatch(text) && !slices.Contains(found, c) {
				found = append(found, c)
			}
		}
	}
	add(t.loose)
	for rest := text; ; {
		w, after := nextWord(rest)
		if w == "" {
			break
		}
		add(t.anchors[w])
		rest = after
	}
	slices.SortFunc(found, func(a, b *template) int {
		return cmp.Or(b.letters-a.letters, b.length-a.length, strings.Compare(a.english, b.english))
	})
	return found
}

// joint is where texts are put together.
var joint = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`: |; |, and |, |\. | \(| <- |\)$`)
})

// joined has what is between texts in Chinese.
var joined = map[string]string{": ": "：", "; ": "；", ", and ": "，", ", ": "，", ". ": "。", " (": "（", ")": "）",
	" <- ": " <- "}

// parts translates a text that was put together: the parts between joints, as long as they can be.
func (t *translation) parts(text string, depth int) result {
	cuts := joint().FindAllStringIndex(text, mostCut)
	if len(cuts) == 0 {
		return asIs(text)
	}
	starts, ends := []int{0}, []int{}
	for _, c := range cuts {
		ends, starts = append(ends, c[0]), append(starts, c[1])
	}
	ends = append(ends, len(text))
	n := len(starts)
	type choice struct {
		result
		through int // the last of the parts that are one text
		sum     int // letters recognised from here on
	}
	from := make([]choice, n+1)
	for i := n - 1; i >= 0; i-- {
		from[i] = choice{asIs(text[starts[i]:ends[i]]), i, from[i+1].sum}
		for j := n - 1; j >= i; j-- {
			if i == 0 && j == n-1 || t.effort > efforts { // the whole was looked at before
				continue
			}
			r := t.whole(text[starts[i]:ends[j]], depth+1)
			if r.covered > 0 && r.covered+from[j+1].sum > from[i].sum {
				from[i] = choice{r, j, r.covered + from[j+1].sum}
			}
		}
	}
	var out result
	var b strings.Builder
	before := false // the part before was translated
	for i := 0; i < n; i = from[i].through + 1 {
		c := from[i]
		if i > 0 {
			between := text[ends[i-1]:starts[i]]
			if before || c.covered > 0 || between == ")" && strings.Contains(b.String(), "（") {
				between = joined[between]
			}
			b.WriteString(between)
		}
		b.WriteString(c.text)
		out.covered += c.covered
		out.left = append(out.left, c.left...)
		out.odd = out.odd || c.odd
		before = c.covered > 0
	}
	if out.odd && out.covered*3 < letters(text) {
		return asIs(text) // a text of others with a few words of ours
	}
	out.text = b.String()
	return out
}

// list is words that were put together: a, b or c.
var list = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[^\s,]+(?:, [^\s,]+)*( or | and )[^\s,]+$`)
})

func listed(text string) (string, bool) {
	found := list().FindStringSubmatch(text)
	if found == nil {
		return "", false
	}
	and := map[string]string{" or ": " 或 ", " and ": " 和 "}[found[1]]
	at := strings.LastIndex(text, found[1])
	return strings.ReplaceAll(text[:at], ", ", "、") + and + text[at+len(found[1]):], true
}
