package schema

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Upgrade is the way from the tables of one release to those of a later one.
type Upgrade struct {
	Part     Part
	From, To string
	releases []release
}

// Between gives the changes from one known release to another. The two may be equal.
func Between(p Part, from, to string) (*Upgrade, error) {
	if err := CarryOver(p, from, to); err != nil {
		return nil, err
	}
	a, err := Of(p, from)
	if err != nil {
		return nil, err
	}
	b, err := Of(p, to)
	if err != nil {
		return nil, err
	}
	u := &Upgrade{Part: p, From: a.Release, To: b.Release}
	for _, r := range versions()[p].releases {
		if compare(r.name, a.Release) > 0 && compare(r.name, b.Release) <= 0 {
			u.releases = append(u.releases, r)
		}
	}
	return u, nil
}

// Hops cuts the upgrade into one for each release on the way. They have to be carried out in their order, each as a
// whole before the next: a later release may undo what an earlier one did, so that only the tables in between tell
// what is done.
func (u *Upgrade) Hops() []*Upgrade {
	var out []*Upgrade
	from := u.From
	for _, r := range u.releases {
		out = append(out, &Upgrade{Part: u.Part, From: from, To: r.name, releases: []release{r}})
		from = r.name
	}
	return out
}

// Statement is one SQL statement of an upgrade.
type Statement struct {
	Release string // whose change it is
	SQL     string
}

// Missing lists the statements that bring the tables of a database to those of the upgrade's release, in order. What
// is so already is left out, and so are tables that are not there: their program creates them. For a hop, given the
// tables after a part of them was carried out, it lists the rest; only the statements that fill columns come again,
// and do nothing twice.
func (u *Upgrade) Missing(have []Table) []Statement {
	have = clone(have)
	var out []Statement
	for _, r := range u.releases {
		for _, c := range r.changes {
			for _, t := range find(have, c.Table) {
				if sql := c.statement(t); sql != "" {
					out = append(out, Statement{r.name, sql})
				}
			}
		}
	}
	return out
}

// statement is the SQL that makes the change to a table, and notes it in t; blank when nothing is to be done.
func (c Change) statement(t *Table) string {
	alter := "ALTER TABLE " + quote(t.Name) + " "
	name := c.Column.Name
	is, found := t.column(name)
	switch c.Kind {
	case AddColumn:
		if found {
			return ""
		}
		t.Columns = append(t.Columns, c.Column)
		if !c.Column.Auto {
			return alter + "ADD " + quote(name) + " " + c.Column.definition()
		}
		dropped := ""
		if len(t.Key) > 0 {
			dropped = "DROP PRIMARY KEY, "
		}
		t.Key = []string{name}
		return alter + dropped + "ADD " + quote(name) + " " + c.Column.definition() + " PRIMARY KEY FIRST"
	case ChangeColumn:
		if !found || c.Column.accepts(*is) {
			return ""
		}
		*is = c.Column
		return alter + "MODIFY " + quote(name) + " " + c.Column.definition()
	case RenameColumn:
		old, there := t.column(c.Old)
		if !there || found {
			return ""
		}
		*old = c.Column
		t.Key = slices.Clone(t.Key)
		for i := range t.Key {
			if t.Key[i] == c.Old {
				t.Key[i] = name
			}
		}
		return alter + "CHANGE " + quote(c.Old) + " " + quote(name) + " " + c.Column.definition()
	case DropColumn:
		if !found {
			return ""
		}
		dropped := "DROP COLUMN " + quote(name)
		t.Columns = slices.DeleteFunc(t.Columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
		if slices.Contains(t.Key, name) {
			t.Key = nil // the server drops a key of this column alone with it
		}
		return alter + dropped
	case SetKey:
		if slices.Equal(t.Key, c.Key) {
			return ""
		}
		dropped := ""
		if len(t.Key) > 0 {
			dropped = "DROP PRIMARY KEY, "
		}
		t.Key = c.Key
		return alter + dropped + "ADD PRIMARY KEY (" + quoteAll(c.Key) + ")"
	case FillColumn:
		return fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s = ''", quote(t.Name), quote(name), c.Value, quote(name))
	}
	return ""
}

// Repair lists the statements that end the differences which no release made: columns that were changed by hand.
// Those that hold what is there are safe; a server refuses to make a column narrower than what is in it.
func (v Version) Repair(have []Table) []Statement {
	var out []Statement
	for _, d := range v.Compare(have, false) {
		t := find(have, d.Table)[0]
		for _, w := range v.Tables {
			if !matches(w.Name, d.Table) {
				continue
			}
			alter := "ALTER TABLE " + quote(t.Name) + " "
			if c, known := w.column(d.Column); !known {
				left, _ := t.column(d.Column)
				alter += "MODIFY " + quote(left.Name) + " " + left.Type + " NULL"
			} else if d.Have == "" {
				alter += "ADD " + quote(c.Name) + " " + c.definition()
			} else {
				alter += "MODIFY " + quote(c.Name) + " " + c.definition()
			}
			out = append(out, Statement{v.Release, alter})
		}
	}
	return out
}

// Create gives the statements that make the tables of a version as its program makes them, for tests and for
// stand-ins. A table of single days gets the given date.
func (v Version) Create(date string) []string {
	var out []string
	for _, t := range v.Tables {
		var lines []string
		for _, c := range t.Columns {
			lines = append(lines, quote(c.Name)+" "+c.definition())
		}
		if len(t.Key) > 0 {
			lines = append(lines, "PRIMARY KEY ("+quoteAll(t.Key)+")")
		}
		name := strings.Replace(t.Name, "*", date, 1)
		out = append(out, "CREATE TABLE IF NOT EXISTS "+quote(name)+" (\n  "+strings.Join(lines, ",\n  ")+")")
	}
	return out
}

// Upstream picks, of the SQL files of a FATE or eggroll package, those that an upgrade needs, in the order in which
// they are to be carried out. FATE's are called OLD-NEW.sql and are needed when NEW is on the way; the one of eggroll
// is called upgrade-to-2.5.X.sql.
func (u *Upgrade) Upstream(files []string) []string {
	type script struct{ file, to string }
	var scripts []script
	for _, file := range files {
		name, isSQL := strings.CutSuffix(path.Base(file), ".sql")
		_, to, ok := strings.Cut(name, "-")
		if u.Part == Eggroll {
			to, ok = strings.CutPrefix(name, "upgrade-to-")
			to = strings.TrimSuffix(strings.ToUpper(to), ".X")
		}
		if !isSQL || !ok || major(to) != major(u.To) {
			continue
		}
		if compare(to, u.From) > 0 && compare(to, u.To) <= 0 {
			scripts = append(scripts, script{file, to})
		}
	}
	slices.SortStableFunc(scripts, func(a, b script) int { return compare(a.to, b.to) })
	var out []string
	for _, s := range scripts {
		out = append(out, s.file)
	}
	return out
}

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func quoteAll(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}
