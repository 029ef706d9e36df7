package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Contents makes schemas, accounts and rows exist in a running database server, ours or an outside one. It looks at
// each of them, so that it repairs what was changed, and repeats nothing that is done.
//
// The step has no Undo: what is in a database is the user's data.
type Contents struct {
	Address       Address
	Admin         string // the administrator; blank: root
	AdminPassword Password

	// FormerPasswords of the administrator are tried when AdminPassword is refused by a server of ours, reached through
	// its socket, and then changed to AdminPassword.
	FormerPasswords []Password

	Schemas  []Schema
	Accounts []Account
	Rows     []Rows
}

// Schema is a database within the server.
type Schema struct {
	Name    string
	Charset string // default character set of its tables; blank: the server's

	// Script is an SQL file on the host that makes the schema's tables and indexes. It is carried out, as often as
	// needed, until all of them exist; statements that choose a database are skipped. Blank: none.
	Script string
}

// Rows are rows that a table must hold exactly once each, although no unique key of the table sees to it. With OnlyAdd
// they must be there at least once.
type Rows struct {
	Schema, Table string
	ID            string     // the column that tells duplicates apart; the lowest is kept
	Key           []string   // the columns that identify a row
	Fill          []string   // further columns, given when a row is inserted
	Pinned        []string   // those of Fill that are set again when they differ; the others are left alone
	Values        [][]string // for each row the values of Key, then of Fill

	// Scope, one of Key, makes the rows complete: further rows with one of the values of this column are removed.
	Scope string

	// OnlyAdd leaves the rows alone that are there, also those with the same key: a program that runs owns them.
	OnlyAdd bool
}

const kindContents = "database"

// ID implements [engine.Step].
func (d Contents) ID() string { return kindContents + ":" + d.Address.String() }

// Describe implements [engine.Describer].
func (d Contents) Describe() string {
	var schemas, accounts []string
	for _, s := range d.Schemas {
		schemas = append(schemas, s.Name)
	}
	for _, a := range d.Accounts {
		for _, from := range a.Hosts {
			accounts = append(accounts, a.Name+"@"+from)
		}
	}
	return fmt.Sprintf("schemas %s and accounts %s in the database at %s",
		strings.Join(schemas, ", "), strings.Join(accounts, ", "), d.Address)
}

// repair is one thing to be done, with the reason.
type repair struct {
	why string
	do  func(context.Context) error
}

func applyRepairs(ctx context.Context, repairs []repair) error {
	for _, r := range repairs {
		if err := r.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Check implements [engine.Step]. A server that does not answer yet is nothing wrong while a plan is printed.
func (d Contents) Check(ctx context.Context, env *engine.Env) (engine.Finding, error) {
	if !env.Host.Live() {
		note := "the database at " + d.Address.String() + " is filled on the running machine"
		return engine.Finding{Done: true, Note: note}, nil
	}
	if d.isSocket() && !env.Host.Exists(d.Address.Socket) {
		return engine.Finding{Why: "the database server does not run yet"}, nil
	}
	admin, former, err := d.connect(ctx, env.Host)
	if err != nil {
		if ctx.Err() != nil {
			return engine.Finding{}, context.Cause(ctx)
		}
		return engine.Finding{Why: err.Error()}, nil
	}
	defer admin.db.Close()
	var repairs []repair
	if former {
		repairs = append(repairs, repair{why: "the administrator has a former password"})
	}
	for _, stage := range d.stages(env.Host, admin) {
		more, err := stage(ctx)
		if err != nil {
			return engine.Finding{}, d.explainDenied(err)
		}
		repairs = append(repairs, more...)
	}
	if len(repairs) == 0 {
		return engine.Finding{Done: true}, nil
	}
	why := repairs[0].why
	if more := len(repairs) - 1; more > 0 {
		why += fmt.Sprintf(" (and %d more)", more)
	}
	return engine.Finding{Why: why}, nil
}

// Apply implements [engine.Step].
func (d Contents) Apply(ctx context.Context, env *engine.Env) error {
	admin, former, err := d.connect(ctx, env.Host)
	if err != nil {
		return err
	}
	defer admin.db.Close()
	if former {
		if err := admin.setPassword(ctx, d.admin(), rootHost, d.AdminPassword); err != nil {
			return err
		}
	}
	for _, stage := range d.stages(env.Host, admin) {
		repairs, err := stage(ctx)
		if err != nil {
			return d.explainDenied(err)
		}
		if err := applyRepairs(ctx, repairs); err != nil {
			return d.explainDenied(err)
		}
	}
	return nil
}

// stages are in the order in which one needs the other.
func (d Contents) stages(h *host.Host, a *administrator) []func(context.Context) ([]repair, error) {
	return []func(context.Context) ([]repair, error){
		func(ctx context.Context) ([]repair, error) { return each(ctx, d.Schemas, a.schemaRepairs) },
		func(ctx context.Context) ([]repair, error) { return each(ctx, d.Accounts, a.accountRepairs) },
		func(ctx context.Context) ([]repair, error) {
			return each(ctx, d.Schemas, func(ctx context.Context, s Schema) ([]repair, error) {
				return d.scriptRepairs(ctx, h, a, s)
			})
		},
		func(ctx context.Context) ([]repair, error) { return each(ctx, d.Rows, a.rowRepairs) },
	}
}

func each[T any](ctx context.Context, items []T, repairs func(context.Context, T) ([]repair, error)) ([]repair, error) {
	var all []repair
	for _, item := range items {
		more, err := repairs(ctx, item)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

func (d Contents) isSocket() bool { return d.Address.Socket != "" }

func (d Contents) admin() string {
	if d.Admin != "" {
		return d.Admin
	}
	return rootAccount
}

// errRefused is a login with a password that is not the account's.
var errRefused = errors.New("it refuses the password")

// connect logs in as the administrator; former says that a former password was needed.
func (d Contents) connect(ctx context.Context, h *host.Host) (admin *administrator, former bool, err error) {
	passwords, without := []Password{d.AdminPassword}, ""
	if d.isSocket() {
		passwords = append(passwords, d.FormerPasswords...)
	}
	for i, password := range passwords {
		db, err := open(h, d.Address, d.admin(), password, "")
		if err != nil {
			return nil, false, err
		}
		admin, err = inspectServer(ctx, db)
		if err == nil {
			if !d.isSocket() {
				admin.outside = func(user string, password Password) (*sql.DB, error) {
					return open(h, d.Address, user, password, "")
				}
			}
			return admin, i > 0, nil
		}
		_ = db.Close() // nothing was done with it
		if !serverError(err, errAccessDenied, errAccessNoPassword) {
			return nil, false, engine.WithHint(fmt.Errorf("cannot use the database at %s: %w", d.Address, err),
				d.unreachableHint())
		}
		var plain *withoutTLSError
		if errors.As(err, &plain) { // the account may be one that requires TLS
			without = plain.suffix()
		}
	}
	return nil, false, engine.WithHint(
		fmt.Errorf("cannot use the database at %s: %w of its administrator %s%s", d.Address, errRefused,
			d.admin(), without),
		d.refusedHint(),
	)
}

// refusedHint is the way out when no known password is right. The administrator of a server of ours can be given a
// new password while the server is stopped, by a temporary server that needs none.
func (d Contents) refusedHint() string {
	if d.isSocket() {
		return "give the password that the database has in the cluster file (secrets: mysql_root), or set " +
			"a new one:\nfate-installer svc stop fate-mysql && fate-installer secrets rotate mysql_root"
	}
	return "give the password that the database has in the cluster file (mysql: passwd, next to mysql: user, which " +
		"names the administrator)"
}

func (d Contents) unreachableHint() string {
	if d.isSocket() {
		return "see why the server does not answer: fate-installer svc why fate-mysql"
	}
	return "check that the server at " + d.Address.String() + " runs and that this host may connect to it"
}

// schemaRepairs compares a schema's existence and default character set.
func (a *administrator) schemaRepairs(ctx context.Context, s Schema) ([]repair, error) {
	charset := ""
	if s.Charset != "" {
		charset = " CHARACTER SET " + quoteName(s.Charset)
	}
	var have string
	err := a.db.QueryRowContext(ctx, "SELECT default_character_set_name FROM information_schema.schemata"+
		" WHERE schema_name = ?", s.Name).Scan(&have)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return []repair{{"schema " + s.Name + " does not exist", func(ctx context.Context) error {
			return a.exec(ctx, "create the schema "+s.Name, "CREATE DATABASE IF NOT EXISTS "+quoteName(s.Name)+charset)
		}}}, nil
	case err != nil:
		return nil, fmt.Errorf("cannot look up the schema %s: %w", s.Name, err)
	case s.Charset != "" && !sameCharset(have, s.Charset):
		why := fmt.Sprintf("character set of schema %s is %s, want %s", s.Name, have, s.Charset)
		return []repair{{why, func(ctx context.Context) error {
			return a.exec(ctx, "set the character set of "+s.Name, "ALTER DATABASE "+quoteName(s.Name)+charset)
		}}}, nil
	}
	return nil, nil
}

// sameCharset knows that utf8 is called utf8mb3 by newer servers.
func sameCharset(a, b string) bool {
	long := func(s string) string {
		if strings.EqualFold(s, "utf8") {
			return "utf8mb3"
		}
		return strings.ToLower(s)
	}
	return long(a) == long(b)
}

// scriptRepairs compares the tables and indexes that a schema has with those that its script makes. One table as a
// mark would not do: these statements are no transaction, and a run may have been killed between any two.
func (d Contents) scriptRepairs(ctx context.Context, h *host.Host, a *administrator, s Schema) ([]repair, error) {
	if s.Script == "" {
		return nil, nil
	}
	text, err := h.ReadFile(s.Script)
	if errors.Is(err, fs.ErrNotExist) {
		why := "the schema script " + s.Script + " is not there yet"
		return []repair{{why, func(context.Context) error {
			return fmt.Errorf("cannot make the tables of %s: %w", s.Name, err)
		}}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the tables of %s: %w", s.Name, err)
	}
	script, err := parseSchema(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Script, err)
	}
	why, err := a.missingObject(ctx, s.Name, script)
	if err != nil || why == "" {
		return nil, err
	}
	return []repair{{why, func(ctx context.Context) error { return d.runScript(ctx, h, s, script) }}}, nil
}

// missingObject names the first table or index of the script that the schema lacks.
func (a *administrator) missingObject(ctx context.Context, schema string, script schemaScript) (string, error) {
	tables, err := a.names(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ?", schema)
	if err != nil {
		return "", fmt.Errorf("cannot list the tables of %s: %w", schema, err)
	}
	for _, t := range script.tables {
		if !slices.Contains(tables, t) {
			return fmt.Sprintf("table %s.%s does not exist", schema, t), nil
		}
	}
	indexes, err := a.names(ctx,
		"SELECT DISTINCT CONCAT(table_name, '.', index_name) FROM information_schema.statistics"+
			" WHERE table_schema = ?", schema)
	if err != nil {
		return "", fmt.Errorf("cannot list the indexes of %s: %w", schema, err)
	}
	for _, i := range script.indexes {
		if name := i.table + "." + i.name; !slices.Contains(indexes, name) {
			return fmt.Sprintf("index %s.%s does not exist", schema, name), nil
		}
	}
	return "", nil
}

func (a *administrator) names(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := a.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, rows.Err()
}

// runScript runs every statement within the schema. What an earlier run made is no error.
func (d Contents) runScript(ctx context.Context, h *host.Host, s Schema, script schemaScript) error {
	db, err := open(h, d.Address, d.admin(), d.AdminPassword, s.Name)
	if err != nil {
		return err
	}
	defer db.Close()
	for i, statement := range script.statements {
		if _, err := db.ExecContext(ctx, statement); err != nil &&
			!serverError(err, errTableExists, errDuplicateKeyName) {
			return fmt.Errorf("cannot make the tables of %s: statement %d of %s: %w", s.Name, i+1, s.Script, err)
		}
	}
	return nil
}
