package host

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Bind is the outcome of binding a port as the program that wants it would.
type Bind struct {
	Addr  netip.AddrPort `json:"addr"`
	Error string         `json:"error"` // empty: it can be had
	InUse bool           `json:"in_use"`
}

// Bind gives the outcome for an address that Gather was asked to try.
func (f *Facts) Bind(addr netip.AddrPort) (Bind, bool) {
	for _, b := range f.Binds {
		if b.Addr == addr {
			return b, true
		}
	}
	return Bind{}, false
}

// binds really listens, for an instant, on each port. The listener table alone would miss an address that is not ours,
// a port that needs privileges, and sockets of other network stacks on the same machine.
func (g *gatherer) binds(ctx context.Context, addrs []netip.AddrPort) {
	if g.f.Rooted {
		return
	}
	for _, addr := range addrs {
		b := Bind{Addr: addr}
		var lc net.ListenConfig // sets SO_REUSEADDR, as servers do, so that connections in TIME_WAIT do not count
		l, err := lc.Listen(ctx, "tcp", addr.String())
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			b.Error, b.InUse = cause(err).Error(), errors.Is(err, syscall.EADDRINUSE)
		}
		g.f.Binds = append(g.f.Binds, b)
	}
}

// Target is a remote end that should answer.
type Target struct {
	Name string // what it is, for the report
	Addr string // host:port
	TLS  bool   // also shake hands

	Greets bool // it speaks first, as databases do: keep what it says
}

// Reach is the outcome of connecting to a Target.
type Reach struct {
	Target
	Connected bool          `json:"connected"`
	Shaken    bool          `json:"shaken"` // the TLS handshake got as far as the peer's certificate
	Error     string        `json:"error"`
	Latency   time.Duration `json:"latency"` // of the TCP connection
	Greeting  []byte        `json:"greeting,omitempty"`
}

// reachTimeout is for one target; all are tried at once. An address that a firewall swallows costs this much.
const reachTimeout = 3 * time.Second

func (g *gatherer) peers(ctx context.Context, targets []Target) {
	if g.f.Rooted {
		return
	}
	g.f.Peers = make([]Reach, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() { g.f.Peers[i] = reach(ctx, t) })
	}
	wg.Wait()
}

// reach connects and, for TLS, checks that a certificate comes back; whose it is, is for the programs to verify with
// the keys that are perhaps not installed yet.
func reach(ctx context.Context, t Target) Reach {
	r := Reach{Target: t}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	start := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		r.Error = cause(err).Error()
		return r
	}
	defer conn.Close()
	r.Connected, r.Latency = true, time.Since(start)
	if t.Greets {
		r.Greeting = readGreeting(ctx, conn)
	}
	if !t.TLS {
		return r
	}
	// gRPC servers want HTTP/2 to be offered.
	// #nosec G402 -- only whether the port speaks TLS; nothing is sent
	tc := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := tc.HandshakeContext(ctx); err != nil && len(tc.ConnectionState().PeerCertificates) == 0 {
		r.Error = cause(err).Error()
		return r
	}
	r.Shaken = true
	return r
}

// greetingMax is more than a database says before it is asked anything.
const greetingMax = 1 << 10

// readGreeting reads what a server says first; nothing when it says nothing in time.
func readGreeting(ctx context.Context, conn net.Conn) []byte {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(deadline) // without it the read ends with the connection
	}
	buf := make([]byte, greetingMax)
	n, _ := conn.Read(buf) // what came before an error counts
	return buf[:n]
}

// cause strips the operation and addresses that net puts before the reason; the report has them already.
func cause(err error) error {
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &dns):
		return dns
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer within " + reachTimeout.String())
	}
	return err
}
