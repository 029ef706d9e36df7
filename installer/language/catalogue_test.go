package language

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// entriesOf reads the catalogues of a language.
func entriesOf(t testing.TB, name string) []Entry {
	t.Helper()
	files, err := fs.Glob(Catalogues, name+"/*.po")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	var all []Entry
	for _, file := range files {
		data, err := fs.ReadFile(Catalogues, file)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := ParsePO(string(data))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, entries...)
	}
	return all
}

// wide is a translation of any text: its letters, in full width.
func wide(text string) string {
	var out strings.Builder
	for _, p := range piecesOf(text) {
		if p.verb != 0 {
			out.WriteString(p.source)
			continue
		}
		for _, r := range strings.ReplaceAll(p.literal, "%", "%%") {
			if r|0x20 >= 'a' && r|0x20 <= 'z' {
				r += 0xfee0
			}
			out.WriteRune(r)
		}
	}
	return out.String()
}

// TestEveryTextIsRecognised prints each format of the catalogue with some values, and translates the result: it has to
// be the translation with the same values. The catalogue is taken once with its own translations, and once with those
// of wide, so that texts whose translation equals them are held apart, too.
func TestEveryTextIsRecognised(t *testing.T) {
	entries := entriesOf(t, Chinese)
	pseudo := make([]Entry, len(entries))
	for i, e := range entries {
		pseudo[i] = e
		pseudo[i].Text = wide(e.English)
	}
	for name, entries := range map[string][]Entry{"own": entries, "wide": pseudo} {
		c := newCatalogue(entries)
		l := &Language{name: Chinese, load: func() *catalogue { return c }}
		seen := map[string]string{} // two formats may print the same: cannot read %s: %v, and %w
		for _, e := range entries {
			if e.Text == "" || e.Context != "" {
				continue
			}
			text, values := sample(e.English)
			want := printed(piecesOf(aligned(e.English, e.Text)), values)
			if before, twice := seen[text]; twice {
				if before != want {
					t.Errorf("%s: %q has two translations: %q and %q", name, text, before, want)
				}
				continue
			}
			seen[text] = want
			if got := strings.TrimSpace(l.Text(text)); got != strings.TrimSpace(want) {
				t.Errorf("%s: %q:\n%q, want\n%q", name, text, got, want)
			}
		}
	}
}

// sample is what a format prints, and the values of its arguments.
func sample(format string) (text string, values map[int]string) {
	values = map[int]string{}
	var out strings.Builder
	pieces := piecesOf(format)
	for i, p := range pieces {
		if p.verb == 0 {
			out.WriteString(p.literal)
			continue
		}
		value := ""
		switch p.verb {
		case 'q':
			value = fmt.Sprintf("%q", fmt.Sprint("Q", p.arg))
		case 'd', 'x', 'X', 'o':
			value = fmt.Sprint(p.arg + 3)
		case 'f', 'g':
			value = fmt.Sprint(p.arg, ".5")
		case 't':
			value = "true"
		case 'c':
			value = "#"
		case 'U':
			value = "U+00A0"
		default:
			value = fmt.Sprint("/V", p.arg)
		}
		if known, ok := values[p.arg]; ok {
			value = known
		}
		if i > 0 && pieces[i-1].verb != 0 && pieces[i-1].isText() && p.isText() {
			value = "" // where it begins cannot be seen
		}
		values[p.arg] = value
		left, width, _ := layout(p.flags)
		if strings.HasPrefix(p.flags, "0") {
			value = strings.Repeat("0", max(0, width-len(value))) + value
			values[p.arg] = value
		}
		if gap := strings.Repeat(" ", max(0, width-len(value))); left {
			value += gap
		} else {
			value = gap + value
		}
		out.WriteString(value)
	}
	return out.String(), values
}

// pseudoLanguage has a translation of every text.
func pseudoLanguage(t testing.TB) *Language {
	entries := entriesOf(t, Chinese)
	for i, e := range entries {
		entries[i].Text = wide(e.English)
	}
	c := newCatalogue(entries)
	return &Language{name: Chinese, load: func() *catalogue { return c }}
}

// FuzzText holds that a text takes bounded time, and that one without a letter, or without a known text, stays.
func FuzzText(f *testing.F) {
	l := pseudoLanguage(f)
	for i, e := range entriesOf(f, Chinese) {
		if text, _ := sample(e.English); i%20 == 0 && e.Context == "" {
			f.Add(text + ": " + text)
		}
	}
	for _, text := range hostile() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := l.Text(text)
		if letters(text) == 0 && got != text {
			t.Fatalf("%q became %q", text, got)
		}
		for _, line := range strings.Split(text, "\n") {
			tr := newTranslation(l.catalogue())
			if tr.line(strings.TrimSpace(line)); tr.effort > efforts+longest/128*deepest {
				t.Fatalf("%d looks for %q", tr.effort, line)
			}
		}
		if none := small(nil).Text(text); strings.Contains(none, "无法") && !strings.Contains(text, "无法") &&
			!strings.Contains(text, "cannot read") {
			t.Fatalf("%q became %q", text, none)
		}
	})
}

// hostile are texts made to take long.
func hostile() []string {
	return []string{
		strings.Repeat("a: ", 5000), strings.Repeat("cannot read ", 1300), strings.Repeat("no of is it and or not the ", 600),
		strings.Repeat("cannot read x: ", 1000), strings.Repeat("(", 16000), strings.Repeat(" (a", 5000) + ")",
		strings.Repeat("; ", 8000), strings.Repeat("cannot read \"", 1200),
	}
}

func BenchmarkText(b *testing.B) {
	l := pseudoLanguage(b)
	var screen []string
	for i, e := range entriesOf(b, Chinese) {
		if text, _ := sample(e.English); i%42 == 0 && e.Context == "" && len(text) < 300 {
			screen = append(screen, "fate-mysql: "+text)
		}
	}
	b.Run(fmt.Sprint("screen of ", len(screen), " texts"), func(b *testing.B) {
		for b.Loop() {
			for _, text := range screen {
				l.Text(text)
			}
		}
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			load(Chinese)
		}
	})
	for i, text := range hostile() {
		b.Run(fmt.Sprint("hostile ", i), func(b *testing.B) {
			for b.Loop() {
				l.Text(text)
			}
		})
	}
}
