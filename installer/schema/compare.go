package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Difference is something of a table that a release does not work with.
type Difference struct {
	Table, Column string // Column is blank when the whole table is missing
	Want, Have    string // definitions; Have is blank when it is missing, Want when the release does not know it
}

func (d Difference) String() string {
	switch {
	case d.Column == "":
		return "table " + d.Table + " is missing"
	case d.Have == "":
		return fmt.Sprintf("%s.%s is missing (want %s)", d.Table, d.Column, d.Want)
	case d.Want == "":
		return fmt.Sprintf("%s.%s (%s) must be given a value in every row, and the release does not know it",
			d.Table, d.Column, d.Have)
	}
	return fmt.Sprintf("%s.%s is %s, want %s", d.Table, d.Column, d.Have, d.Want)
}

// Compare lists what keeps the release from working with the tables of a database. What is there beyond the release's
// tables and columns does no harm, nor does a type that holds more, nor a column that may be NULL. Tables that are
// missing are listed only when complete is set: FATE-Flow creates them when it starts. Those of single days never
// count as missing.
func (v Version) Compare(have []Table, complete bool) []Difference {
	var out []Difference
	for _, want := range v.Tables {
		found := find(have, want.Name)
		if len(found) == 0 && complete && !strings.HasSuffix(want.Name, "*") {
			out = append(out, Difference{Table: want.Name})
		}
		for _, t := range found {
			out = append(out, compareTable(want, *t)...)
		}
	}
	return out
}

func compareTable(want, have Table) []Difference {
	var out []Difference
	for _, w := range want.Columns {
		h, found := have.column(w.Name)
		switch {
		case !found:
			out = append(out, Difference{Table: have.Name, Column: w.Name, Want: w.definition()})
		case !w.accepts(*h):
			out = append(out, Difference{Table: have.Name, Column: w.Name, Want: w.definition(), Have: h.definition()})
		}
	}
	for _, h := range have.Columns {
		if _, known := want.column(h.Name); !known && h.NotNull && h.Default == "" && !h.Auto {
			out = append(out, Difference{Table: have.Name, Column: h.Name, Have: h.definition()})
		}
	}
	return out
}

// accepts reports whether a column that is there can be used as the wanted one.
func (c Column) accepts(have Column) bool {
	if have.NotNull && !c.NotNull && !c.Auto && have.Default == "" {
		return false // rows without a value would be refused
	}
	if c.Auto != have.Auto {
		return false
	}
	want, is := Normal(c.Type), Normal(have.Type)
	if want == is {
		return true
	}
	wantFamily, wantSize := capacity(want)
	isFamily, isSize := capacity(is)
	return wantFamily != "" && wantFamily == isFamily && isSize >= wantSize
}

var displayWidth = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(smallint|mediumint|int|bigint)\(\d+\)`)
})

// Normal gives a type as this package writes it: without the display width of an integer, which servers print or do
// not, and in lower case.
func Normal(kind string) string {
	return displayWidth().ReplaceAllString(strings.ToLower(strings.TrimSpace(kind)), "$1")
}

var sized = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^varchar\((\d+)\)$`)
})

// capacity gives the family of a type and how much it holds, so that a larger one can be used in its place.
func capacity(kind string) (family string, size int) {
	if m := sized().FindStringSubmatch(kind); m != nil {
		n, _ := strconv.Atoi(m[1]) // digits
		return "text", n
	}
	texts := []string{"text", "mediumtext", "longtext"}
	if i := slices.Index(texts, kind); i >= 0 {
		return "text", 1<<16 + i
	}
	base, sign := strings.CutSuffix(kind, " unsigned")
	whole := "int"
	if sign {
		whole = "unsigned"
	}
	numbers := []string{"tinyint(1)", "smallint", "mediumint", "int", "bigint"}
	if i := slices.Index(numbers, base); i >= 0 {
		return whole, i
	}
	return "", 0
}

// definition is the column in SQL, without its name.
func (c Column) definition() string {
	out := c.Type
	if c.NotNull {
		out += " NOT NULL"
	}
	if c.Auto {
		out += " AUTO_INCREMENT"
	}
	if c.Default != "" {
		out += " DEFAULT " + c.Default
	}
	if c.Touch {
		out += " ON UPDATE current_timestamp"
	}
	return out
}

// Recognise finds the release whose program made the tables of a database: of all releases with these tables the
// oldest, since a later one of them may have carried out nothing yet. A database without any of the tables is of no
// release: "".
func Recognise(p Part, have []Table) (string, error) {
	h := versions()[p]
	known := slices.ContainsFunc(h.tables, func(tables []Table) bool {
		return slices.ContainsFunc(tables, func(t Table) bool { return len(find(have, t.Name)) > 0 })
	})
	if !known {
		return "", nil
	}
	fits := -1
	closest, why := 0, []Difference(nil)
	for i := range h.releases {
		missing := missingColumns(h.tables[i], have)
		switch {
		case len(missing) == 0:
			fits = i
		case why == nil || len(missing) <= len(why):
			closest, why = i, missing
		}
	}
	if fits < 0 {
		return "", &StrangeError{p, h.releases[closest].name, why}
	}
	for fits > 0 && len(h.releases[fits].changes) == 0 {
		fits--
	}
	return h.releases[fits].name, nil
}

func missingColumns(want, have []Table) []Difference {
	var out []Difference
	for _, w := range want {
		for _, t := range find(have, w.Name) {
			for _, c := range w.Columns {
				if _, found := t.column(c.Name); !found {
					out = append(out, Difference{Table: t.Name, Column: c.Name, Want: c.definition()})
				}
			}
		}
	}
	return out
}

// StrangeError is a database whose tables are those of no release.
type StrangeError struct {
	Part    Part
	Closest string // the release with the fewest differences
	Lacks   []Difference
}

func (e *StrangeError) Error() string {
	const shown = 5
	text := make([]string, 0, shown)
	for _, d := range e.Lacks[:min(shown, len(e.Lacks))] {
		text = append(text, d.String())
	}
	more := ""
	if n := len(e.Lacks) - shown; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("the tables are of no known release of %s; for %s, the closest: %s%s",
		e.Part.program(), e.Closest, strings.Join(text, "; "), more)
}

// Repeat says how to go on.
func (e *StrangeError) Repeat() (before, after string) {
	return "add what is missing by hand, or restore the database from a backup, then", ""
}
