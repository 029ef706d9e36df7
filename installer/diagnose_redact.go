package main

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"fate-installer/installer/fate"
)

// hidden stands where a secret was.
const hidden = "[redacted]"

// redactor takes passwords and keys out of text. It does so twice over: by the values that are known, in every way of
// writing them that our files have, and by the names that secrets usually have, for those that are not known. The zero
// value knows no values.
type redactor struct{ values *strings.Replacer }

// shortSecret is the length below which a value is not searched for everywhere, since it would be found in ordinary
// words: upstream's published passwords are "fate" and "admin". Such values are found by their names.
const shortSecret = 8

// newRedactor knows the values of some secrets.
func newRedactor(secrets []fate.Secret) redactor {
	var forms []string
	for _, s := range secrets {
		clear := s.Reveal()
		if len(clear) < shortSecret {
			continue
		}
		quoted, _ := json.Marshal(clear) // a string cannot fail
		forms = append(forms, clear, url.QueryEscape(clear), url.PathEscape(clear), strings.Trim(string(quoted), `"`),
			strings.ReplaceAll(clear, "'", "''"), strings.NewReplacer(`\`, `\\`, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`).Replace(clear),
			base64.StdEncoding.EncodeToString([]byte(clear)))
	}
	// A form that contains another one has to be tried first.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, hidden)
	}
	return redactor{strings.NewReplacer(pairs...)}
}

var (
	// secretName is a key, however it is separated, that has a secret as its value.
	secretName = `(?i)((?:[\w.-]*(?:passw(?:or)?d|passwd|secret|token|app_key|private_key|route[._]table[._]key|credential)[\w.-]*|[\w-]+_pass)["']?\s*[:=]\s*)`
	// secretLine is one to the end of the line, as files of settings have them.
	secretLine = regexp.MustCompile(secretName + `[^\s].*`)
	// secretWord is one in running text, up to what can end it.
	secretWord = regexp.MustCompile(secretName + `("[^"]*"|'[^']*'|[^\s,;&"'}\])]+)`)
	// privateKey is a key in PEM, also one that is cut off by the end of the text.
	privateKey = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)`)
)

// settings redacts a file of settings.
func (r redactor) settings(text string) string {
	return secretLine.ReplaceAllString(r.known(text), "${1}"+hidden)
}

// text redacts logs and other running text.
func (r redactor) text(text string) string {
	return secretWord.ReplaceAllString(r.known(text), "${1}"+hidden)
}

func (r redactor) known(text string) string {
	if r.values != nil {
		text = r.values.Replace(text)
	}
	return privateKey.ReplaceAllString(text, "[private key redacted]")
}
