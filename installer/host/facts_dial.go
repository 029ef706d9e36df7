package host

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Dial is the outcome of connecting to a port of this host on which this process listened.
type Dial struct {
	Addr  netip.AddrPort `json:"addr"`
	Error string         `json:"error,omitempty"` // empty: the connection came through
}

// dialWait is ample for a connection that does not leave the host: only a packet filter keeps it from being answered.
const dialWait = time.Second

// dials listens on each port that can be had, and connects to it over lo and over the host's own address in the
// cluster, as the programs will. All are tried at the same time, since a filter that drops packets costs the whole
// wait.
func (g *gatherer) dials(ctx context.Context, own netip.Addr) {
	if g.f.Rooted {
		return
	}
	found := make([][]Dial, len(g.f.Binds))
	var tries sync.WaitGroup
	for i, b := range g.f.Binds {
		if b.Error != "" {
			continue
		}
		tries.Go(func() { found[i] = dialOwn(ctx, b.Addr, own) })
	}
	tries.Wait()
	for _, d := range found {
		g.f.Dials = append(g.f.Dials, d...)
	}
}

// dialOwn tries one port. A port that was taken since it was looked at is left out.
func dialOwn(ctx context.Context, addr netip.AddrPort, own netip.Addr) []Dial {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil
	}
	defer l.Close()
	to := []netip.Addr{addr.Addr()}
	if addr.Addr().IsUnspecified() {
		to = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
		if own.IsValid() && !own.IsLoopback() {
			to = append(to, own)
		}
	}
	out := make([]Dial, len(to))
	var tries sync.WaitGroup
	for i, ip := range to {
		tries.Go(func() {
			out[i].Addr = netip.AddrPortFrom(ip, addr.Port())
			limited, cancel := context.WithTimeout(ctx, dialWait)
			defer cancel()
			conn, err := new(net.Dialer).DialContext(limited, "tcp", out[i].Addr.String())
			switch {
			case err == nil:
				conn.Close()
			case limited.Err() != nil:
				out[i].Error = "no answer within " + dialWait.String()
			default:
				out[i].Error = cause(err).Error()
			}
		})
	}
	tries.Wait()
	return out
}
