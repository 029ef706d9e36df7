package step

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/host"

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

// DatabaseAddress is where a server listens: a unix socket on this host, or a host name or address and a port.
type DatabaseAddress struct {
	Socket string
	Host   string
	Port   int
}

func (a DatabaseAddress) String() string {
	if a.Socket != "" {
		return a.Socket
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// connectTimeout is for one attempt: a server on a reachable host answers at once.
const connectTimeout = 10 * time.Second

// openDatabase prepares connections; the first use connects. Statements carry their arguments in their text, properly
// quoted, since the statements about accounts cannot be prepared.
func openDatabase(h *host.Host, at DatabaseAddress, user string, password Password, schema string) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = user, string(password), schema
	cfg.InterpolateParams = true
	cfg.Timeout = connectTimeout
	// eggroll's DATETIME columns take the time of the session that writes the row, and eggroll's own sessions use UTC.
	cfg.Params = map[string]string{"time_zone": "'+00:00'"}
	cfg.Logger = &mysql.NopLogger{} // every failure is returned as an error, too
	if at.Socket != "" {
		cfg.Net, cfg.Addr = "unix", at.Socket
		cfg.DialFunc = func(ctx context.Context, _, addr string) (net.Conn, error) { return h.DialUnix(ctx, addr) }
	} else {
		cfg.Net, cfg.Addr = "tcp", at.String()
		cfg.TLSConfig = "preferred" // encrypted when the server can, as the stock clients do
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the database at %s: %w", at, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

// Error numbers of the servers, common to both flavours.
const (
	errAccessDenied     = 1045
	errTableExists      = 1050
	errDuplicateKeyName = 1061
	errSyntax           = 1064
	errAccessNoPassword = 1698
)

// serverError reports whether err is one of the numbered errors of a server.
func serverError(err error, numbers ...uint16) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && slices.Contains(numbers, e.Number)
}

// databaseAdmin is a connection with an administrator's rights, and what decides how accounts are written.
type databaseAdmin struct {
	db      *sql.DB
	mariaDB bool
	native  bool // mysql_native_password can be used; MySQL 8.4 has it switched off, and 9 no more
}

func inspectServer(ctx context.Context, db *sql.DB) (*databaseAdmin, error) {
	a := &databaseAdmin{db: db}
	var version string
	if err := db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return nil, fmt.Errorf("cannot ask the database server for its version: %w", err)
	}
	a.mariaDB = strings.Contains(version, "MariaDB")
	var status string
	err := db.QueryRowContext(ctx, "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = ?", nativePasswordPlugin).Scan(&status)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("cannot ask the database server for its plugins: %w", err)
	}
	a.native = status == "ACTIVE"
	return a, nil
}

// statementHook is the context key of a function that a test wants to be called before each statement; its error ends the
// run there, as a kill would.
type statementHook struct{}

// exec runs a statement. The statement is not part of the error, because it may hold a password; a syntax error of the
// server would quote it, and therefore is said in other words.
func (a *databaseAdmin) exec(ctx context.Context, what, statement string, args ...any) error {
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
func (a *databaseAdmin) dropDefaultAccounts(ctx context.Context) error {
	rows, err := a.db.QueryContext(ctx, "SELECT user, host FROM mysql.user WHERE user = '' OR (user = ? AND host <> ?)", rootAccount, rootHost)
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
		if err := a.exec(ctx, fmt.Sprintf("remove the account %s@%s", f[0], f[1]), "DROP USER ?@?", f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}

// plugin is the way of storing passwords that every client of FATE understands: the native one where the server has it,
// because clients before 1.9 know no other.
func (a *databaseAdmin) plugin() string {
	if a.mariaDB || a.native {
		return nativePasswordPlugin
	}
	return sha2PasswordPlugin
}

// identified is the clause that gives an account a password. MariaDB, which does not know this form, has just one
// plugin for passwords unless somebody adds more.
func (a *databaseAdmin) identified() string {
	if a.mariaDB {
		return " IDENTIFIED BY ?"
	}
	return " IDENTIFIED WITH " + a.plugin() + " BY ?"
}

// setPassword gives an existing account another password.
func (a *databaseAdmin) setPassword(ctx context.Context, user, from string, password Password) error {
	return a.exec(ctx, fmt.Sprintf("set the password of %s@%s", user, from), "ALTER USER ?@?"+a.identified(), user, from, string(password))
}

// putAccount makes an account with its rights, or repairs it.
func (a *databaseAdmin) putAccount(ctx context.Context, account Account) error {
	repairs, err := a.accountRepairs(ctx, account)
	if err != nil {
		return err
	}
	return applyRepairs(ctx, repairs)
}

// accountRepairs lists what is to be done for an account, at each of its hosts.
func (a *databaseAdmin) accountRepairs(ctx context.Context, account Account) ([]repair, error) {
	var out []repair
	for _, from := range account.Hosts {
		name := account.Name + "@" + from
		exists, same, err := a.passwordIs(ctx, account.Name, from, account.Password)
		switch {
		case err != nil:
			return nil, err
		case !exists:
			out = append(out, repair{"account " + name + " does not exist", func(ctx context.Context) error {
				return a.exec(ctx, "create the account "+name, "CREATE USER ?@?"+a.identified(), account.Name, from, string(account.Password))
			}})
		case !same:
			out = append(out, repair{"password of " + name + " differs", func(ctx context.Context) error {
				return a.setPassword(ctx, account.Name, from, account.Password)
			}})
		}
		var granted []string
		if exists {
			if granted, err = a.grantedSchemas(ctx, account.Name, from); err != nil {
				return nil, err
			}
		}
		for _, schema := range account.Schemas {
			if slices.Contains(granted, schema) {
				continue
			}
			out = append(out, repair{fmt.Sprintf("%s has no rights on %s", name, schema), func(ctx context.Context) error {
				return a.exec(ctx, fmt.Sprintf("grant %s to %s", schema, name), "GRANT ALL PRIVILEGES ON "+quoteName(schema)+".* TO ?@?", account.Name, from)
			}})
		}
	}
	return out, nil
}

// passwordIs looks an account up and compares its stored hash.
func (a *databaseAdmin) passwordIs(ctx context.Context, user, from string, password Password) (exists, same bool, err error) {
	stored := "authentication_string"
	if a.mariaDB { // before 10.4 it is in a column that MySQL has no more
		stored = "IF(authentication_string = '', Password, authentication_string)"
	}
	var plugin, hash string
	err = a.db.QueryRowContext(ctx, "SELECT plugin, "+stored+" FROM mysql.user WHERE user = ? AND host = ?", user, from).Scan(&plugin, &hash)
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

// grantedSchemas lists the schemas on which an account has every right.
func (a *databaseAdmin) grantedSchemas(ctx context.Context, user, from string) ([]string, error) {
	rows, err := a.db.QueryContext(ctx, "SHOW GRANTS FOR ?@?", user, from)
	if err != nil {
		return nil, fmt.Errorf("cannot list the rights of %s@%s: %w", user, from, err)
	}
	defer rows.Close()
	var schemas []string
	for rows.Next() {
		var grant string
		if err := rows.Scan(&grant); err != nil {
			return nil, fmt.Errorf("cannot list the rights of %s@%s: %w", user, from, err)
		}
		// GRANT ALL PRIVILEGES ON `fate_flow`.* TO `fate`@`192.168.0.1`
		rest, all := strings.CutPrefix(grant, "GRANT ALL PRIVILEGES ON `")
		if schema, _, ok := strings.Cut(rest, "`.* TO "); all && ok {
			// An administrator may have written the underscore so that it is no wildcard.
			schemas = append(schemas, strings.ReplaceAll(schema, `\_`, "_"))
		}
	}
	return schemas, rows.Err()
}
