package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/language"
	"fate-installer/installer/peer"
	"fate-installer/payload/count"
)

//go:embed page.html
var pageText string

// page is what the template shows.
type page struct {
	*Report
	Seal      *Seal
	Lang      string
	Attention []Check // refused, overridden and warning
	Others    []Check
	Signers   []string
}

// ApplianceRefused is why install refuses the appliance; blank: it does not.
func (p page) ApplianceRefused() string {
	if p.Appliance == nil {
		return ""
	}
	return p.Appliance.Refused
}

// Refused reports whether install would refuse the host or the appliance.
func (p page) Refused() bool { return p.Summary.Refused > 0 || p.ApplianceRefused() != "" }

// WritePage writes the report as one HTML page that needs no other file, no network and no script, for a screen and for
// A4 paper. All that comes from the host is escaped.
func WritePage(w io.Writer, r *Report, s *Seal, name string) error {
	if !slices.Contains(language.Names, name) {
		return fmt.Errorf("cannot write the report in language %q: there are %s", name,
			strings.Join(language.Names, ", "))
	}
	p := page{Report: r, Seal: s, Lang: "en", Signers: []string{"Operator", "Security officer"}}
	if name == language.Chinese {
		p.Lang = "zh-CN"
	}
	for _, c := range r.Checks {
		switch c.Status {
		case preflight.StatusRefused, preflight.StatusWaived, preflight.StatusWarning:
			p.Attention = append(p.Attention, c)
		default:
			p.Others = append(p.Others, c)
		}
	}
	order := []preflight.Status{preflight.StatusRefused, preflight.StatusWaived, preflight.StatusWarning}
	slices.SortStableFunc(p.Attention, func(a, b Check) int {
		return slices.Index(order, a.Status) - slices.Index(order, b.Status)
	})
	return templates()[name].Execute(w, p)
}

// templates are those of the languages. They are made when the first page is written.
var templates = sync.OnceValue(func() map[string]*template.Template {
	all := map[string]*template.Template{}
	for _, name := range language.Names {
		all[name] = template.Must(template.New("page").Funcs(functions(name)).Parse(pageText))
	}
	return all
})

// functions are those of the template, for one language.
func functions(name string) template.FuncMap {
	translated := func(table map[string]string, key, text string) string {
		if name == language.Chinese && table[key] != "" {
			return table[key]
		}
		return visible(text)
	}
	return template.FuncMap{
		"t": func(text string) string { return translated(chinese, text, cmp.Or(english[text], text)) },
		"number": func(n int, one string) string {
			noun := count.Noun(n, one)
			if name == language.Chinese {
				noun = chinese[count.Noun(2, one)]
			}
			return fmt.Sprint(n, " ", noun)
		},
		"title": func(id, title string) string {
			kind, _, _ := strings.Cut(id, ":")
			return translated(chineseTitles, kind, title)
		},
		"hardening": func(id, lookedAt string) string { return translated(chineseHardening, id, lookedAt) },
		"see":       visible,
		"say": func(text string) string {
			l := language.Of(name)
			if label := l.Label(text); label != text {
				return visible(label)
			}
			return visible(l.Text(text))
		},
		"date": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") },
		"memory": func(bytes uint64) string {
			if bytes == 0 || bytes > 1<<62 {
				return "?"
			}
			return count.Bytes(int64(bytes))
		},
		"class": classOf,
	}
}

// classOf is the CSS class of a word that says how something is.
func classOf(word any) string {
	switch word {
	case preflight.StatusRefused, peer.Failed, Wrong:
		return "bad"
	case preflight.StatusWarning, preflight.StatusWaived, peer.Warning, preflight.Found, Unsigned, Unchecked:
		return "odd"
	case preflight.StatusOK, preflight.StatusPlanned, peer.OK, Good:
		return "good"
	}
	return "none"
}

// visible shows characters that change how others are displayed, such as those for text from right to left, as their
// numbers.
func visible(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			fmt.Fprintf(&out, "\\u%04x", r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}
