package messages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"fate-installer/installer/language"
)

// Directory has the catalogues, below the directory of this module.
const Directory = "installer/language"

// Outside is the catalogue of texts of others that people see, such as errors of the kernel. It is written by hand.
const Outside = "outside.po"

// Merged are the catalogues of a language below root for the texts of the source, by file: translations stay, what is
// new has none, and what is not used any more is left out.
func Merged(root, name string) (map[string]string, error) {
	found, err := Find(root)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(root, Directory, name, "*.po"))
	if err != nil {
		return nil, err
	}
	known, out := map[Key]string{}, map[string]string{}
	for _, file := range files {
		entries, err := read(file)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if key := (Key{e.Context, e.English}); known[key] == "" {
				known[key] = e.Text
			}
		}
		if filepath.Base(file) == Outside {
			out[Outside] = language.FormatPO(entries)
		}
	}
	for file, keys := range found {
		entries := make([]language.Entry, len(keys))
		for i, key := range keys {
			entries[i] = language.Entry{Context: key.Context, English: key.English, Text: known[key]}
		}
		out[file] = language.FormatPO(entries)
	}
	return out, nil
}

func read(file string) ([]language.Entry, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	entries, err := language.ParsePO(string(data))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	}
	return entries, nil
}

// Check returns what is wrong with the catalogues of a language: texts of the source that they lack or have without a
// translation, entries that no text needs, and translations that do not fit their text.
func Check(root, name string) (wrong []string, err error) {
	found, err := Find(root)
	if err != nil {
		return nil, err
	}
	complain := func(file string, line int, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s/%s:%d: %s", name, file, line, fmt.Sprintf(format, args...)))
	}
	files, err := fs.Glob(os.DirFS(filepath.Join(root, Directory, name)), "*.po")
	if err != nil {
		return nil, err
	}
	wanted := map[Key]string{}
	for file, keys := range found {
		for _, key := range keys {
			wanted[key] = file
		}
	}
	have := map[Key]bool{}
	for _, file := range files {
		entries, err := read(filepath.Join(root, Directory, name, file))
		var syntax *language.SyntaxError
		if errors.As(err, &syntax) {
			complain(file, syntax.Line, "%s", syntax.Message)
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			key := Key{e.Context, e.English}
			switch in, used := wanted[key]; {
			case have[key]:
				complain(file, e.Line, "%q is here or in another file twice", e.English)
			case !used && file != Outside:
				complain(file, e.Line, "no text of the source is %q", e.English)
			case used && in != file:
				complain(file, e.Line, "%q belongs to %s", e.English, in)
			case e.Text == "":
				complain(file, e.Line, "%q has no translation", e.English)
			default:
				if problem := Misfit(e); problem != "" {
					complain(file, e.Line, "%q: %s", e.English, problem)
				}
			}
			have[key] = true
		}
	}
	for file, keys := range found {
		for _, key := range keys {
			if !have[key] {
				complain(file, 0, "%q is missing", key.English)
			}
		}
	}
	return wrong, nil
}

// Misfit says why a translation does not fit its text; blank: it does.
func Misfit(e language.Entry) string {
	from, to := language.Verbs(e.English), language.Verbs(e.Text)
	switch {
	case from != to:
		return fmt.Sprintf("the translation has the verbs %q, not %q", to, from)
	case strings.TrimSpace(e.Text) != e.Text:
		return "the translation has space at its beginning or end"
	case strings.Count(e.English, "\n\n") == 0 && strings.Contains(e.Text, "\n\n"):
		return "the translation has two paragraphs"
	case strings.Contains(e.Text, "\ufffd"):
		return "the translation is not UTF-8"
	}
	return ""
}
