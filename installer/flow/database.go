package flow

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Records is where jobs and tasks are looked up: a [Client], or FATE-Flow's tables when it does not answer.
type Records interface {
	// Jobs returns the records that match a filter, whose keys are columns without their f_.
	Jobs(ctx context.Context, filter map[string]any) ([]Job, error)
	// Tasks returns the tasks that match a filter, in the order in which they started.
	Tasks(ctx context.Context, filter map[string]any) ([]Task, error)
	// LatestJobs returns the newest records, at most limit.
	LatestJobs(ctx context.Context, limit int) ([]Job, error)
}

// Database reads FATE-Flow's tables t_job and t_task, as every release from 1.7 has them, in transactions that can only
// read.
type Database struct{ DB *sql.DB }

// The columns that are read, by their names in Job and Task.
var (
	jobColumns = []string{
		"f_job_id", "f_role", "f_party_id", "f_initiator_role", "f_initiator_party_id", "f_status", "f_tag", "f_roles",
		"f_cores", "f_resource_in_use", "f_create_time", "f_start_time", "f_end_time",
	}
	taskColumns = []string{
		"f_job_id", "f_component_name", "f_component_module", "f_task_id", "f_task_version", "f_role", "f_party_id",
		"f_status",
		"f_party_status", "f_run_ip", "f_run_port", "f_error_report", "f_create_time", "f_start_time", "f_end_time",
	}
)

// numbers are the columns that hold numbers or JSON; others hold text.
var numbers = []string{
	"f_roles", "f_cores", "f_resource_in_use", "f_create_time", "f_start_time", "f_end_time", "f_task_version",
	"f_run_port",
}

// mostRows bounds what is read of a table. A job has a row for each role, a task for each component and role.
const mostRows = 10_000

// Jobs implements Records.
func (d Database) Jobs(ctx context.Context, filter map[string]any) ([]Job, error) {
	var out []Job
	err := d.read(ctx, &out, "t_job", jobColumns, filter, mostRows+1)
	return out, whole("t_job", len(out), err)
}

// whole refuses rows of which there are more than are read: what is missing could be the one that counts.
func whole(table string, rows int, err error) error {
	if err == nil && rows > mostRows {
		err = fmt.Errorf("cannot read %s of FATE-Flow's database: more than %d rows match", table, mostRows)
	}
	return err
}

// Tasks implements Records.
func (d Database) Tasks(ctx context.Context, filter map[string]any) ([]Task, error) {
	var rows []Task
	err := d.read(ctx, &rows, "t_task", taskColumns, filter, mostRows+1)
	if err := whole("t_task", len(rows), err); err != nil {
		return nil, err
	}
	sortTasks(rows)
	return latestVersions(rows), nil
}

// LatestJobs implements Records.
func (d Database) LatestJobs(ctx context.Context, limit int) ([]Job, error) {
	var out []Job
	err := d.read(ctx, &out, "t_job", jobColumns, nil, limit)
	return out, err
}

// latestVersions keeps the newest version of each task: FATE-Flow runs a failed one again under the next number.
func latestVersions(tasks []Task) []Task {
	newest := map[string]int{}
	key := func(t Task) string { return t.ID + "\x00" + t.Role + "\x00" + string(t.Party) }
	for _, t := range tasks {
		newest[key(t)] = max(newest[key(t)], t.Version)
	}
	return slices.DeleteFunc(tasks, func(t Task) bool { return t.Version < newest[key(t)] })
}

// selectRows is the statement that reads rows, newest first, with the values for its marks.
func selectRows(table string, columns []string, filter map[string]any, limit int) (string, []any, error) {
	var where []string
	var values []any
	for _, column := range columns {
		if value, ok := filter[strings.TrimPrefix(column, "f_")]; ok {
			where = append(where, column+" = ?")
			values = append(values, value)
		}
	}
	if len(where) != len(filter) {
		return "", nil, fmt.Errorf("cannot filter %s by %v: it has no such column here", table, filter)
	}
	statement := "SELECT " + strings.Join(columns, ", ") + " FROM " + table
	if len(where) > 0 {
		statement += " WHERE " + strings.Join(where, " AND ")
	}
	return statement + fmt.Sprintf(" ORDER BY f_create_time DESC LIMIT %d", limit), values, nil
}

func (d Database) read(ctx context.Context, out any, table string, columns []string, filter map[string]any,
	limit int) error {
	statement, values, err := selectRows(table, columns, filter, limit)
	if err != nil {
		return err
	}
	tx, err := d.DB.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("cannot read FATE-Flow's database: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	rows, err := tx.QueryContext(ctx, statement, values...)
	if err != nil {
		return fmt.Errorf("cannot read %s of FATE-Flow's database: %w", table, err)
	}
	defer rows.Close()
	var all []map[string]json.RawMessage
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range cells {
			targets[i] = &cells[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return fmt.Errorf("cannot read %s of FATE-Flow's database: %w", table, err)
		}
		all = append(all, encodeRow(columns, cells))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("cannot read %s of FATE-Flow's database: %w", table, err)
	}
	encoded, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("cannot understand %s of FATE-Flow's database: %w", table, err)
	}
	return json.Unmarshal(encoded, out)
}

// encodeRow makes of a row what FATE-Flow's API would answer for it.
func encodeRow(columns []string, cells []sql.NullString) map[string]json.RawMessage {
	row := make(map[string]json.RawMessage, len(columns))
	for i, column := range columns {
		if !cells[i].Valid {
			continue
		}
		value := json.RawMessage(cells[i].String)
		if !slices.Contains(numbers, column) || !json.Valid(value) {
			value, _ = json.Marshal(cells[i].String) // a string cannot fail
		}
		row[column] = value
	}
	return row
}

// EndTasks marks the tasks of a job that has ended, but that are still recorded as running, as failed, and returns how
// many rows it changed. FATE-Flow does not do it when it was killed while it ran them.
func (d Database) EndTasks(ctx context.Context, job string) (int64, error) {
	const statement = `UPDATE t_task SET f_status = IF(f_status = 'running', 'failed', f_status), f_party_status = 'failed'
 WHERE f_job_id = ? AND (f_party_status = 'running' OR f_status = 'running')
 AND EXISTS (SELECT 1 FROM t_job WHERE f_job_id = ?)
 AND NOT EXISTS (SELECT 1 FROM t_job WHERE f_job_id = ? AND f_status IN ('ready', 'waiting', 'running'))`
	result, err := d.DB.ExecContext(ctx, statement, job, job, job)
	if err != nil {
		return 0, fmt.Errorf("cannot end the tasks of job %s: %w", job, err)
	}
	return result.RowsAffected()
}
