package database

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"fate-installer/installer/schema"
)

// readTables reads the tables of a schema with their columns and primary keys.
func readTables(ctx context.Context, db *sql.DB, name string) ([]schema.Table, error) {
	rows, err := db.QueryContext(ctx, "SELECT table_name, column_name, column_type, is_nullable, column_default, extra"+
		" FROM information_schema.columns WHERE table_schema = ? ORDER BY table_name, ordinal_position", name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []schema.Table
	for rows.Next() {
		var table, column, kind, nullable, extra string
		var initial sql.NullString
		if err := rows.Scan(&table, &column, &kind, &nullable, &initial, &extra); err != nil {
			return nil, err
		}
		if len(out) == 0 || out[len(out)-1].Name != table {
			out = append(out, schema.Table{Name: table})
		}
		c := schema.Column{
			Name: column, Type: schema.Normal(kind), NotNull: nullable == "NO",
			Auto: strings.Contains(extra, "auto_increment"),
		}
		if initial.Valid && initial.String != "NULL" { // MariaDB's word for none
			c.Default = initial.String
			if c.Default == "" {
				c.Default = "''"
			}
		}
		out[len(out)-1].Columns = append(out[len(out)-1].Columns, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return out, readKeys(ctx, db, name, out)
}

func readKeys(ctx context.Context, db *sql.DB, name string, tables []schema.Table) error {
	rows, err := db.QueryContext(ctx, "SELECT table_name, column_name FROM information_schema.statistics"+
		" WHERE table_schema = ? AND index_name = 'PRIMARY' ORDER BY table_name, seq_in_index", name)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return err
		}
		if i := slices.IndexFunc(tables, func(t schema.Table) bool { return t.Name == table }); i >= 0 {
			tables[i].Key = append(tables[i].Key, column)
		}
	}
	return rows.Err()
}
