package redact

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"fate-installer/installer/fate/cluster"
)

// Hidden replaces a secret in text.
const Hidden = "[redacted]"

// Redactor removes passwords and keys from text, in two ways: known values in every encoding that files and logs have,
// and the values of settings whose names say that they are secrets. The zero value knows no values.
type Redactor struct{ values []matcher }

// New returns a redactor for some known secrets.
func New(secrets []cluster.Secret) Redactor {
	var r Redactor
	seen := map[string]bool{}
	for _, s := range secrets {
		clear := s.Reveal()
		if seen[clear] || !searchable(clear) {
			continue
		}
		seen[clear] = true
		r.values = append(r.values, newMatcher(clear))
	}
	return r
}

var (
	// secretName is a key, however it is separated, that has a secret as its value. After = the value is on the same
	// line: a setting without a value does not hide the next one.
	secretName = `(?i)((?:[\w.-]*(?:passw(?:or)?d|passwd|secret|token|app_key|private_key|route[._]table[._]key|credential)[\w.-]*|[\w-]+_pass)` +
		`\\*["']?\s*(?:=[^\S\n]*|(?::|->)\s*))`
	// secretLine is one to the end of the line, as files of settings have them.
	secretLine = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(secretName + `[^\s].*`)
	})
	// secretWord is one in running text, up to what can end it.
	secretWord = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(secretName + `(\[redacted\]|\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s,;&"'}\])]+)`)
	})
	// printedSetting is a line on which a program prints one of its settings. Eggroll 2.5 prints all of them when it
	// starts, "config key NAME=VALUE", without quoting: such a value ends where the line ends.
	printedSetting = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)(\bconfig(?: key)? )` + secretName + `[^\s].*$`)
	})
	// privateKey is a key in PEM, also one that is cut off by the end of the text.
	privateKey = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)`)
	})
	// privateKeyEnd is the rest of a key in PEM that is cut off by the beginning of the text.
	privateKeyEnd = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\A(?s:.*?)-----(BEGIN|END) [A-Z ]*PRIVATE KEY-----`)
	})
)

// Settings redacts a file of settings.
func (r Redactor) Settings(text string) string {
	return secretLine().ReplaceAllString(r.Known(text), "${1}"+Hidden)
}

// Text redacts logs and other running text.
func (r Redactor) Text(text string) string {
	return replaceNear(r.Known(text), func(part string) string {
		part = printedSetting().ReplaceAllString(part, "${1}${2}"+Hidden)
		return secretWord().ReplaceAllString(part, "${1}"+Hidden)
	})
}

// nameParts are in every name that secretName knows, in small letters.
var nameParts = []string{"pass", "secret", "token", "app_key", "private_key", "route", "credential"}

// replaceNear applies replace to the lines that may have the name of a secret, each with the line after it, where its
// value may be. The expressions take a hundred times as long as looking for the names.
func replaceNear(text string, replace func(string) string) string {
	var b strings.Builder
	from, at, near := 0, 0, false // text[from:at] is copied, or replaced when near
	flush := func(to int) {
		if part := text[from:to]; near {
			b.WriteString(replace(part))
		} else {
			b.WriteString(part)
		}
		from = to
	}
	named := false // the line before has a name
	for line := range strings.Lines(text) {
		lower := strings.ToLower(line)
		has := slices.ContainsFunc(nameParts, func(part string) bool { return strings.Contains(lower, part) })
		if wanted := has || named; wanted != near {
			flush(at)
			near = wanted
		}
		at, named = at+len(line), has
	}
	flush(at)
	return b.String()
}

// Lines redacts lines of a log.
func (r Redactor) Lines(lines []string) []string {
	if len(lines) == 0 {
		return lines
	}
	// Joined, because a secret may go on in the next line.
	return strings.Split(r.Text(strings.Join(lines, "\n")), "\n")
}

// Known removes known values and private keys.
func (r Redactor) Known(text string) string {
	text = replaceSecrets(text, r.values)
	return privateKey().ReplaceAllString(text, "[private key redacted]")
}

// TailOverlap is how many bytes before the wanted part of a log have to be given to tail: more than any encoding of a
// secret takes.
const TailOverlap = 8 << 10

// Tail redacts the end of a log, of which the file has more before it. The first bytes may be the rest of a secret
// whose beginning, or whose name, was cut off: they are dropped up to the first whole line, or TailOverlap of them
// where that has none.
func (r Redactor) Tail(text string) string {
	text = r.Known(text) // first, because a key may begin in the line that is dropped
	if m := privateKeyEnd().FindStringSubmatchIndex(text); m != nil && text[m[2]:m[3]] == "END" {
		return r.Text(text[m[1]:])
	}
	if i := strings.IndexByte(text, '\n'); i >= 0 && i < TailOverlap {
		return r.Text(text[i+1:])
	}
	clean := r.Text(text)
	return clean[min(TailOverlap, len(clean)):]
}
