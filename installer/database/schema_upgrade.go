package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
	"fate-installer/installer/schema"
)

// SchemaUpgrade brings the tables of a database to those that a release of FATE-Flow or eggroll works with. Tables
// that do not exist yet are left to their program.
//
// It works as the account that the programs use, which has every right on the schema and none beyond it: the SQL files
// are in a tree that belongs to the service user. Each statement is recorded in a table of the schema before it is
// carried out and marked when it is done, since a server ends a transaction at each change of a table: a run that was
// cut off is completed by the next one, and no statement is carried out twice. A statement of upstream that fails is
// recorded and passed over; what decides is whether the tables are right in the end.
//
// The step has no Undo: what is in a database is the user's data. An upgrade keeps a copy of the database before it.
type SchemaUpgrade struct {
	Address  Address
	User     string
	Password Password
	Part     schema.Part
	Schema   string // name of the database
	Release  string // of FATE or eggroll, whose tables are wanted

	// Scripts is a directory on the host with the SQL files of upstream. What they do not cover is known to package
	// schema. Blank or not there: none.
	Scripts string
}

const kindSchemaUpgrade = "schema"

// ID implements [engine.Step].
func (s SchemaUpgrade) ID() string {
	return kindSchemaUpgrade + ":" + s.Schema + "@" + s.Address.String()
}

// Describe implements [engine.Describer].
func (s SchemaUpgrade) Describe() string {
	return fmt.Sprintf("tables of %s as %s needs them", s.Schema, s.release())
}

func (s SchemaUpgrade) release() string {
	if s.Part == schema.Eggroll {
		return "eggroll " + s.Release
	}
	return "FATE " + s.Release
}

// Check implements [engine.Step]. A server that does not answer is no error while a plan is printed.
func (s SchemaUpgrade) Check(ctx context.Context, env *engine.Env) (engine.Finding, error) {
	if !env.Host.Live() {
		return engine.Finding{Done: true, Note: "the tables of " + s.Schema + " are compared on the running machine"},
			nil
	}
	if s.Address.Socket != "" && !env.Host.Exists(s.Address.Socket) {
		return engine.Finding{Why: "the database server does not run yet"}, nil
	}
	state, err := s.State(ctx, env.Host)
	switch {
	case ctx.Err() != nil:
		return engine.Finding{}, context.Cause(ctx)
	case serverError(err, errUnknownDatabase, errDatabaseAccess):
		return engine.Finding{Why: "the schema " + s.Schema + " does not exist yet"}, nil
	case err != nil:
		return engine.Finding{Why: err.Error()}, nil
	case state.Refused != nil:
		return engine.Finding{}, state.Refused
	case state.needed():
		return engine.Finding{Why: state.why()}, nil
	}
	return engine.Finding{Done: true}, nil
}

// SchemaState describes a database, compared with what a release needs.
type SchemaState struct {
	Schema  string              // name of the database
	From    string              // release whose tables these are; blank: there are none
	To      string              // the release that is wanted
	Begun   bool                // an upgrade was begun and has not ended
	Lacks   []schema.Difference // why the release does not work with them
	Refused error               // why they cannot become those of the release

	tables []schema.Table
	record record
}

func (s *SchemaState) needed() bool { return s.Begun || len(s.Lacks) > 0 }

func (s *SchemaState) why() string {
	if s.Begun {
		return fmt.Sprintf("an upgrade of %s from %s was cut off", s.Schema, s.From)
	}
	why := s.Schema + ": " + s.Lacks[0].String()
	if more := len(s.Lacks) - 1; more > 0 {
		why += fmt.Sprintf(" (and %d more)", more)
	}
	return why
}

// Needed reports whether the tables have to be changed for the release.
func (s *SchemaState) Needed() bool { return s.needed() }

// State compares the tables of the database with those of the release, and changes nothing.
func (s SchemaUpgrade) State(ctx context.Context, h *host.Host) (*SchemaState, error) {
	db, err := open(h, s.Address, s.User, s.Password, s.Schema)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return s.state(ctx, db)
}

// Differences lists what the release still lacks when its programs have started, missing tables among it.
func (s SchemaUpgrade) Differences(ctx context.Context, h *host.Host) ([]schema.Difference, error) {
	want, err := schema.Of(s.Part, s.Release)
	if err != nil {
		return nil, err
	}
	state, err := s.State(ctx, h)
	if err != nil {
		return nil, err
	}
	return want.Compare(state.tables, true), nil
}

func (s SchemaUpgrade) state(ctx context.Context, db *sql.DB) (*SchemaState, error) {
	want, err := schema.Of(s.Part, s.Release)
	if err != nil {
		return nil, err
	}
	state := &SchemaState{Schema: s.Schema, To: want.Release}
	if state.tables, err = readTables(ctx, db, s.Schema); err != nil {
		return nil, fmt.Errorf("cannot read the tables of %s: %w", s.Schema, err)
	}
	if state.record, err = readRecord(ctx, db, s.Schema); err != nil {
		return nil, fmt.Errorf("cannot read the record of upgrades of %s: %w", s.Schema, err)
	}
	state.Lacks = want.Compare(state.tables, false)
	if state.Begun = state.record.begun(); state.Begun {
		state.From = state.record.from
		state.Refused = schema.CarryOver(s.Part, state.From, s.Release)
		return state, nil
	}
	if state.From, err = schema.Recognise(s.Part, state.tables); err != nil {
		if len(state.Lacks) > 0 {
			state.Refused = fmt.Errorf("cannot upgrade %s: %w", s.Schema, err)
		}
		return state, nil
	}
	if len(state.Lacks) > 0 {
		state.Refused = schema.CarryOver(s.Part, state.From, s.Release)
	}
	return state, nil
}

// Apply implements [engine.Step].
func (s SchemaUpgrade) Apply(ctx context.Context, env *engine.Env) error {
	db, err := open(env.Host, s.Address, s.User, s.Password, s.Schema)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := prepareSession(ctx, db, s.Schema); err != nil {
		return fmt.Errorf("cannot use the database %s: %w", s.Schema, err)
	}
	state, err := s.state(ctx, db)
	if err != nil {
		return err
	}
	if state.Refused != nil {
		return state.Refused
	}
	if !state.needed() {
		return nil
	}
	upgrade, err := schema.Between(s.Part, state.From, s.Release)
	if err != nil {
		return err
	}
	r := &schemaRun{step: s, db: db, upgrade: upgrade, record: state.record}
	if err := r.run(ctx, env.Host); err != nil {
		return fmt.Errorf("cannot upgrade the tables of %s from %s to %s: %w", s.Schema, upgrade.From, upgrade.To, err)
	}
	return nil
}

// tableLockTimeout is for one statement, in seconds. A client that was left behind and holds a table would otherwise
// make it wait for a year, the server's default.
const tableLockTimeout = 60

// prepareSession makes the only connection of db one that waits for nothing for long, and makes sure that no other
// host of the party upgrades the same database. The lock ends with the connection.
func prepareSession(ctx context.Context, db *sql.DB, name string) error {
	if _, err := db.ExecContext(ctx, fmt.Sprintf("SET SESSION lock_wait_timeout = %d", tableLockTimeout)); err != nil {
		return err
	}
	var locked sql.NullInt64
	err := db.QueryRowContext(ctx, "SELECT GET_LOCK(?, ?)", recordTable+"."+name, tableLockTimeout).Scan(&locked)
	if err != nil {
		return err
	}
	if locked.Int64 != 1 {
		return engine.WithRepeat(errors.New("another host has been upgrading it for a minute"),
			"when it has ended,", "")
	}
	return nil
}
