package database

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// storedRow is a row of a table as far as Rows looks at it.
type storedRow struct {
	id     string
	key    []string
	pinned []string // values of Pinned; a NULL is blank
}

// rowRepairs lists the rows to insert, those to set right, and those to delete as duplicates or strangers.
func (a *administrator) rowRepairs(ctx context.Context, r Rows) ([]repair, error) {
	table := r.Schema + "." + r.Table
	stored, err := a.storedRows(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("cannot read the rows of %s: %w", table, err)
	}
	var out []repair
	for _, values := range r.Values {
		key := values[:len(r.Key)]
		matches := rowsWithKey(stored, key)
		if len(matches) == 0 {
			why := fmt.Sprintf("%s has no row %s", table, strings.Join(key, " "))
			out = append(out, repair{why, func(ctx context.Context) error {
				return a.insertRow(ctx, r, values)
			}})
			continue
		}
		if r.OnlyAdd {
			continue
		}
		for _, m := range matches[1:] {
			out = append(out, a.deletion(r, fmt.Sprintf("%s has row %s twice", table, strings.Join(key, " ")), m))
		}
		if want := r.pinned(values); !slices.Equal(matches[0].pinned, want) {
			out = append(out, a.pin(r, matches[0], want))
		}
	}
	for _, row := range stored {
		if r.isStranger(row) {
			out = append(out, a.deletion(r, fmt.Sprintf("%s has a row %s too many", table, strings.Join(row.key, " ")),
				row))
		}
	}
	return out, nil
}

// pinned gives, of the values of a row, those of Pinned.
func (r Rows) pinned(values []string) []string {
	out := make([]string, len(r.Pinned))
	for i, column := range r.Pinned {
		out[i] = values[len(r.Key)+slices.Index(r.Fill, column)]
	}
	return out
}

// pin sets the pinned columns of a row.
func (a *administrator) pin(r Rows, row storedRow, want []string) repair {
	why := fmt.Sprintf("row %s of %s.%s has %s %s, want %s", strings.Join(row.key, " "), r.Schema, r.Table,
		strings.Join(r.Pinned, ", "), strings.Join(row.pinned, ", "), strings.Join(want, ", "))
	return repair{why, func(ctx context.Context) error {
		set, args := make([]string, len(want)), make([]any, 0, len(want)+1)
		for i, column := range r.Pinned {
			set[i] = quoteName(column) + " = ?"
			args = append(args, want[i])
		}
		statement := fmt.Sprintf("UPDATE %s.%s SET %s WHERE %s = ?",
			quoteName(r.Schema), quoteName(r.Table), strings.Join(set, ", "), quoteName(r.ID))
		return a.exec(ctx, fmt.Sprintf("set a row of %s.%s right", r.Schema, r.Table), statement,
			append(args, row.id)...)
	}}
}

// isStranger reports whether a row is in the scope of the wanted ones without being one of them.
func (r Rows) isStranger(row storedRow) bool {
	scope := slices.Index(r.Key, r.Scope)
	if r.Scope == "" || scope < 0 {
		return false
	}
	inScope := slices.ContainsFunc(r.Values, func(values []string) bool { return values[scope] == row.key[scope] })
	wanted := slices.ContainsFunc(r.Values, func(values []string) bool {
		return slices.Equal(values[:len(r.Key)], row.key)
	})
	return inScope && !wanted
}

func rowsWithKey(stored []storedRow, key []string) []storedRow {
	var out []storedRow
	for _, row := range stored {
		if slices.Equal(row.key, key) {
			out = append(out, row)
		}
	}
	return out
}

// storedRows reads a table in the order of its ids. A table that does not exist yet has no rows.
func (a *administrator) storedRows(ctx context.Context, r Rows) ([]storedRow, error) {
	found, err := a.names(ctx, "SELECT table_name FROM information_schema.tables"+
		" WHERE table_schema = ? AND table_name = ?", r.Schema, r.Table)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	columns := quoteNames(slices.Concat([]string{r.ID}, r.Key, r.Pinned))
	rows, err := a.db.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s.%s ORDER BY %s",
		columns, quoteName(r.Schema), quoteName(r.Table), quoteName(r.ID)))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []storedRow
	for rows.Next() {
		row := storedRow{key: make([]string, len(r.Key)), pinned: make([]string, 0, len(r.Pinned))}
		cells := []any{&row.id}
		for i := range row.key {
			cells = append(cells, &row.key[i])
		}
		pinned := make([]sql.NullString, len(r.Pinned))
		for i := range pinned {
			cells = append(cells, &pinned[i])
		}
		if err := rows.Scan(cells...); err != nil {
			return nil, err
		}
		for _, p := range pinned {
			row.pinned = append(row.pinned, p.String)
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func (a *administrator) insertRow(ctx context.Context, r Rows, values []string) error {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")
	statement := fmt.Sprintf("INSERT INTO %s.%s (%s) VALUES (%s)",
		quoteName(r.Schema), quoteName(r.Table), quoteNames(slices.Concat(r.Key, r.Fill)), marks)
	return a.exec(ctx, fmt.Sprintf("add a row to %s.%s", r.Schema, r.Table), statement, args...)
}

func (a *administrator) deletion(r Rows, why string, row storedRow) repair {
	return repair{why, func(ctx context.Context) error {
		statement := fmt.Sprintf("DELETE FROM %s.%s WHERE %s = ?", quoteName(r.Schema),
			quoteName(r.Table), quoteName(r.ID))
		return a.exec(ctx, fmt.Sprintf("remove a row from %s.%s", r.Schema, r.Table), statement, row.id)
	}}
}

func quoteNames(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quoteName(name)
	}
	return strings.Join(quoted, ", ")
}
