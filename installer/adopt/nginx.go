package adopt

import (
	"strconv"
	"strings"
)

// nginxDepth is how many blocks may be inside one another; nginx's own have four.
const nginxDepth = 32

// readNginx reads nginx.conf. The key of a directive is its name with those of the blocks around it, each with its
// arguments; its value is its arguments. One that a block has several times gets #2, and so on.
func readNginx(data []byte) ([]entry, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	r := &nginxReader{text: string(data), line: 1, seen: repeats{}}
	if err := r.block("", 0); err != nil {
		return nil, err
	}
	return r.out, nil
}

// repeats counts keys of a file that may have several of each.
type repeats map[string]int

// name is a key that no earlier one has.
func (r repeats) name(key string) string {
	r[key]++
	if n := r[key]; n > 1 {
		return r.name(key + "#" + strconv.Itoa(n))
	}
	return key
}

type nginxReader struct {
	text string // what is left
	line int
	seen repeats
	out  []entry
}

// block reads directives up to the end of the block, or of the file.
func (r *nginxReader) block(path string, depth int) error {
	var words []string
	began := 0
	for {
		word, special, err := r.next()
		switch {
		case err != nil:
			return err
		case special == 0:
			if len(words) == 0 {
				began = r.line
			}
			words = append(words, word)
			continue
		case special == ';' && len(words) > 0:
			r.out = append(r.out, entry{r.seen.name(joinKey(path, words[0])), strings.Join(words[1:], " "), began})
			if len(r.out) > maxEntries {
				return notAt(r.line, "it has more than %d options", maxEntries)
			}
		case special == '{' && len(words) > 0:
			if depth == nginxDepth {
				return notAt(r.line, "it has more than %d levels", nginxDepth)
			}
			key := r.seen.name(joinKey(path, strings.Join(words, " ")))
			inside := len(r.out)
			if err := r.block(key, depth+1); err != nil {
				return err
			}
			if len(r.out) == inside {
				r.out = append(r.out, entry{key, "{}", began})
			}
		case special == '}' && depth > 0 && len(words) == 0, special == endOfFile && depth == 0 && len(words) == 0:
			return nil
		case special == endOfFile:
			return notAt(r.line, "it ends inside a directive or a block")
		default:
			return notAt(r.line, "%q is not expected here", string(special))
		}
		words = nil
	}
}

// endOfFile stands for the end where next gives a character of the syntax.
const endOfFile = rune(-1)

// next gives a word, or a character of the syntax.
func (r *nginxReader) next() (word string, special rune, err error) {
	for {
		rest := strings.TrimLeft(r.text, " \t\r\n")
		r.line += strings.Count(r.text[:len(r.text)-len(rest)], "\n")
		r.text = rest
		if rest == "" {
			return "", endOfFile, nil
		}
		if rest[0] != '#' {
			break
		}
		_, rest, _ = strings.Cut(rest, "\n")
		r.line += strings.Count(r.text[:len(r.text)-len(rest)], "\n")
		r.text = rest
	}
	if c := r.text[0]; c == ';' || c == '{' || c == '}' {
		r.text = r.text[1:]
		return "", rune(c), nil
	}
	if c := r.text[0]; c == '"' || c == '\'' {
		return r.quoted(c)
	}
	end := 0
	for ; end < len(r.text) && !strings.ContainsRune(" \t\r\n;{}", rune(r.text[end])); end++ {
		switch {
		case r.text[end] == '\\' && end+1 < len(r.text):
			end++
		case strings.HasPrefix(r.text[end:], "${"): // the braces of a variable are none of a block
			if closing := strings.IndexByte(r.text[end:], '}'); closing > 0 {
				end += closing
			}
		}
	}
	word = r.text[:end]
	r.line += strings.Count(word, "\n") // after a backslash
	r.text = r.text[end:]
	return word, 0, nil
}

// quoted reads a word in quotes.
func (r *nginxReader) quoted(quote byte) (word string, special rune, err error) {
	var b strings.Builder
	for i := 1; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == quote:
			r.line += strings.Count(r.text[:i], "\n")
			r.text = r.text[i+1:]
			return b.String(), 0, nil
		case c == '\\' && i+1 < len(r.text) && (r.text[i+1] == quote || r.text[i+1] == '\\'):
			i++
			b.WriteByte(r.text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, notAt(r.line, "a quote is not closed")
}
