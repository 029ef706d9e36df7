// Package answer bounds what a database server can make its client hold. The client is root, and the server is
// another's, or runs as the service user.
package answer

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

// Limits of the answer to one statement. What is asked for has hundreds of rows; tables of jobs are asked for with a
// limit of their own, which a server need not obey.
const (
	MostRows  = 200_000
	MostBytes = 32 << 20
)

// DialFunc connects to a server.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// Bound holds the answers of a server within the limits. The zero value is ready for use.
type Bound struct {
	read atomic.Int64 // bytes since the last statement, on all connections
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
		return &countedConn{inner, b}, nil
	}
}

// Open returns the database of a connector, with one connection at a time, whose answers are bounded.
func (b *Bound) Open(c driver.Connector) *sql.DB {
	db := sql.OpenDB(&connector{c, b})
	db.SetMaxOpenConns(1)
	return db
}

// explain says that an answer was too large where the driver knows only of a connection that broke.
func (b *Bound) explain(err error) error {
	if err != nil && b.read.Load() > MostBytes {
		return &TooLargeError{Limit: fmt.Sprintf("%d MiB", MostBytes>>20)}
	}
	return err
}

// countedConn ends when a statement is answered with too much. A row may have any length, so it is too late to count
// rows.
type countedConn struct {
	net.Conn
	bound *Bound
}

// Read implements [net.Conn].
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.bound.read.Add(int64(n)) > MostBytes {
		return 0, c.bound.explain(net.ErrClosed)
	}
	return n, err
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
	c.bound.read.Store(0)
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, c.bound.explain(err)
	}
	known, ok := inner.(statements)
	if !ok {
		return nil, fmt.Errorf("the database driver makes connections of the kind %T", inner)
	}
	return &conn{known, c.bound}, nil
}

// statements is what a connection of the driver can do.
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
	c.bound.read.Store(0)
	result, err := c.statements.ExecContext(ctx, query, args)
	return result, c.bound.explain(err)
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (_ driver.Rows, err error) {
	c.bound.read.Store(0)
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
		r.bound.read.Add(MostBytes) // Close would take all that is left
		return &TooLargeError{Limit: fmt.Sprintf("%d rows", MostRows)}
	}
	return nil
}
