// Package schema knows the tables that FATE-Flow and eggroll keep in a database, per release, and the way from the
// tables of one release to those of another. It is pure: it compares lists of tables and gives statements, and
// connects to nothing. The releases are those that upstream published from FATE 1.5.0 (eggroll 2.2.0) to 1.11.4
// (2.5.3).
//
// Upstream's own SQL covers the way only in part: there is none for 1.5.2 to 1.6.0 and for eggroll before 2.5, and the
// file for FATE 1.9.0 to 1.11.1 is in the packages since 1.11.2. So a caller first carries out the files of upstream
// that its package has ([Upstream]), then the changes listed here that are still missing ([Upgrade.Missing]), and
// judges the result by [Version.Compare].
package schema

import (
	"embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed flow.txt eggroll.txt
var texts embed.FS

// Part is one of the two databases of a party.
type Part string

// The parts, by the file that has their tables.
const (
	Flow    Part = "flow"    // FATE-Flow's, by FATE's release
	Eggroll Part = "eggroll" // eggroll's metadata, by eggroll's release
)

// program is the name of a part in messages.
func (p Part) program() string {
	if p == Eggroll {
		return "eggroll"
	}
	return "FATE"
}

// Column is a column of a table. Type is as information_schema prints it, without the display width of integers.
type Column struct {
	Name    string
	Type    string
	NotNull bool
	Default string // SQL text of the default; blank: none
	Auto    bool   // AUTO_INCREMENT
	Touch   bool   // ON UPDATE CURRENT_TIMESTAMP
}

// Table is a table with its columns in their order and the columns of its primary key. A name that ends in * stands
// for one table per day: a date of eight digits takes the place of the star.
type Table struct {
	Name    string
	Columns []Column
	Key     []string
}

// Has reports whether the table has a column.
func (t *Table) Has(column string) bool {
	_, found := t.column(column)
	return found
}

// column finds a column by its name.
func (t *Table) column(name string) (*Column, bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
	if i < 0 {
		return nil, false
	}
	return &t.Columns[i], true
}

// find gives the tables with a name; several when it stands for one per day.
func find(tables []Table, name string) []*Table {
	var out []*Table
	for i := range tables {
		if matches(name, tables[i].Name) {
			out = append(out, &tables[i])
		}
	}
	return out
}

var day = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\d{8}$`)
})

func matches(pattern, name string) bool {
	prefix, perDay := strings.CutSuffix(pattern, "*")
	if !perDay {
		return strings.EqualFold(pattern, name)
	}
	rest, ok := strings.CutPrefix(strings.ToLower(name), prefix)
	return ok && (day().MatchString(rest) || rest == "*")
}

// Version is a release and its tables.
type Version struct {
	Part    Part
	Release string
	Tables  []Table
}

// versions holds the tables of every release of both parts. The texts are part of the program: a mistake in them is
// found by the tests.
var versions = sync.OnceValue(func() map[Part]*history {
	return map[Part]*history{Flow: mustParse("flow.txt"), Eggroll: mustParse("eggroll.txt")}
})

// history is a file of this package: the releases of a part, the oldest first.
type history struct {
	releases []release
	tables   [][]Table // after each release
}

type release struct {
	name    string
	changes []Change
}

func mustParse(name string) *history {
	text, err := texts.ReadFile(name)
	if err != nil {
		panic(err)
	}
	h, err := parse(string(text))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	return h
}

// Of gives the tables of a release: those of the newest known release that is not later. It fails for a release of
// another major number or before the oldest known one.
func Of(p Part, release string) (Version, error) {
	h := versions()[p]
	oldest := h.releases[0].name
	if major(release) != major(oldest) {
		return Version{}, &UnknownError{p, release, fmt.Sprintf("only releases %s.x are known", major(oldest))}
	}
	if compare(release, oldest) < 0 {
		return Version{}, &UnknownError{p, release, "the oldest known release is " + oldest}
	}
	i := len(h.releases) - 1
	for compare(h.releases[i].name, release) > 0 {
		i--
	}
	return Version{p, h.releases[i].name, h.tables[i]}, nil
}

// UnknownError is a release whose tables are not known.
type UnknownError struct {
	Part    Part
	Release string
	Why     string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("the tables of %s %s are not known: %s", e.Part.program(), e.Release, e.Why)
}

// ErrCannotCarryOver is a way between two releases that upstream has no support for.
var ErrCannotCarryOver = errors.New("upstream cannot carry the data over")

// CarryOver says why the data of one release cannot become that of another; nil when it can. Upstream carries data
// over from an older to a newer release of FATE 1.x (eggroll 2.x), from 1.5.0 (2.2.0) on.
func CarryOver(p Part, from, to string) error {
	name := p.program()
	switch _, err := Of(p, from); {
	case major(from) != major(to):
		return fmt.Errorf("%w from %s %s to %s: the tables have nothing in common", ErrCannotCarryOver, name, from, to)
	case err != nil:
		return fmt.Errorf("%w from %s %s to %s: %w", ErrCannotCarryOver, name, from, to, err)
	case compare(to, from) < 0:
		return fmt.Errorf("%w from %s %s to the older %s", ErrCannotCarryOver, name, from, to)
	}
	return nil
}

// Changes reports whether two releases have different tables.
func Changes(p Part, from, to string) bool {
	a, errA := Of(p, from)
	b, errB := Of(p, to)
	if errA != nil || errB != nil {
		return from != to
	}
	for _, r := range versions()[p].releases {
		if compare(r.name, a.Release) > 0 && compare(r.name, b.Release) <= 0 && len(r.changes) > 0 {
			return true
		}
	}
	return compare(b.Release, a.Release) < 0 && Changes(p, to, from)
}

// Older reports whether a release came before another one.
func Older(release, than string) bool { return compare(release, than) < 0 }

func major(release string) string {
	m, _, _ := strings.Cut(release, ".")
	return m
}

// compare orders two releases number by number. Text after a number is ignored.
func compare(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if d := number(x) - number(y); d != 0 {
			return d
		}
	}
	return 0
}

func number(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	v, _ := strconv.Atoi(s[:n]) // no digits: 0
	return v
}
