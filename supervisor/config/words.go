package config

import (
	"errors"
	"fmt"
	"net/textproto"
	"strconv"
	"strings"
)

// stripComment cuts an inline comment: a semicolon or number sign with a blank before it, as supervisor 4 does.
func stripComment(s string) string {
	for i := 1; i < len(s); i++ {
		if (s[i] == ';' || s[i] == '#') && isBlank(s[i-1]) {
			return strings.TrimRight(s[:i], " \t")
		}
	}
	return s
}

var errOpenQuote = errors.New("a quote is not closed")

// splitWords splits a command the way supervisor does (Python's shlex in its POSIX mode): words are separated by
// blanks, quotes of both kinds group, a backslash escapes outside quotes and, inside double quotes, escapes itself
// and the quote. There are no variables and no globs: no shell is involved.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == '\'' && c != '\'':
			word.WriteByte(c)
		case quote == '"' && c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			word.WriteByte(s[i])
		case quote == '"' && c != '"':
			word.WriteByte(c)
		case quote != 0:
			quote = 0
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == '\\':
			if i+1 == len(s) {
				return nil, errors.New("a backslash stands at the end")
			}
			i++
			word.WriteByte(s[i])
			inWord = true
		case isBlank(c) || c == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errOpenQuote
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// splitEnvironment reads KEY=value,KEY2="value, with comma". Quotes of both kinds group and a backslash is an
// ordinary character, as in supervisor; beyond supervisor, quoted pieces may stand side by side.
func splitEnvironment(s string) (map[string]string, error) {
	env := make(map[string]string)
	for i := 0; ; {
		for i < len(s) && (isBlank(s[i]) || s[i] == '\n' || s[i] == ',') {
			i++
		}
		if i == len(s) {
			return env, nil
		}
		eq := strings.IndexByte(s[i:], '=')
		if eq < 0 {
			return nil, fmt.Errorf("%q has no =", s[i:])
		}
		key := strings.TrimSpace(s[i : i+eq])
		if err := validEnvKey(key); err != nil {
			return nil, err
		}
		value, n, err := environmentValue(s[i+eq+1:])
		if err != nil {
			return nil, fmt.Errorf("the value of %s: %w", key, err)
		}
		env[key] = value
		i += eq + 1 + n
	}
}

// environmentValue reads one value up to the comma or blank after it and returns how many bytes it took.
func environmentValue(s string) (value string, n int, err error) {
	for n < len(s) && isBlank(s[n]) {
		n++
	}
	var b strings.Builder
	var quote byte
	for ; n < len(s); n++ {
		c := s[n]
		switch {
		case quote == 0 && (c == ',' || c == '\n' || isBlank(c)):
			return b.String(), n, nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", 0, errOpenQuote
	}
	return b.String(), n, nil
}

func validEnvKey(k string) error {
	if k == "" || strings.ContainsAny(k, "=\"' \t\r\n,%\x00") || k[0] >= '0' && k[0] <= '9' {
		return fmt.Errorf("%q is not a name for a variable", k)
	}
	return nil
}

// parseHTTPProbe reads [METHOD] URL [status=N] [header="Name: value"]... [body=...] [contains=...].
func parseHTTPProbe(s string) (*HTTPProbe, error) {
	words, err := splitWords(s)
	if err != nil {
		return nil, err
	}
	h := &HTTPProbe{}
	if len(words) > 0 && !strings.Contains(words[0], ":") {
		h.Method, words = words[0], words[1:]
	}
	if len(words) == 0 {
		return nil, errors.New("there is no URL")
	}
	h.URL = words[0]
	for _, w := range words[1:] {
		name, v, ok := strings.Cut(w, "=")
		switch {
		case ok && name == "status":
			if h.Status, err = strconv.Atoi(v); err != nil {
				return nil, fmt.Errorf("%q is not a status code", v)
			}
		case ok && name == "or_status":
			if h.OrStatus, err = strconv.Atoi(v); err != nil {
				return nil, fmt.Errorf("%q is not a status code", v)
			}
		case ok && name == "body":
			h.Body = v
		case ok && name == "contains":
			h.BodyContains = v
		case ok && name == "header":
			k, v, ok := strings.Cut(v, ":")
			if !ok {
				return nil, fmt.Errorf("%q is not a header: it has no colon", w)
			}
			if h.Header == nil {
				h.Header = make(map[string]string)
			}
			h.Header[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(k))] = strings.TrimSpace(v)
		default:
			return nil, fmt.Errorf("%q is none of status=, or_status=, header=, body= and contains=", w)
		}
	}
	return h, nil
}

// JoinWords writes an argv as one line that splits into the same words again.
func JoinWords(argv []string) string {
	quoted := make([]string, len(argv))
	for i, w := range argv {
		quoted[i] = quoteWord(w)
	}
	return strings.Join(quoted, " ")
}
