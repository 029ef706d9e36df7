package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"fate-installer/installer/host"
	"fate-installer/installer/schema"
)

// schemaRun is an upgrade under way.
type schemaRun struct {
	step    SchemaUpgrade
	db      *sql.DB
	upgrade *schema.Upgrade
	record  record
	failed  error // the first statement of upstream that failed and should not have
}

func (r *schemaRun) run(ctx context.Context, h *host.Host) error {
	if err := r.record.begin(ctx, r.db, r.upgrade.From, r.upgrade.To); err != nil {
		return err
	}
	scripts, err := r.scripts(h)
	if err != nil {
		return err
	}
	for _, hop := range r.upgrade.Hops() {
		if err := r.hop(ctx, h, hop, scripts); err != nil {
			return err
		}
	}
	want, err := schema.Of(r.step.Part, r.step.Release)
	if err != nil {
		return err
	}
	tables, err := readTables(ctx, r.db, r.step.Schema)
	if err != nil {
		return err
	}
	for i, repair := range want.Repair(tables) {
		s := statement{source: "repair", number: i + 1, sql: repair.SQL, repeat: true}
		if err := r.record.carryOut(ctx, r.db, s); err != nil {
			return err
		}
	}
	if tables, err = readTables(ctx, r.db, r.step.Schema); err != nil {
		return err
	}
	if lacks := want.Compare(tables, false); len(lacks) > 0 {
		return errors.Join(fmt.Errorf("the tables are still not right: %s", lacks[0]), r.failed)
	}
	return r.record.end(ctx, r.db)
}

// hop goes from one release to the next: by the files of upstream, and by what they lack.
func (r *schemaRun) hop(ctx context.Context, h *host.Host, hop *schema.Upgrade, scripts []string) error {
	reached := statement{source: "release " + hop.To, sql: "DO 0"}
	if r.record.done[reached.key()] {
		return nil
	}
	for _, name := range hop.Upstream(scripts) {
		if err := r.script(ctx, h, name); err != nil {
			return err
		}
	}
	tables, err := readTables(ctx, r.db, r.step.Schema)
	if err != nil {
		return err
	}
	for i, missing := range hop.Missing(tables) {
		s := statement{source: "for " + missing.Release, number: i + 1, sql: missing.SQL, repeat: true}
		if err := r.record.carryOut(ctx, r.db, s); err != nil {
			return err
		}
	}
	return r.record.carryOut(ctx, r.db, reached)
}

// scripts lists the SQL files of upstream that there are.
func (r *schemaRun) scripts(h *host.Host) ([]string, error) {
	if r.step.Scripts == "" {
		return nil, nil
	}
	entries, err := h.ReadDir(r.step.Scripts)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list upstream's SQL files: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// script carries out a file of upstream.
func (r *schemaRun) script(ctx context.Context, h *host.Host, name string) error {
	text, err := h.ReadFile(path.Join(r.step.Scripts, name))
	if err != nil {
		return err
	}
	statements, err := splitSQL(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for i, sql := range statements {
		err := r.record.carryOut(ctx, r.db, statement{source: name, number: i + 1, sql: sql})
		switch {
		case err == nil || serverError(err, errsAlreadySo...):
		case passable(err):
			if r.failed == nil {
				r.failed = err
			}
		default:
			return err
		}
	}
	return nil
}

// errsAlreadySo are the answers of a server to a change that was made before, by a run that was cut off or by hand.
var errsAlreadySo = []uint16{
	errTableExists, errDuplicateColumn, errDuplicateKeyName, errCannotDrop, errUnknownColumn, errMultiplePrimaryKey,
	errNoSuchTable, errUnknownTable, errNoSuchKey, errNoSuchProcedure,
}

// Error numbers that tell how a table differs from what a statement expects.
const (
	errDatabaseAccess     = 1044
	errUnknownDatabase    = 1049
	errUnknownTable       = 1051 // to be dropped
	errUnknownColumn      = 1054
	errDuplicateColumn    = 1060
	errMultiplePrimaryKey = 1068
	errCannotDrop         = 1091 // column or index that is not there
	errNoSuchTable        = 1146
	errNoSuchKey          = 1176
	errLockWait           = 1205
	errNoSuchProcedure    = 1305
)

// passable reports whether a failed statement leaves a connection with which the next one can be carried out.
func passable(err error) bool {
	return isServerError(err) && !serverError(err, errLockWait)
}
