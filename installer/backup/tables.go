package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"fate-installer/installer/host"
)

// tableHead begins a table: how it is made, and its columns.
type tableHead struct {
	Name    string   `json:"name"`
	Create  string   `json:"create"` // the statement that makes it, as the server shows it
	Columns []column `json:"columns"`
}

// column is a column whose values are in the rows. Generated ones are not.
type column struct {
	Name   string `json:"name"`
	Binary bool   `json:"binary,omitempty"` // its values are bytes and have no character set
}

type rowCount struct {
	Rows int64 `json:"rows"`
}

// tableName is what FATE-Flow and eggroll call their tables and columns: nothing that has to be quoted with care.
var tableName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_$]{1,64}$`)
})

func checkName(name string) error {
	if !tableName().MatchString(name) {
		return fmt.Errorf("the name %.80q of a table or column is unusual", name)
	}
	return nil
}

// quote makes a name that checkName has accepted an identifier.
func quote(name string) string { return "`" + name + "`" }

// Tables are those of one database on a server that Admin is a login to. Admin has one connection at a time.
type Tables struct {
	Admin  *sql.DB
	Schema string
}

// Server returns the flavour of the server, mysql or mariadb, and its version.
func (t Tables) Server(ctx context.Context) (flavour, version string, err error) {
	if err := t.Admin.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return "", "", fmt.Errorf("cannot ask the database server for its version: %w", err)
	}
	flavour = "mysql"
	if strings.Contains(version, "MariaDB") {
		flavour = "mariadb"
	}
	version, _, _ = strings.Cut(version, "-")
	return flavour, version, nil
}

// Size estimates the bytes of all tables.
func (t Tables) Size(ctx context.Context) (bytes int64, err error) {
	err = t.Admin.QueryRowContext(ctx, "SELECT CAST(COALESCE(SUM(data_length), 0) AS SIGNED) FROM "+
		"information_schema.tables WHERE table_schema = '"+t.Schema+"'").Scan(&bytes)
	if err != nil {
		return 0, fmt.Errorf("cannot tell how large the database %s is: %w", t.Schema, err)
	}
	return bytes, nil
}

// Dump writes all tables as they are at one moment: in one transaction with a snapshot, which programs that write
// neither disturb nor wait for. That is what mysqldump --single-transaction does; it is done here because an
// appliance need not carry that program. progress is given bytes of values.
func (t Tables) Dump(ctx context.Context, m *Manifest, w *RecordWriter, progress func(int64)) error {
	if err := checkName(t.Schema); err != nil {
		return err
	}
	db := &Database{Schema: t.Schema, Tables: []Table{}}
	var err error
	if db.Flavour, db.Version, err = t.Server(ctx); err != nil {
		return err
	}
	conn, err := t.Admin.Conn(ctx)
	if err != nil {
		return fmt.Errorf("cannot back up the database: %w", err)
	}
	defer conn.Close()
	for _, statement := range []string{"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
		"START TRANSACTION /*!50600 WITH CONSISTENT SNAPSHOT, READ ONLY */"} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("cannot begin to back up the database: %w", err)
		}
	}
	names, err := t.names(ctx, conn, m)
	if err != nil {
		return err
	}
	for _, name := range names {
		rows, err := t.dumpTable(ctx, conn, name, w, func(n int64) {
			db.Bytes += n
			progress(n)
		})
		if err != nil {
			return fmt.Errorf("cannot back up the table %s.%s: %w", t.Schema, name, err)
		}
		db.Tables = append(db.Tables, Table{name, rows})
	}
	if err := t.counts(ctx, conn, db); err != nil {
		return err
	}
	m.Database = db
	_, err = conn.ExecContext(ctx, "ROLLBACK")
	return err
}

// names lists the tables. A table of an engine without transactions would not be in the snapshot and is refused; views
// hold no data, and are named as not backed up.
func (t Tables) names(ctx context.Context, conn *sql.Conn, m *Manifest) (names []string, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT table_name, table_type, COALESCE(engine, '')
		FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name`, t.Schema)
	if err != nil {
		return nil, fmt.Errorf("cannot list the tables of %s: %w", t.Schema, err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind, engine string
		if err := rows.Scan(&name, &kind, &engine); err != nil {
			return nil, fmt.Errorf("cannot list the tables of %s: %w", t.Schema, err)
		}
		if err := checkName(name); err != nil {
			return nil, err
		}
		switch {
		case kind != "BASE TABLE":
			m.NotBacked = append(m.NotBacked, fmt.Sprintf("%s.%s, which is a %s", t.Schema, name,
				strings.ToLower(kind)))
		case !strings.EqualFold(engine, "InnoDB"):
			return nil, fmt.Errorf("cannot back up the table %s.%s while it is in use: its engine is %s, and only "+
				"InnoDB has snapshots; ALTER TABLE %s.%s ENGINE=InnoDB changes it", t.Schema, name, engine, t.Schema,
				name)
		default:
			names = append(names, name)
		}
	}
	return names, rows.Err()
}

func (t Tables) dumpTable(ctx context.Context, conn *sql.Conn, name string, w *RecordWriter,
	progress func(int64)) (count int64, err error) {
	head := tableHead{Name: name}
	var same string
	table := quote(t.Schema) + "." + quote(name)
	if err := conn.QueryRowContext(ctx, "SHOW CREATE TABLE "+table).Scan(&same, &head.Create); err != nil {
		return 0, err
	}
	if head.Columns, err = t.columns(ctx, conn, name); err != nil {
		return 0, err
	}
	if err := w.json(recordTable, head); err != nil {
		return 0, err
	}
	var list []string
	for _, c := range head.Columns {
		list = append(list, quote(c.Name))
	}
	// #nosec G202 -- quoted names, which no statement takes as parameters
	rows, err := conn.QueryContext(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+table)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	values := make([]sql.RawBytes, len(head.Columns))
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	var row []byte
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return 0, err
		}
		row = row[:0]
		for _, v := range values {
			row = appendValue(row, v)
		}
		if err := w.put(recordRow, row); err != nil {
			return 0, err
		}
		count++
		progress(int64(len(row)))
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	return count, w.json(recordRows, rowCount{count})
}

func (t Tables) columns(ctx context.Context, conn *sql.Conn, name string) (out []column, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT column_name, data_type FROM information_schema.columns
		WHERE table_schema = ? AND table_name = ? AND extra NOT LIKE '%VIRTUAL%'
			AND extra NOT LIKE '%STORED%' AND extra NOT LIKE '%PERSISTENT%' ORDER BY ordinal_position`, t.Schema, name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c column
		var kind string
		if err := rows.Scan(&c.Name, &kind); err != nil {
			return nil, err
		}
		if err := checkName(c.Name); err != nil {
			return nil, err
		}
		switch kind = strings.ToLower(kind); {
		case strings.HasSuffix(kind, "blob"), strings.HasSuffix(kind, "binary"), kind == "bit", kind == "geometry":
			c.Binary = true
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// counts adds what people want to know of the tables, within the snapshot.
func (t Tables) counts(ctx context.Context, conn *sql.Conn, db *Database) error {
	for _, q := range []struct {
		table, query string
		into         *int64
	}{
		{"t_job", "COUNT(DISTINCT f_job_id)", &db.Jobs},
		{"t_machine_learning_model_info", "COUNT(DISTINCT f_model_id, f_model_version)", &db.Models},
	} {
		if !hasTable(db, q.table) {
			continue
		}
		err := conn.QueryRowContext(ctx, "SELECT "+q.query+" FROM "+quote(t.Schema)+"."+quote(q.table)).Scan(q.into)
		if err != nil {
			return fmt.Errorf("cannot count the rows of %s: %w", q.table, err)
		}
	}
	return nil
}

func hasTable(db *Database, name string) bool {
	for _, t := range db.Tables {
		if t.Name == name {
			return true
		}
	}
	return false
}

// tableSink takes tables as they are read.
type tableSink interface {
	begin(tableHead) error
	row(values [][]byte) error
	end(rows int64) error
}

// readTables reads the stream of the database.
func readTables(r *recordReader, sink tableSink) error {
	var head *tableHead
	rows := int64(0)
	for {
		kind, content, err := r.next()
		if err != nil {
			return err
		}
		switch {
		case kind == recordEnd && head == nil:
			return nil
		case kind == recordTable && head == nil:
			head, rows = &tableHead{}, 0
			if err := decode(content, head); err != nil {
				return err
			}
			if err := head.check(); err != nil {
				return err
			}
			err = sink.begin(*head)
			if err != nil {
				return err
			}
		case kind == recordRow && head != nil:
			values, err := splitRow(content, len(head.Columns))
			if err != nil {
				return err
			}
			if rows++; rows < 0 {
				return errors.New("a table has too many rows")
			}
			if err := sink.row(values); err != nil {
				return fmt.Errorf("table %s: %w", head.Name, err)
			}
		case kind == recordRows && head != nil:
			var n rowCount
			if err := decode(content, &n); err != nil {
				return err
			}
			if n.Rows != rows {
				return fmt.Errorf("table %s has %d rows, and should have %d", head.Name, rows, n.Rows)
			}
			if err := sink.end(rows); err != nil {
				return fmt.Errorf("table %s: %w", head.Name, err)
			}
			head = nil
		default:
			return unexpected(kind)
		}
	}
}

// check refuses what could do more than make a table of that name.
func (h *tableHead) check() error {
	if err := checkName(h.Name); err != nil {
		return err
	}
	if !strings.HasPrefix(h.Create, "CREATE TABLE "+quote(h.Name)+" (") {
		return fmt.Errorf("the table %s is not made by CREATE TABLE", h.Name)
	}
	if len(h.Columns) == 0 || len(h.Columns) > 4096 {
		return fmt.Errorf("the table %s has an impossible number of columns", h.Name)
	}
	for _, c := range h.Columns {
		if err := checkName(c.Name); err != nil {
			return err
		}
	}
	return nil
}

// tableCount counts what it is given.
type tableCount struct {
	tables []Table
	name   string
}

func (c *tableCount) begin(h tableHead) error { c.name = h.Name; return nil }
func (c *tableCount) row([][]byte) error      { return nil }
func (c *tableCount) end(rows int64) error {
	c.tables = append(c.tables, Table{c.name, rows})
	return nil
}

// compare refuses tables that are not those of the manifest.
func (c *tableCount) compare(db *Database) error {
	var want []Table
	if db != nil {
		want = db.Tables
	}
	if len(want) != len(c.tables) {
		return fmt.Errorf("the backup has %d tables, and should have %d", len(c.tables), len(want))
	}
	for i, t := range want {
		if c.tables[i] != t {
			return fmt.Errorf("the backup has table %s with %d rows, and should have %s with %d", c.tables[i].Name,
				c.tables[i].Rows, t.Name, t.Rows)
		}
	}
	return nil
}

// fits refuses tables that the server here cannot take over.
func (d *Database) fits(flavour, version string) error {
	if d.Flavour != flavour {
		return fmt.Errorf("its tables are those of %s %s, and the server here is %s %s", d.Flavour, d.Version, flavour,
			version)
	}
	if host.CompareVersions(d.Version, version) > 0 {
		return fmt.Errorf("its tables are those of %s %s, and the server here is the older %s", d.Flavour, d.Version,
			version)
	}
	return nil
}
