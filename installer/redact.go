package main

import (
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fate-installer/installer/fate"
	"fate-installer/installer/host"
	"fate-installer/supervisor/rpc"
)

// hidden replaces a secret in text.
const hidden = "[redacted]"

// redactor removes passwords and keys from text, in two ways: known values in every encoding that files and logs have,
// and the values of settings whose names say that they are secrets. The zero value knows no values.
type redactor struct{ values []secretMatcher }

// newRedactor returns a redactor for some known secrets.
func newRedactor(secrets []fate.Secret) redactor {
	var r redactor
	seen := map[string]bool{}
	for _, s := range secrets {
		clear := s.Reveal()
		if seen[clear] || !searchable(clear) {
			continue
		}
		seen[clear] = true
		r.values = append(r.values, newSecretMatcher(clear))
	}
	return r
}

var (
	// secretName is a key, however it is separated, that has a secret as its value. After = the value is on the same
	// line: a setting without a value does not hide the next one.
	secretName = `(?i)((?:[\w.-]*(?:passw(?:or)?d|passwd|secret|token|app_key|private_key|route[._]table[._]key|credential)[\w.-]*|[\w-]+_pass)` +
		`\\*["']?\s*(?:=[^\S\n]*|(?::|->)\s*))`
	// secretLine is one to the end of the line, as files of settings have them.
	secretLine = regexp.MustCompile(secretName + `[^\s].*`)
	// secretWord is one in running text, up to what can end it.
	secretWord = regexp.MustCompile(secretName + `(\[redacted\]|\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s,;&"'}\])]+)`)
	// printedSetting is a line on which a program prints one of its settings. Eggroll 2.5 prints all of them when it
	// starts, "config key NAME=VALUE", without quoting: such a value ends where the line ends.
	printedSetting = regexp.MustCompile(`(?m)(\bconfig(?: key)? )` + secretName + `[^\s].*$`)
	// privateKey is a key in PEM, also one that is cut off by the end of the text.
	privateKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)`)
	// privateKeyEnd is the rest of a key in PEM that is cut off by the beginning of the text.
	privateKeyEnd = regexp.MustCompile(`\A(?s:.*?)-----(BEGIN|END) [A-Z ]*PRIVATE KEY-----`)
)

// hostSecrets lists the secrets of the installation on this host that this process may read: without root, none.
func hostSecrets(g *globals) []fate.Secret {
	secrets, _ := knownSecrets(g) // what is known is better than nothing
	return secrets
}

// knownSecrets lists the secrets of the installation on this host: those in force, those that a change of passwords has
// replaced, and those that it has made and not set yet. An error says that there may be others.
func knownSecrets(g *globals) ([]fate.Secret, error) {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	stored, err := loadSecrets(h, g.layout())
	out := stored.All()
	for _, record := range stored.records {
		out = append(out, record.Former...)
	}
	data, handoverErr := h.ReadFile(g.layout().SecretHandover())
	if errors.Is(handoverErr, fs.ErrNotExist) {
		handoverErr = nil
	} else if handoverErr == nil {
		var handed *handedSecrets
		if handed, handoverErr = decodeHandedSecrets(data); handoverErr == nil {
			out = append(out, handed.Secrets.All()...)
		}
	}
	spec, specErr := installed(g)
	if specErr == nil {
		out = append(out, spec.AllSecrets()...)
	} else if errors.Is(specErr, errNotInstalled) {
		specErr = nil
	}
	return out, errors.Join(err, handoverErr, specErr)
}

// newClient returns a client of a supervisor that takes secrets out of the lines of logs: the given ones, and those of
// the installation on this host.
func newClient(g *globals, socket string, secrets ...fate.Secret) *rpc.Client {
	c := rpc.NewClient(socket)
	known := sync.OnceValue(func() redactor { return newRedactor(append(hostSecrets(g), secrets...)) })
	c.CleanLogs(func(lines []string) []string {
		if len(lines) == 0 {
			return lines
		}
		return known().lines(lines)
	})
	return c
}

// settings redacts a file of settings.
func (r redactor) settings(text string) string {
	return secretLine.ReplaceAllString(r.known(text), "${1}"+hidden)
}

// text redacts logs and other running text.
func (r redactor) text(text string) string {
	return replaceNear(r.known(text), func(part string) string {
		part = printedSetting.ReplaceAllString(part, "${1}${2}"+hidden)
		return secretWord.ReplaceAllString(part, "${1}"+hidden)
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

// lines redacts lines of a log.
func (r redactor) lines(lines []string) []string {
	if len(lines) == 0 {
		return lines
	}
	// Joined, because a secret may go on in the next line.
	return strings.Split(r.text(strings.Join(lines, "\n")), "\n")
}

// known removes known values and private keys.
func (r redactor) known(text string) string {
	text = replaceSecrets(text, r.values)
	return privateKey.ReplaceAllString(text, "[private key redacted]")
}

// tailOverlap is how many bytes before the wanted part of a log have to be given to tail: more than any encoding of a
// secret takes.
const tailOverlap = 8 << 10

// tail redacts the end of a log, of which the file has more before it. The first bytes may be the rest of a secret
// whose beginning, or whose name, was cut off: they are dropped up to the first whole line, or tailOverlap of them
// where that has none.
func (r redactor) tail(text string) string {
	text = r.known(text) // first, because a key may begin in the line that is dropped
	if m := privateKeyEnd.FindStringSubmatchIndex(text); m != nil && text[m[2]:m[3]] == "END" {
		return r.text(text[m[1]:])
	}
	if i := strings.IndexByte(text, '\n'); i >= 0 && i < tailOverlap {
		return r.text(text[i+1:])
	}
	clean := r.text(text)
	return clean[min(tailOverlap, len(clean)):]
}
