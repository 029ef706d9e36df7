package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// The tables of a backup are loaded into a database of their own, and change places with those in use when all of them
// are there. What was in use stays in another one until the restore is complete.
const (
	stagedSuffix = "_fate_restore"
	formerSuffix = "_fate_former"
)

func (t Tables) staged() string { return t.Schema + stagedSuffix }
func (t Tables) former() string { return t.Schema + formerSuffix }

// load reads the stream of the database into the staging database, which it makes again.
func (t Tables) load(ctx context.Context, r *recordReader, progress func(int64)) ([]Table, error) {
	if err := t.exec(ctx, "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'", "SET SESSION foreign_key_checks = 0",
		"SET SESSION unique_checks = 0", "DROP DATABASE IF EXISTS "+quote(t.staged()),
		"CREATE DATABASE "+quote(t.staged()), "USE "+quote(t.staged())); err != nil {
		return nil, err
	}
	l := &tableLoader{tables: t, ctx: ctx, progress: progress}
	if err := readTables(r, l); err != nil {
		return nil, err
	}
	return l.counted.tables, nil
}

// exec carries out statements, on the one connection.
func (t Tables) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := t.Admin.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("cannot change the database: %w (%.80s)", err, s)
		}
	}
	return nil
}

// tableLoader fills tables.
type tableLoader struct {
	tables   Tables
	ctx      context.Context
	progress func(int64)
	counted  tableCount

	head   tableHead
	insert string // the beginning of the statement
	places string // for one row
	rows   int    // collected
	size   int64
	values []any
}

// A statement takes this many rows or bytes of values.
const (
	batchRows  = 500
	batchBytes = 1 << 20
)

func (l *tableLoader) begin(h tableHead) error {
	l.head = h
	var columns []string
	for _, c := range h.Columns {
		columns = append(columns, quote(c.Name))
	}
	l.insert = "INSERT INTO " + quote(h.Name) + " (" + strings.Join(columns, ", ") + ") VALUES "
	l.places = "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	if err := l.tables.exec(l.ctx, h.Create, "START TRANSACTION"); err != nil {
		return fmt.Errorf("table %s: %w", h.Name, err)
	}
	return l.counted.begin(h)
}

func (l *tableLoader) row(values [][]byte) error {
	for i, v := range values {
		switch {
		case v == nil:
			l.values = append(l.values, nil)
		case l.head.Columns[i].Binary:
			l.values = append(l.values, slices.Clone(v))
		default:
			l.values = append(l.values, string(v))
		}
		l.size += int64(len(v))
	}
	if l.rows++; l.rows < batchRows && l.size < batchBytes {
		return nil
	}
	return l.flush()
}

func (l *tableLoader) flush() error {
	if l.rows == 0 {
		return nil
	}
	// #nosec G202 -- quoted names, and question marks for the values
	statement := l.insert + l.places + strings.Repeat(", "+l.places, l.rows-1)
	if _, err := l.tables.Admin.ExecContext(l.ctx, statement, l.values...); err != nil {
		return err
	}
	l.progress(l.size)
	clear(l.values)
	l.rows, l.size, l.values = 0, 0, l.values[:0]
	return nil
}

func (l *tableLoader) end(rows int64) error {
	if err := l.flush(); err != nil {
		return err
	}
	if err := l.tables.exec(l.ctx, "COMMIT"); err != nil {
		return err
	}
	var n int64
	if err := l.tables.Admin.QueryRowContext(l.ctx, "SELECT COUNT(*) FROM "+quote(l.head.Name)).Scan(&n); err != nil {
		return err
	}
	if n != rows {
		return fmt.Errorf("it has %d rows after loading, and should have %d", n, rows)
	}
	return l.counted.end(rows)
}

// Server errors that say that a table or a column is not there: it is not in every release.
const (
	errNoTable  = 1146
	errNoColumn = 1054
)

// unfinished are the states of jobs that have not ended.
const unfinished = "('running', 'waiting', 'ready', 'start', 'created')"

// Unfinished counts the jobs in use that have not ended.
func (t Tables) Unfinished(ctx context.Context) (jobs int64, err error) {
	have, err := t.tablesOf(ctx, t.Schema)
	if err != nil || !slices.Contains(have, "t_job") {
		return 0, err
	}
	err = t.Admin.QueryRowContext(ctx, "SELECT COUNT(DISTINCT f_job_id) FROM "+quote(t.Schema)+
		".t_job WHERE f_status IN "+unfinished).Scan(&jobs)
	if err != nil {
		return 0, fmt.Errorf("cannot count the jobs that have not ended: %w", err)
	}
	return jobs, nil
}

// settle ends, in the staging database, what was under way when the backup was made: no process works on those jobs any
// more, and the sessions and cores that they held are free. It returns how many jobs it has ended.
func (t Tables) settle(ctx context.Context) (jobs int64, err error) {
	for i, s := range []string{
		"UPDATE t_job SET f_status = 'canceled' WHERE f_status IN " + unfinished,
		"UPDATE t_job SET f_resource_in_use = 0",
		"UPDATE t_task SET f_status = 'canceled' WHERE f_status IN " + unfinished,
		"UPDATE t_task SET f_party_status = 'canceled' WHERE f_party_status IN " + unfinished,
		"UPDATE t_engine_registry SET f_remaining_cores = f_cores, f_remaining_memory = f_memory",
		"DELETE FROM t_session_record",
	} {
		result, err := t.Admin.ExecContext(ctx, s)
		var answer *mysql.MySQLError
		if errors.As(err, &answer) && (answer.Number == errNoTable || answer.Number == errNoColumn) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("cannot end the jobs that ran when the backup was made: %w", err)
		}
		if i == 0 {
			jobs, _ = result.RowsAffected()
		}
	}
	return jobs, nil
}

// tablesOf lists the tables of a database; one that does not exist has none.
func (t Tables) tablesOf(ctx context.Context, schema string) ([]string, error) {
	rows, err := t.Admin.QueryContext(ctx, `SELECT table_name FROM information_schema.tables
		WHERE table_schema = ? AND table_type = 'BASE TABLE' ORDER BY table_name`, schema)
	if err != nil {
		return nil, fmt.Errorf("cannot list the tables of %s: %w", schema, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		if err := checkName(name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, rows.Err()
}

// swap lets the staged tables take the place of those in use, in one statement, which a server carries out as a whole
// or not at all. Where an earlier run was cut off after it, nothing is staged and nothing is done; where a server
// (before MySQL 8 and MariaDB 10.6) was cut off inside it, the rest is done.
func (t Tables) swap(ctx context.Context) error {
	staged, err := t.tablesOf(ctx, t.staged())
	if err != nil || len(staged) == 0 {
		return err
	}
	if err := t.exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quote(t.former())); err != nil {
		return err
	}
	live, err := t.tablesOf(ctx, t.Schema)
	if err != nil {
		return err
	}
	former, err := t.tablesOf(ctx, t.former())
	if err != nil {
		return err
	}
	var moves []string
	for _, name := range live {
		if len(former) == 0 || slices.Contains(staged, name) {
			moves = append(moves, t.move(t.Schema, t.former(), name))
		}
	}
	for _, name := range staged {
		moves = append(moves, t.move(t.staged(), t.Schema, name))
	}
	return t.exec(ctx, "SET SESSION foreign_key_checks = 0", "RENAME TABLE "+strings.Join(moves, ", "))
}

func (t Tables) move(from, to, name string) string {
	return quote(from) + "." + quote(name) + " TO " + quote(to) + "." + quote(name)
}

// clean removes the database with what was in use before, and the staging one.
func (t Tables) clean(ctx context.Context) error {
	return t.exec(ctx, "DROP DATABASE IF EXISTS "+quote(t.former()), "DROP DATABASE IF EXISTS "+quote(t.staged()))
}

// DifferentError means that tables in use have not what was restored.
type DifferentError struct{ why error }

func (e *DifferentError) Error() string { return e.why.Error() }

// compare counts the rows in use and compares them with what was loaded. The tables that settle empties, and those that
// programs fill when they start, may differ.
func (t Tables) compare(ctx context.Context, want []Table) error {
	have, err := t.tablesOf(ctx, t.Schema)
	if err != nil {
		return err
	}
	for _, table := range want {
		if !slices.Contains(have, table.Name) {
			return &DifferentError{fmt.Errorf("the table %s.%s is not there after the restore", t.Schema, table.Name)}
		}
		if !slices.Contains(historic, table.Name) {
			continue
		}
		var n int64
		err := t.Admin.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+quote(t.Schema)+"."+quote(table.Name)).Scan(&n)
		if err != nil {
			return fmt.Errorf("cannot count the rows of %s: %w", table.Name, err)
		}
		if n < table.Rows {
			return &DifferentError{fmt.Errorf("the table %s.%s has %d rows after the restore, and should have %d",
				t.Schema, table.Name, n, table.Rows)}
		}
	}
	return nil
}

// historic tables only grow.
var historic = []string{"t_job", "t_task", "t_machine_learning_model_info", "t_pipeline_component_meta"}
