package adopt

import (
	"regexp"
	"strings"
	"sync"
)

// jvmOption is an option of java: one with a name and a value, a switch of the virtual machine, or another one.
var jvmOption = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)^(?:(-X(?:mx|ms|mn|ss))(.*)|-XX:([+-])(\w+)|(-XX:\w+)=(.*)|(-D[\w.-]+)(?:=(.*))?` +
		`|(-(?:X[a-z]+|javaagent|agentlib|agentpath))(?::(.*))?|(-server|-client|-ea|-esa))$`)
})

// readScript finds the options of java in a script that starts one: the rest of a script is a component's, and is not
// compared. The key of an entry is the option's name. Nothing is run or expanded.
func readScript(data []byte) ([]entry, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	var out []entry
	seen := repeats{}
	number := 0
	for raw := range strings.Lines(string(data)) {
		number++
		for _, word := range scriptWords(raw) {
			key, value, ok := splitOption(word)
			if !ok {
				continue
			}
			out = append(out, entry{seen.name(key), value, number})
			if len(out) > maxEntries {
				return nil, notAt(number, "it has more than %d options", maxEntries)
			}
		}
	}
	return out, nil
}

// splitOption gives the name and the value of an option of java.
func splitOption(word string) (key, value string, ok bool) {
	m := jvmOption().FindStringSubmatch(word)
	if m == nil {
		return "", "", false
	}
	if m[3] != "" {
		return "-XX:" + m[4], m[3], true
	}
	for i := 1; i < len(m); i += 2 {
		if m[i] == "" || i == 3 {
			continue
		}
		if i+1 < len(m) {
			value = m[i+1]
		}
		return m[i], value, true
	}
	return "", "", false
}

// scriptWords splits a line at blanks, quotes and the assignment of a variable. Quotes inside a word keep it together.
func scriptWords(line string) []string {
	var out []string
	var word strings.Builder
	var quote, outer rune // around a part of a word, and around words
	end := func() {
		text := word.String()
		word.Reset()
		if !strings.HasPrefix(text, "-") {
			_, text, _ = strings.Cut(text, "=")
		}
		if text != "" {
			out = append(out, text)
		}
	}
	for _, c := range line {
		option := strings.HasPrefix(word.String(), "-")
		switch {
		case c == '#' && word.Len() == 0 && outer == 0:
			return out
		case quote != 0 && c == quote:
			quote = 0
		case (c == '"' || c == '\'') && c == outer:
			outer, quote = 0, 0
			end()
		case (c == '"' || c == '\'') && quote == 0:
			if option {
				quote = c
				continue
			}
			outer = c
			end()
		case quote == 0 && strings.ContainsRune(" \t\r\n;()`&|", c):
			end()
		default:
			word.WriteRune(c)
		}
	}
	end()
	return out
}
