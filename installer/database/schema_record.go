package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// recordTable is the record of upgrades, in the database that was upgraded, so that a copy of the database has the
// record that belongs to it. Neither FATE-Flow nor eggroll looks at tables that it does not know.
const recordTable = "fate_installer_upgrade"

// The record has one row for the upgrade itself, of source recordUpgrade, and one for each statement.
const (
	recordUpgrade = "upgrade"
	stateBegun    = "begun"
	stateDone     = "done"
	statePassed   = "passed" // it failed, and the next ones were carried out
	// stateCutOff is a statement whose outcome is not known, since the run ended first. The next run has carried it
	// out, or has seen that it was.
	stateCutOff = "cut off"
)

const createRecord = `CREATE TABLE IF NOT EXISTS ` + recordTable + ` (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  from_release VARCHAR(20) NOT NULL,
  to_release VARCHAR(20) NOT NULL,
  source VARCHAR(100) NOT NULL,
  number INT NOT NULL,
  statement TEXT NOT NULL,
  state VARCHAR(10) NOT NULL,
  message TEXT,
  changed_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
) DEFAULT CHARACTER SET utf8mb4`

// record is the last upgrade that a database remembers.
type record struct {
	id       int64 // 0: none
	from, to string
	state    string
	done     map[string]bool // statements of it, by their key
	cutOff   map[string]bool // those that were begun, and of which it is not known whether they were carried out
}

// begun reports whether the upgrade has not ended.
func (r *record) begun() bool { return r.state == stateBegun }

func readRecord(ctx context.Context, db *sql.DB, schemaName string) (record, error) {
	r := record{done: map[string]bool{}, cutOff: map[string]bool{}}
	var tables int
	err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.tables"+
		" WHERE table_schema = ? AND table_name = ?", schemaName, recordTable).Scan(&tables)
	if err != nil || tables == 0 {
		return r, err
	}
	err = db.QueryRowContext(ctx, "SELECT id, from_release, to_release, state FROM "+recordTable+
		" WHERE source = ? ORDER BY id DESC LIMIT 1", recordUpgrade).Scan(&r.id, &r.from, &r.to, &r.state)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	rows, err := db.QueryContext(ctx, "SELECT source, number, state FROM "+recordTable+" WHERE id > ?", r.id)
	if err != nil {
		return r, err
	}
	defer rows.Close()
	for rows.Next() {
		var s statement
		var state string
		if err := rows.Scan(&s.source, &s.number, &state); err != nil {
			return r, err
		}
		switch state {
		case stateDone, statePassed:
			r.done[s.key()] = true
		case stateBegun, stateCutOff:
			r.cutOff[s.key()] = true
		}
	}
	return r, rows.Err()
}

// begin notes that an upgrade is under way. One that was cut off goes on.
func (r *record) begin(ctx context.Context, db *sql.DB, from, to string) error {
	if r.begun() {
		_, err := db.ExecContext(ctx, "UPDATE "+recordTable+" SET state = ? WHERE id > ? AND state = ?",
			stateCutOff, r.id, stateBegun)
		return err
	}
	if _, err := db.ExecContext(ctx, createRecord); err != nil && !serverError(err, errTableExists) {
		return fmt.Errorf("cannot make the record of the upgrade: %w", err)
	}
	id, err := r.insert(ctx, db, statement{source: recordUpgrade}, from, to)
	if err != nil {
		return err
	}
	*r = record{id: id, from: from, to: to, state: stateBegun, done: map[string]bool{}, cutOff: map[string]bool{}}
	return nil
}

func (r *record) insert(ctx context.Context, db *sql.DB, s statement, from, to string) (int64, error) {
	result, err := db.ExecContext(ctx, "INSERT INTO "+recordTable+
		" (from_release, to_release, source, number, statement, state) VALUES (?, ?, ?, ?, ?, ?)",
		from, to, s.source, s.number, s.sql, stateBegun)
	if err != nil {
		return 0, fmt.Errorf("cannot record a statement of the upgrade: %w", err)
	}
	return result.LastInsertId()
}

// statement is one of an upgrade's, by the file or release that it is from and its number there.
type statement struct {
	source string
	number int
	sql    string
	repeat bool // it is only given when it is needed, and so is carried out even when one of its number was
}

func (s statement) key() string { return fmt.Sprintf("%s %d", s.source, s.number) }

// carryOut carries a statement out, unless it was. One that was begun by a run that was cut off is carried out again:
// the server has either carried it out as a whole, and then says so, or not at all.
func (r *record) carryOut(ctx context.Context, db *sql.DB, s statement) error {
	if r.done[s.key()] && !s.repeat {
		return nil
	}
	id, err := r.insert(ctx, db, s, r.from, r.to)
	if err != nil {
		return err
	}
	_, failure := db.ExecContext(ctx, s.sql)
	state, message := stateDone, sql.NullString{}
	if failure != nil {
		failure = fmt.Errorf("statement %d of %s (%s): %w", s.number, s.source, firstLine(s.sql), failure)
		if !isServerError(failure) { // the connection is gone, and with it the knowledge of what happened
			return failure
		}
		state, message = statePassed, sql.NullString{String: failure.Error(), Valid: true}
		if r.cutOff[s.key()] && serverError(failure, errsAlreadySo...) {
			state, failure = stateDone, nil // by the run that was cut off
		}
	}
	_, err = db.ExecContext(ctx, "UPDATE "+recordTable+" SET state = ?, message = ? WHERE id = ?", state, message, id)
	if err != nil {
		return errors.Join(failure, fmt.Errorf("cannot record a statement of the upgrade: %w", err))
	}
	return failure
}

// end notes that the upgrade is complete.
func (r *record) end(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "UPDATE "+recordTable+" SET state = ? WHERE id = ?", stateDone, r.id)
	return err
}

// isServerError reports whether a server answered, with a refusal.
func isServerError(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e)
}

// firstLine shortens a statement for a message.
func firstLine(s string) string {
	line, more, _ := strings.Cut(s, "\n")
	if more != "" || len(line) > 120 {
		line = line[:min(len(line), 120)] + " ..."
	}
	return line
}
