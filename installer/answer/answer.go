// Package answer bounds what a database server can make its client hold. The client is root, and the server is
// another's, or runs as the service user.
package answer

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Limits of the answer to one statement. What is asked for has hundreds of rows; tables of jobs are asked for with a
// limit of their own, which a server need not obey.
const (
	MostRows  = 200_000
	MostBytes = 32 << 20
)

// loginLimit is the time for a connection and a login. A server that accepts connections and then says
// nothing would keep its client for ever.
const loginLimit = time.Minute

// DialFunc connects to a server.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// Bound holds the answers of a server within the limits. The zero value is ready for use.
type Bound struct {
	mu       sync.Mutex
	read     int64         // bytes since the last statement
	head     header        // of the answer to the last statement
	tooLarge error         // what the connection was ended for
	limit    time.Duration // for a login; 0 stands for loginLimit
}

// TooLargeError is an answer beyond a limit.
type TooLargeError struct{ Limit string }

func (e *TooLargeError) Error() string {
	return "the database server sent more than " + e.Limit + " in answer to one statement: it is not what it should be"
}

// Configure has the connections of a configuration counted. It is to be called after the rest of it is set, and before
// a connector is made. Statements carry their arguments, since what is prepared is not counted.
func (b *Bound) Configure(c *mysql.Config) {
	dial := c.DialFunc
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c.InterpolateParams = true
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		inner, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: inner, bound: b}, nil
	}
}

// Open returns the database of a connector, with one connection at a time, whose answers are bounded.
func (b *Bound) Open(c driver.Connector) *sql.DB {
	db := sql.OpenDB(&connector{c, b})
	db.SetMaxOpenConns(1)
	return db
}

// statement begins to count for the next statement. A login is counted too, but its packets are not answers.
func (b *Bound) statement(login bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read, b.head, b.tooLarge = 0, header{done: login}, nil
}

// count takes what a connection has received. The connection is of no further use after an error.
func (b *Bound) count(p []byte, encrypted bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tooLarge != nil {
		return b.tooLarge
	}
	if !encrypted {
		b.tooLarge = b.head.read(p)
	}
	if b.read += int64(len(p)); b.read > MostBytes && b.tooLarge == nil {
		b.tooLarge = &TooLargeError{Limit: fmt.Sprintf("%d MiB", MostBytes>>20)}
	}
	return b.tooLarge
}

// end has the connection receive no more.
func (b *Bound) end(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tooLarge = err
	return err
}

// explain says that an answer was too large where the driver knows only of a connection that broke.
func (b *Bound) explain(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil && b.tooLarge != nil {
		return b.tooLarge
	}
	return err
}

// countedConn ends when a statement is answered with too much. A row may have any length, so it is too late to count
// rows.
type countedConn struct {
	net.Conn
	bound     *Bound
	encrypted bool // the number of columns cannot be seen
}

// Read implements [net.Conn].
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if e := c.bound.count(p[:n], c.encrypted); e != nil {
		return 0, e
	}
	return n, err
}

// Write implements [net.Conn]. A record of TLS's handshake begins like no packet of a login.
func (c *countedConn) Write(p []byte) (int, error) {
	c.encrypted = c.encrypted || bytes.HasPrefix(p, []byte{0x16, 3})
	return c.Conn.Write(p)
}

// SyscallConn implements [syscall.Conn], by which the driver finds out that the server has closed the connection.
func (c *countedConn) SyscallConn() (syscall.RawConn, error) {
	inner, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("the connection to %s has no descriptor", c.RemoteAddr())
	}
	return inner.SyscallConn()
}

type connector struct {
	driver.Connector
	bound *Bound
}

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	c.bound.statement(true)
	limit := cmp.Or(c.bound.limit, loginLimit)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	inner, err := c.Connector.Connect(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("the database server does not complete a login within %s: %w", limit, err)
	}
	if err != nil {
		return nil, c.bound.explain(err)
	}
	known, ok := inner.(statements)
	if !ok {
		return nil, fmt.Errorf("the database driver makes connections of the kind %T", inner)
	}
	return &conn{known, c.bound}, nil
}

// statements is the part of a driver's connection that is used.
type statements interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type conn struct {
	statements
	bound *Bound
}

// ExecContext implements [driver.ExecerContext].
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.bound.statement(false)
	result, err := c.statements.ExecContext(ctx, query, args)
	return result, c.bound.explain(err)
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (_ driver.Rows, err error) {
	c.bound.statement(false)
	defer func() {
		// The driver makes room for as many columns as the server says that there are.
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot understand the answer of the database server: %v", p)
			_ = c.Close() // it is of no further use
		}
	}()
	inner, err := c.statements.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.bound.explain(err)
	}
	return &rows{Rows: inner, bound: c.bound}, nil
}

// rows are the answer to one statement.
type rows struct {
	driver.Rows
	bound *Bound
	n     int
}

// Next implements [driver.Rows].
func (r *rows) Next(dest []driver.Value) error {
	if err := r.Rows.Next(dest); err != nil {
		return r.bound.explain(err)
	}
	if r.n++; r.n > MostRows {
		// Close would take all that is left.
		return r.bound.end(&TooLargeError{Limit: fmt.Sprintf("%d rows", MostRows)})
	}
	return nil
}

// Silent keeps the driver from writing to standard error what the error already says. It is for the Logger of a
// configuration.
type Silent struct{}

// Print implements [mysql.Logger].
func (Silent) Print(...any) {}
