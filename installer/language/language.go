// Package language translates what this program shows to people. The code has English texts, which are also those of
// JSON, of logs and of what processes say to each other. They are translated where they are shown: texts are made in
// many packages, and some come from the supervisor as finished English. So [Language.Text] recognises a finished text
// by the formats of the catalogue, and translates what was put into them in turn.
package language

import (
	"slices"
	"strings"
	"sync"

	"github.com/rivo/uniseg"
)

// Language translates from English. A nil Language is English. Its methods may be called from several goroutines.
type Language struct {
	name   string
	load   func() *catalogue
	missed func(text string)
}

// The names of the languages.
const (
	English = "en"
	Chinese = "zh"
)

// Names lists the languages.
var Names = []string{English, Chinese}

// Of is the language of a name; nil, which is English, for one that is not known.
func Of(name string) *Language {
	if name == Chinese {
		return chinese
	}
	return nil
}

// chinese reads its catalogue when it is first needed.
var chinese = &Language{name: Chinese, load: sync.OnceValue(func() *catalogue { return load(Chinese) })}

func (l *Language) catalogue() *catalogue { return l.load() }

// Reporting is the language, which also calls missed with each part of a text that reads as English and is not in the
// catalogue.
func (l *Language) Reporting(missed func(text string)) *Language {
	return &Language{l.name, l.load, missed}
}

// Name is the name of the language.
func (l *Language) Name() string {
	if l == nil {
		return English
	}
	return l.name
}

// Label translates the name of a column or of a status.
func (l *Language) Label(text string) string {
	if l == nil {
		return text
	}
	if label, ok := l.catalogue().labels[text]; ok {
		return label
	}
	return text
}

// Colon is what is between a label and what it is for.
func (l *Language) Colon() string {
	if l == nil {
		return ": "
	}
	return joined[": "]
}

// Glue is the space before a parenthesis that the language does without; blank: it has that space.
func (l *Language) Glue() string {
	if l == nil {
		return ""
	}
	return " "
}

// Lead is a text that ends with a colon, with the space that is after it in English; blank for none.
func (l *Language) Lead(text string) string {
	if text == "" {
		return ""
	}
	if text = l.Text(text); strings.HasSuffix(text, joined[": "]) {
		return text
	}
	return text + " "
}

// Padded is a label in at least so many cells.
func (l *Language) Padded(text string, cells int) string {
	label := l.Label(text)
	return label + strings.Repeat(" ", max(0, cells-uniseg.StringWidth(label)))
}

// FromEnvironment is the name of the language that the locale asks for, as gettext reads it: LC_ALL, else
// LC_MESSAGES, else LANG; LANGUAGE has priority over a locale that is not C. English is the answer where Chinese could
// not be read: a locale with another encoding than UTF-8, and the console of the kernel, which has no Chinese
// characters.
func FromEnvironment(getenv func(string) string) string {
	locale := ""
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale = getenv(name); locale != "" {
			break
		}
	}
	base, encoding, encoded := strings.Cut(strings.ToLower(locale), ".")
	if base == "" || base == "c" || base == "posix" || getenv("TERM") == "linux" {
		return English
	}
	encoding, _, _ = strings.Cut(encoding, "@")
	territory := strings.Contains(base, "_") // zh_CN alone is GB2312
	if (encoded || territory) && encoding != "utf-8" && encoding != "utf8" {
		return English
	}
	for _, wanted := range append(strings.Split(strings.ToLower(getenv("LANGUAGE")), ":"), base) {
		wanted, _, _ = strings.Cut(strings.FieldsFunc(wanted+"_", func(r rune) bool { return r == '.' || r == '@' })[0],
			"_")
		if slices.Contains(Names, wanted) {
			return wanted
		}
	}
	return English
}
