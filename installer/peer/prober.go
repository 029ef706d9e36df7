package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Prober tests targets from this host.
type Prober struct {
	Party    string    // the own party, or blank for an exchange
	Identity *Identity // what TLS is verified with and shows; nil: there are no keys here yet
	Now      func() time.Time

	// how long a connection is held silent and used again; 0: not tried
	Idle time.Duration
	Wait func(ctx context.Context, idle time.Duration) error // waits for Idle; nil: by the clock
}

// Identity is the client half of a rollsite's keys.
type Identity struct {
	Roots       *x509.CertPool // the CA of the peer's server
	Certificate *tls.Certificate
}

// How long things may take. A real rollsite answers a ping after a second; a message that goes in a circle ends with
// answerTimeout, so it is not much longer.
const (
	connectTimeout = 3 * time.Second
	answerTimeout  = 4 * time.Second
)

// largeMessage is longer than any packet, so that it takes several of full size.
const largeMessage = 32 << 10

// Test runs every check that makes sense for the target, in the order in which one builds on the other. It stops where
// what follows could only repeat the trouble.
func (p *Prober) Test(ctx context.Context, target Target) []Result { return p.test(ctx, target, true) }

// TestAll runs Test for each target, all at the same time where connections are held idle. The results are in the order
// of the targets.
func (p *Prober) TestAll(ctx context.Context, targets []Target) []Result {
	found := make([][]Result, len(targets))
	var tests sync.WaitGroup
	for i, target := range targets {
		if p.Idle == 0 {
			found[i] = p.Test(ctx, target)
			continue
		}
		tests.Go(func() { found[i] = p.Test(ctx, target) })
	}
	tests.Wait()
	return slices.Concat(append([][]Result{{}}, found...)...)
}

// TestOneWay is Test without the way back, for the one who is asked for it.
func (p *Prober) TestOneWay(ctx context.Context, target Target) []Result {
	return p.test(ctx, target, false)
}

func (p *Prober) test(ctx context.Context, target Target, thereAndBack bool) []Result {
	r := &report{target: target}
	if !p.name(ctx, r) || !p.connect(ctx, r) {
		return r.results
	}
	config, ok := p.tls(ctx, r)
	p.clearText(ctx, r)
	if !ok || !p.grpc(ctx, r, config) {
		return r.results
	}
	hello, heard := p.greet(ctx, r, config)
	p.parties(ctx, r, config, hello)
	if thereAndBack {
		p.clock(r, hello, heard)
		p.back(ctx, r, config, hello)
		p.idle(ctx, r, config)
	}
	return r.results
}

func (p *Prober) name(ctx context.Context, r *report) bool {
	host, _, err := net.SplitHostPort(r.target.Addr)
	if err != nil {
		r.add("name", Failed, "correct the route", err.Error())
		return false
	}
	if net.ParseIP(host) != nil {
		return true // nothing to look up
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		r.add("name", Failed, "add it to /etc/hosts on every rollsite host, or write the address into the route",
			fmt.Sprintf("%s has no address here", host))
		return false
	}
	r.add("name", OK, "", strings.Join(addrs, ", "))
	return true
}

// connect opens a connection, and asks the kernel how large a packet may be on its way.
func (p *Prober) connect(ctx context.Context, r *report) bool {
	began := time.Now()
	conn, err := dial(ctx, r.target.Addr)
	if err != nil {
		measured, remedy := explainDial(err)
		r.add("tcp", Failed, remedy, measured)
		return false
	}
	defer conn.Close()
	r.add("tcp", OK, "", "connected in "+round(time.Since(began)))
	if mtu, err := pathMTU(conn); err == nil {
		r.add("mtu", OK, "", fmt.Sprintf("%d bytes", mtu))
	} else {
		r.add("mtu", Skipped, "", err.Error())
	}
	return true
}

func dial(ctx context.Context, addr string) (net.Conn, error) {
	return (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", addr)
}

// explainDial turns a failure to connect into what it means, and what to do.
func explainDial(err error) (measured, remedy string) {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: the host is there, and nothing listens",
			"start the rollsite there, or, before it is installed: fate-installer party test --listen"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to that host", "correct the address in the route, or the network's own routes"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer within " + round(connectTimeout),
			"the host is off, or a firewall on the way drops the packets: let TCP to this address and port through"
	}
	return err.Error(), "correct the route"
}

// rollsite speaks to the target as a rollsite would.
func (p *Prober) rollsite(r *report, config *tls.Config) *Rollsite {
	return &Rollsite{Addr: r.target.Addr, TLS: config, From: p.Party}
}

// grpc calls a method that no server has: a gRPC server says so, whatever it serves, and passes nothing on.
func (p *Prober) grpc(ctx context.Context, r *report, config *tls.Config) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	err := p.rollsite(r, config).knock(ctx)
	if err == nil {
		r.add("grpc", OK, "", "speaks gRPC")
		return true
	}
	remedy := "look what listens there: a rollsite, or a load balancer that passes gRPC (HTTP/2) through"
	if !r.target.Secure && speaksTLS(ctx, r.target.Addr) {
		remedy = "the port speaks TLS: use the plain port, or give the route is_secure on both sides"
	}
	r.add("grpc", Failed, remedy, "something answers, but not as gRPC: "+reason(err))
	return false
}

// parties asks the rollsite of each party that is to answer there for a sign of life, with a small and a large message.
func (p *Prober) parties(ctx context.Context, r *report, config *tls.Config, hello *Hello) {
	if len(r.target.Parties) == 0 {
		r.add("party", Skipped, "name a party: fate-installer party test PARTY",
			"which party is to answer there is not known")
		return
	}
	if hello != nil && hello.Role == roleExchange && hello.base == baseURL(r.target.Addr, config) {
		r.add("party", Skipped, "test again when the exchange is installed",
			"an installer listens there, which passes nothing on")
		return
	}
	for _, party := range r.target.Parties {
		if hello != nil && hello.Party != "" && hello.Party != party && len(r.target.Parties) == 1 {
			p.wrongParty(r, party, hello.Party)
			continue
		}
		took, err := ping(ctx, p.rollsite(r, config), party, 0)
		if err != nil {
			measured, remedy := p.explainPing(party, err)
			r.add("party", Failed, remedy, measured)
			continue
		}
		r.add("party", OK, "", fmt.Sprintf("party %s answers in %s", party, round(took)))
		if _, err := ping(ctx, p.rollsite(r, config), party, largeMessage); err != nil {
			r.mtuInDoubt()
			r.add("size", Failed,
				"some link on the way takes smaller packets without saying so: allow ICMP \"fragmentation "+
					"needed\", or set the interface's MTU to what the link takes",
				fmt.Sprintf("a message of %d KiB does not arrive, a small one does", largeMessage>>10))
			continue
		}
		r.add("size", OK, "", fmt.Sprintf("a message of %d KiB arrives", largeMessage>>10))
	}
}

func ping(ctx context.Context, r *Rollsite, party string, extra int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return r.Ping(ctx, party, extra)
}

func (p *Prober) wrongParty(r *report, want, is string) {
	if is == p.Party {
		r.add("party", Failed, "give each party an id of its own",
			fmt.Sprintf("it calls itself party %s, which is the id of this side", is))
		return
	}
	r.add("party", Failed, "compare the party ids of both sides' cluster files: two are swapped, or one is mistyped",
		fmt.Sprintf("the route is for party %s, and it calls itself party %s", want, is))
}

// explainPing says what it means when a message to a party does not come back.
func (p *Prober) explainPing(party string, err error) (measured, remedy string) {
	var status *StatusError
	switch {
	case errors.As(err, &status) && strings.Contains(status.Message, "not have current party"):
		return "the rollsite there knows no party " + party,
			"add the party there (fate-installer party add), or compare the party ids of both sides: two may be swapped"
	case errors.As(err, &status) && status.Code != codeDeadline:
		return fmt.Sprintf("the message for party %s came back: %s", party, firstLine(status.Message)),
			"on the way to the party something is down: run party test on the next hop"
	}
	return fmt.Sprintf("no answer from party %s within %s, though a rollsite is there", party, round(answerTimeout)),
		"is that its id? A message for an id that no party has goes round between default routes; otherwise its " +
			"rollsite, or one on the way, does not get further"
}

// back asks the rollsite there to pass a message to this side, which ends here if the other side's routes are right.
func (p *Prober) back(ctx context.Context, r *report, config *tls.Config, hello *Hello) {
	switch {
	case p.Party == "":
		r.add("back", Skipped, "", "an exchange is no party, and gets no messages of its own")
	case hello != nil:
		r.results = append(r.results, p.askBack(ctx, r, hello)...)
	default:
		from := p.rollsite(r, config)
		from.From = "" // a message from a party to itself is never encrypted on its way
		if took, err := ping(ctx, from, p.Party, 0); err != nil {
			measured, _ := p.explainPing(p.Party, err)
			r.add("back", Failed,
				fmt.Sprintf("the other side's route for party %s, or the firewall in front of this host: run "+
					"fate-installer party test there", p.Party), measured)
		} else {
			r.add("back", OK, "", fmt.Sprintf("a message for party %s that is sent there comes back here in %s",
				p.Party, round(took)))
		}
	}
}

func round(d time.Duration) string {
	if d < time.Second {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line[:min(len(line), 200)]
}

// reason strips what net/http puts around the cause.
func reason(err error) string { return firstLine(strings.TrimPrefix(err.Error(), "http2: ")) }
