package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// keepAlive has the values that an installation sets for every connection of the host, with which a middle that forgets
// idle connections after a minute or more sees that they are in use.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 60 * time.Second, Interval: 10 * time.Second, Count: 6}

// errReplaced keeps a question from going over a second connection when the first is gone.
var errReplaced = errors.New("the connection was closed")

// idleConn is one connection to a rollsite over which calls are made before and after a silence.
type idleConn struct {
	site      *Rollsite
	transport *http.Transport
	scheme    string
}

// openIdle makes a connection and one call over it. Without keepalive, the kernel sends nothing in a silence either.
func openIdle(ctx context.Context, addr string, config *tls.Config, from string, keep net.KeepAliveConfig) (*idleConn,
	error) {
	var once sync.Once
	dialer := net.Dialer{Timeout: connectTimeout, KeepAlive: -1, KeepAliveConfig: keep}
	site := &Rollsite{Addr: addr, TLS: config, From: from}
	site.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := net.Conn(nil), errReplaced
		once.Do(func() { conn, err = dialer.DialContext(ctx, network, addr) })
		return conn, err
	}
	c := &idleConn{site: site}
	c.transport, c.scheme = site.transport()
	if err := c.knock(ctx); err != nil {
		c.transport.CloseIdleConnections()
		return nil, err
	}
	return c, nil
}

func (c *idleConn) knock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return c.site.knockOver(ctx, c.transport, c.scheme)
}

// idle holds two connections silent for p.Idle and then uses them again: one as it is, and one on which the kernel
// sends the keepalive packets that an installation sets. What was seen tells what a middle does with idle connections.
func (p *Prober) idle(ctx context.Context, r *report, config *tls.Config) {
	if p.Idle == 0 {
		return
	}
	var conns []*idleConn
	for _, keep := range []net.KeepAliveConfig{{Enable: false}, keepAlive} {
		c, err := openIdle(ctx, r.target.Addr, config, p.Party, keep)
		if err != nil {
			r.add("idle", Failed, "look at the check grpc of this target",
				"no call over a connection of its own: "+reason(err))
			return
		}
		defer c.transport.CloseIdleConnections()
		conns = append(conns, c)
	}
	if err := p.wait(ctx, p.Idle); err != nil {
		r.add("idle", Skipped, "", "interrupted before "+p.Idle.String()+" were over")
		return
	}
	errs := make([]error, len(conns))
	var calls sync.WaitGroup
	for i, c := range conns {
		calls.Go(func() { errs[i] = c.knock(ctx) })
	}
	calls.Wait()
	status, measured, remedy := judgeIdle(p.Idle, errs[0], errs[1])
	r.add("idle", status, remedy, measured)
}

func (p *Prober) wait(ctx context.Context, d time.Duration) error {
	if p.Wait != nil {
		return p.Wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// judgeIdle says what became of a connection that was silent for d, and of one with keepalive packets.
func judgeIdle(d time.Duration, plain, kept error) (status Status, measured, remedy string) {
	const ask = "ask who runs the firewalls between the parties for a longer limit on idle connections"
	switch {
	case plain == nil && kept == nil:
		return OK, fmt.Sprintf("a connection that was idle for %s still works", d), ""
	case plain == nil:
		return Warning, fmt.Sprintf("idle for %s, a connection works, and one with keepalive packets does not: %s", d,
			reason(kept)), ask
	case closed(plain):
		return Warning, fmt.Sprintf(
			"a connection that was idle for %s had been closed (%s); programs notice that and connect again",
			d, reason(plain)), ask
	case kept == nil:
		return Warning, fmt.Sprintf(
				"something on the way forgets a connection that is idle for %s; with a keepalive packet each minute "+
					"it keeps it", d),
			"install sets net.ipv4.tcp_keepalive_time=60 (os: {sysctl: set}): let both sides do so"
	}
	return Failed, fmt.Sprintf(
		"something on the way forgets a connection that is idle for %s, and drops its packets without an answer; "+
			"keepalive packets each minute do not help", d), ask + ", and to answer with a reset"
}

// closed reports whether the other end, or something in its name, has ended a connection in a way that is noticed.
func closed(err error) bool {
	for _, e := range []error{errReplaced, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET,
		syscall.EPIPE, net.ErrClosed} {
		if errors.Is(err, e) && !errors.Is(err, os.ErrDeadlineExceeded) {
			return true
		}
	}
	return false
}
