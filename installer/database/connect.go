package database

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"fate-installer/installer/answer"
	"fate-installer/installer/host"

	"github.com/go-sql-driver/mysql"
)

// Address is where a server listens: a unix socket on this host, or a host name or address and a port.
type Address struct {
	Socket string
	Host   string
	Port   int
}

func (a Address) String() string {
	if a.Socket != "" {
		return a.Socket
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// connectTimeout is for one attempt: a server on a reachable host answers at once.
const connectTimeout = 10 * time.Second

// open prepares connections; the first use connects. Statements carry their arguments in their text, properly
// quoted, since the statements about accounts cannot be prepared. What the server answers is bounded.
func open(h *host.Host, at Address, user string, password Password, schema string) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = user, string(password), schema
	cfg.Timeout = connectTimeout
	// eggroll's DATETIME columns take the time of the session that writes the row, and eggroll's own sessions use UTC.
	cfg.Params = map[string]string{"time_zone": "'+00:00'"}
	cfg.Logger = &mysql.NopLogger{} // every failure is returned as an error, too
	if at.Socket != "" {
		cfg.Net, cfg.Addr = "unix", at.Socket
		cfg.DialFunc = func(ctx context.Context, _, addr string) (net.Conn, error) { return h.DialUnix(ctx, addr) }
	} else {
		cfg.Net, cfg.Addr = "tcp", at.String()
	}
	var bound answer.Bound
	bound.Configure(cfg)
	plain, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the database at %s: %w", at, err)
	}
	connector := plain
	if at.Socket == "" {
		cfg.TLS, cfg.AllowFallbackToPlaintext = databaseTLS(), true
		encrypted, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, fmt.Errorf("cannot connect to the database at %s: %w", at, err)
		}
		connector = &preferTLS{encrypted, plain}
	}
	return bound.Open(connector), nil
}

// databaseTLS accepts what MySQL's own clients accept: any certificate, because servers make their own, TLS 1.0 of
// MySQL 5.7, and key exchange by RSA, the only one that Oracle's builds of 8.0 with OpenSSL 1.0 offer.
func databaseTLS() *tls.Config {
	// #nosec G402 -- the alternative of FATE's own drivers is no encryption at all
	c := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}
	for _, suite := range tls.CipherSuites() {
		c.CipherSuites = append(c.CipherSuites, suite.ID)
	}
	c.CipherSuites = append(c.CipherSuites, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	return c
}

// preferTLS connects with TLS, and without it to a server with which the handshake fails: FATE's own drivers use none,
// and the password does not cross the network in clear either way.
type preferTLS struct{ encrypted, plain driver.Connector }

// Driver implements [driver.Connector].
func (p *preferTLS) Driver() driver.Driver { return p.plain.Driver() }

// Connect implements [driver.Connector].
func (p *preferTLS) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := p.encrypted.Connect(ctx)
	if err == nil || !handshakeFailed(err) || ctx.Err() != nil {
		return conn, err
	}
	conn, plainErr := p.plain.Connect(ctx)
	if plainErr != nil {
		return nil, &withoutTLSError{plainErr, err}
	}
	return conn, nil
}

// withoutTLSError is a failed login without TLS, after TLS had failed.
type withoutTLSError struct{ plain, encrypted error }

func (e *withoutTLSError) Error() string { return e.plain.Error() + e.suffix() }
func (e *withoutTLSError) suffix() string {
	return fmt.Sprintf(" (without TLS, because with TLS: %v)", e.encrypted)
}
func (e *withoutTLSError) Unwrap() []error { return []error{e.plain, e.encrypted} }

// handshakeFailed reports whether a connection was made and TLS was the trouble: the server was reached, and it was not
// the server that refused the login.
func handshakeFailed(err error) bool {
	var op *net.OpError
	var answer *mysql.MySQLError
	return !errors.As(err, &answer) && !(errors.As(err, &op) && op.Op == "dial")
}

// sessionTLS names version and cipher of a connection's encryption, blank when there is none.
func sessionTLS(ctx context.Context, db *sql.DB) (string, error) {
	var name, version, cipher string
	err := db.QueryRowContext(ctx, "SHOW SESSION STATUS LIKE 'Ssl_version'").Scan(&name, &version)
	if err == nil {
		err = db.QueryRowContext(ctx, "SHOW SESSION STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher)
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil && version == "" { // a server built without TLS has no such status
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot ask the database server for the encryption: %w", err)
	}
	return version + " " + cipher, nil
}
