package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is the type of a [Change].
type Kind string

// The kinds, by their words in the files of this package.
const (
	NewTable     Kind = "table"  // the release has the table; the program or its own script creates it
	AddColumn    Kind = "add"    // Column
	ChangeColumn Kind = "change" // Column
	DropColumn   Kind = "drop"   // Column.Name
	RenameColumn Kind = "rename" // Old to Column
	FillColumn   Kind = "fill"   // Column.Name gets Value where it is an empty text
	SetKey       Kind = "key"    // Key
	LeaveTable   Kind = "gone"   // the release uses the table no more; it stays
)

// Change is one difference between the tables of a release and those of the one before it.
type Change struct {
	Kind   Kind
	Table  string // may end in *, see [Table]
	Column Column
	Old    string   // RenameColumn: the former name
	Value  string   // FillColumn: SQL text
	Key    []string // SetKey
}

// parse reads a file of this package. The form is explained at the top of flow.txt.
func parse(text string) (*history, error) {
	h := &history{}
	var tables []Table
	close := func() {
		if len(h.releases) > 0 {
			h.tables = append(h.tables, clone(tables))
		}
	}
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		var err error
		switch {
		case words[0] == "release" && len(words) == 2:
			close()
			h.releases = append(h.releases, release{name: words[1]})
		case len(h.releases) == 0:
			err = fmt.Errorf("no release above it")
		case strings.HasPrefix(line, " "):
			err = continueTable(tables, words)
		default:
			current := &h.releases[len(h.releases)-1]
			var c Change
			if c, err = parseChange(words); err == nil {
				current.changes = append(current.changes, c)
				tables, err = c.apply(tables)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	close()
	if len(h.releases) == 0 {
		return nil, fmt.Errorf("no release")
	}
	return h, nil
}

func clone(tables []Table) []Table {
	out := slices.Clone(tables)
	for i := range out {
		out[i].Columns = slices.Clone(out[i].Columns)
	}
	return out
}

// continueTable adds a column or the key to the table that was begun last.
func continueTable(tables []Table, words []string) error {
	if len(tables) == 0 {
		return fmt.Errorf("no table above it")
	}
	t := &tables[len(tables)-1]
	if words[0] == "key" && len(words) == 2 {
		t.Key = strings.Split(words[1], ",")
		return nil
	}
	c, err := parseColumn(words)
	if err == nil {
		t.Columns = append(t.Columns, c)
	}
	return err
}

func parseChange(words []string) (Change, error) {
	c := Change{Kind: Kind(words[0])}
	least := map[Kind]int{
		NewTable: 2, LeaveTable: 2, AddColumn: 4, ChangeColumn: 4, DropColumn: 3, RenameColumn: 5, FillColumn: 4,
		SetKey: 3,
	}[c.Kind]
	if least == 0 || len(words) < least {
		return c, fmt.Errorf("cannot understand %q", strings.Join(words, " "))
	}
	c.Table = words[1]
	var err error
	switch c.Kind {
	case AddColumn, ChangeColumn:
		c.Column, err = parseColumn(words[2:])
	case DropColumn:
		c.Column.Name = words[2]
	case RenameColumn:
		c.Old = words[2]
		c.Column, err = parseColumn(words[3:])
	case FillColumn:
		c.Column.Name, c.Value = words[2], strings.Join(words[3:], " ")
	case SetKey:
		c.Key = strings.Split(words[2], ",")
	}
	return c, err
}

// parseColumn reads NAME TYPE [unsigned] [not null] [auto_increment] [default X] [on update current_timestamp].
func parseColumn(words []string) (Column, error) {
	if len(words) < 2 {
		return Column{}, fmt.Errorf("cannot understand the column %q", strings.Join(words, " "))
	}
	c := Column{Name: words[0], Type: words[1]}
	for rest := words[2:]; len(rest) > 0; {
		n := 1
		switch {
		case rest[0] == "unsigned":
			c.Type += " unsigned"
		case rest[0] == "auto_increment":
			c.Auto = true
		case len(rest) > 1 && rest[0] == "not" && rest[1] == "null":
			c.NotNull, n = true, 2
		case len(rest) > 1 && rest[0] == "default":
			c.Default, n = rest[1], 2
		case len(rest) > 2 && rest[0] == "on" && rest[1] == "update":
			c.Touch, n = true, 3
		default:
			return c, fmt.Errorf("cannot understand %q of column %s", rest[0], c.Name)
		}
		rest = rest[n:]
	}
	return c, nil
}

// apply gives the tables after the change.
func (c Change) apply(tables []Table) ([]Table, error) {
	if c.Kind == NewTable {
		if len(find(tables, c.Table)) > 0 {
			return nil, fmt.Errorf("table %s is there already", c.Table)
		}
		return append(tables, Table{Name: c.Table}), nil
	}
	tables = clone(tables)
	i := slices.IndexFunc(tables, func(t Table) bool { return t.Name == c.Table })
	if i < 0 {
		return nil, fmt.Errorf("there is no table %s", c.Table)
	}
	t := &tables[i]
	name := c.Column.Name
	if c.Kind == RenameColumn {
		name = c.Old
	}
	column, found := t.column(name)
	needsOld := []Kind{ChangeColumn, DropColumn, RenameColumn, FillColumn}
	if slices.Contains(needsOld, c.Kind) && !found {
		return nil, fmt.Errorf("table %s has no column %s", c.Table, name)
	}
	switch c.Kind {
	case LeaveTable:
		return slices.Delete(tables, i, i+1), nil
	case AddColumn:
		if found {
			return nil, fmt.Errorf("table %s has a column %s already", c.Table, name)
		}
		t.Columns = append(t.Columns, c.Column)
		if c.Column.Auto {
			t.Key = []string{name}
		}
	case ChangeColumn, RenameColumn:
		*column = c.Column
	case DropColumn:
		t.Columns = slices.DeleteFunc(t.Columns, func(c Column) bool { return c.Name == name })
	case SetKey:
		t.Key = c.Key
	}
	return tables, nil
}
