package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Password is a password that shows itself only to those who convert it to a string.
type Password string

const hiddenPassword = "[redacted]"

// String hides the password.
func (Password) String() string { return hiddenPassword }

// GoString hides the password from %#v.
func (Password) GoString() string { return strconv.Quote(hiddenPassword) }

// MarshalText hides the password from encoders.
func (Password) MarshalText() ([]byte, error) { return []byte(hiddenPassword), nil }

// Account is a user that may log in from some client hosts and has every right on some schemas.
type Account struct {
	Name     string
	Hosts    []string // addresses, localhost, or patterns of the server
	Password Password
	Schemas  []string
}

// The administrator's account of a server that we made.
const (
	rootAccount = "root"
	rootHost    = "localhost"
)

// Error numbers of the servers, common to both flavours.
const (
	errAccessDenied     = 1045
	errTableExists      = 1050
	errDuplicateKeyName = 1061
	errSyntax           = 1064
	errAccessNoPassword = 1698

	errSchemaDenied       = 1044
	errHostNotAllowed     = 1130
	errHostNotPrivileged  = 1131
	errTableDenied        = 1142
	errColumnDenied       = 1143
	errRightNeeded        = 1227
	errGrantMakesNoUser   = 1410
	errPluginNotAvailable = 1524
)

// serverError reports whether err is one of the numbered errors of a server.
func serverError(err error, numbers ...uint16) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && slices.Contains(numbers, e.Number)
}

// administrator is a connection with an administrator's rights, and what decides how accounts are written.
type administrator struct {
	db      *sql.DB
	mariaDB bool
	native  bool // mysql_native_password can be used; MySQL 8.4 has it switched off, and 9 no more

	// outside logs in to a server that is not ours as an account; nil for one of ours.
	outside func(user string, password Password) (*sql.DB, error)
}

func inspectServer(ctx context.Context, db *sql.DB) (*administrator, error) {
	a := &administrator{db: db}
	var version string
	if err := db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return nil, fmt.Errorf("cannot ask the database server for its version: %w", err)
	}
	a.mariaDB = strings.Contains(version, "MariaDB")
	var status string
	err := db.QueryRowContext(ctx, "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = ?",
		nativePasswordPlugin).Scan(&status)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("cannot ask the database server for its plugins: %w", err)
	}
	a.native = status == "ACTIVE"
	return a, nil
}

// statementHook is the context key of a function that a test wants to be called before each statement; its error ends
// the run there, as a kill would.
type statementHook struct{}

// exec runs a statement. The statement is not part of the error, because it may hold a password; a syntax error of the
// server would quote it, and therefore is said in other words.
func (a *administrator) exec(ctx context.Context, what, statement string, args ...any) error {
	if hook, ok := ctx.Value(statementHook{}).(func(string) error); ok {
		if err := hook(what); err != nil {
			return err
		}
	}
	_, err := a.db.ExecContext(ctx, statement, args...)
	if serverError(err, errSyntax) {
		err = errors.New("the database server does not understand the statement")
	}
	if err != nil {
		return fmt.Errorf("cannot %s: %w", what, err)
	}
	return nil
}

// dropDefaultAccounts removes what a fresh database has besides the administrator on this host: anonymous users, and
// root by other ways, each without password.
func (a *administrator) dropDefaultAccounts(ctx context.Context) error {
	rows, err := a.db.QueryContext(ctx, "SELECT user, host FROM mysql.user WHERE user = '' OR (user = ? AND host <> ?)",
		rootAccount, rootHost)
	if err != nil {
		return fmt.Errorf("cannot list the accounts of the new database: %w", err)
	}
	defer rows.Close()
	var found [][2]string
	for rows.Next() {
		var user, host string
		if err := rows.Scan(&user, &host); err != nil {
			return fmt.Errorf("cannot list the accounts of the new database: %w", err)
		}
		found = append(found, [2]string{user, host})
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("cannot list the accounts of the new database: %w", err)
	}
	for _, f := range found {
		if err := a.exec(ctx, fmt.Sprintf("remove the account %s@%s", f[0], f[1]),
			"DROP USER ?@?", f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}

// plugin is the way of storing passwords that every client of FATE understands: the native one where the server has it,
// because clients before 1.9 know no other.
func (a *administrator) plugin() string {
	if a.mariaDB || a.native {
		return nativePasswordPlugin
	}
	return sha2PasswordPlugin
}

// identified is the clause that gives an account a password. MariaDB, which does not know this form, has just one
// plugin for passwords unless an administrator adds more.
func (a *administrator) identified() string {
	if a.mariaDB {
		return " IDENTIFIED BY ?"
	}
	return " IDENTIFIED WITH " + a.plugin() + " BY ?"
}

// setPassword gives an existing account another password.
func (a *administrator) setPassword(ctx context.Context, user, from string, password Password) error {
	return a.exec(ctx, fmt.Sprintf("set the password of %s@%s", user, from), "ALTER USER ?@?"+a.identified(), user,
		from, string(password))
}

// putAccount makes an account with its rights, or repairs it.
func (a *administrator) putAccount(ctx context.Context, account Account) error {
	repairs, err := a.accountRepairs(ctx, account)
	if err != nil {
		return err
	}
	return applyRepairs(ctx, repairs)
}

// accountRepairs lists what is to be done for an account, at each of its hosts. With a server that is not ours it is
// enough that the account can log in and has its rights, by whatever name the administrator has made it for this host.
func (a *administrator) accountRepairs(ctx context.Context, account Account) ([]repair, error) {
	var refusal error
	if a.outside != nil {
		fact := a.tryAccount(ctx, account)
		if fact.err == nil {
			return a.outsideGrants(account, fact), nil
		}
		if !fact.Refused {
			return nil, fact.err
		}
		refusal = fact.err
	}
	var out []repair
	for _, from := range account.Hosts {
		repairs, err := a.accountRepairsAt(ctx, account, from)
		if refusal != nil && serverError(err, errTableDenied, errColumnDenied, errSchemaDenied) {
			repairs, err = a.unseenAccountRepairs(account, from, refusal), nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, repairs...)
	}
	return out, nil
}

// accountRepairsAt compares an account with what the server has stored about it.
func (a *administrator) accountRepairsAt(ctx context.Context, account Account, from string) ([]repair, error) {
	var out []repair
	name := account.Name + "@" + from
	exists, same, err := a.passwordIs(ctx, account.Name, from, account.Password)
	switch {
	case err != nil:
		return nil, err
	case !exists:
		out = append(out, repair{"account " + name + " does not exist", func(ctx context.Context) error {
			return a.exec(ctx, "create the account "+name, "CREATE USER ?@?"+a.identified(), account.Name, from,
				string(account.Password))
		}})
	case !same:
		out = append(out, repair{"password of " + name + " differs", func(ctx context.Context) error {
			return a.setPassword(ctx, account.Name, from, account.Password)
		}})
	}
	var grants []Grant
	if exists {
		if grants, _, err = readGrants(ctx, a.db, "SHOW GRANTS FOR ?@?", account.Name, from); err != nil {
			return nil, fmt.Errorf("cannot list the rights of %s: %w", name, err)
		}
	}
	for _, schema := range account.Schemas {
		if len(missingRights(grants, schema, a.accountRights())) > 0 {
			out = append(out, a.grant(account.Name, from, schema))
		}
	}
	return out, nil
}

// accountRights are the rights of an account on its schemas: on a server of ours every right, on an outside server
// those that it needs, since the administrator there may be able to give no others.
func (a *administrator) accountRights() []string {
	if a.outside != nil {
		return ServiceRights()
	}
	return []string{allPrivileges}
}

// grant gives an account its rights on a schema.
func (a *administrator) grant(user, from, schema string) repair {
	name := user + "@" + from
	rights := strings.Join(a.accountRights(), ", ")
	return repair{fmt.Sprintf("%s has no rights on %s", name, schema), func(ctx context.Context) error {
		give := func(pattern string) error {
			statement := fmt.Sprintf("GRANT %s ON %s.* TO ?@?", rights, quoteName(pattern))
			return a.exec(ctx, fmt.Sprintf("grant %s to %s", schema, name), statement, user, from)
		}
		err := give(schema)
		if escaped := strings.ReplaceAll(schema, "_", `\_`); serverError(err, errSchemaDenied) && escaped != schema {
			// A name in GRANT is a pattern, and rights on a narrower one, as on fate\_%, do not suffice for it.
			err = give(escaped)
		}
		return err
	}}
}

// passwordIs looks an account up and compares its stored hash.
func (a *administrator) passwordIs(ctx context.Context, user, from string, password Password) (exists,
	same bool, err error) {
	stored := "authentication_string"
	if a.mariaDB { // before 10.4 it is in a column that MySQL has no more
		stored = "IF(authentication_string = '', Password, authentication_string)"
	}
	var plugin, hash string
	err = a.db.QueryRowContext(ctx, "SELECT plugin, "+stored+" FROM mysql.user WHERE user = ? AND host = ?", user,
		from).Scan(&plugin, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("cannot look up the account %s@%s: %w", user, from, err)
	}
	if a.mariaDB && plugin == "" {
		plugin = nativePasswordPlugin
	}
	// An account of the other kind may have the right password, and still be one that old clients cannot use.
	right := plugin == a.plugin() && storedPasswordIs(plugin, hash, password)
	return true, right, nil
}
