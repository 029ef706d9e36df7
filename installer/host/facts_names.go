package host

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Reverse is the name service's answer for an address.
type Reverse struct {
	Addr  netip.Addr `json:"addr"`
	Names []string   `json:"names,omitempty"`
	Late  bool       `json:"late,omitempty"` // no answer within reverseWait
}

// reverseWait is how long a server that looks up its clients may be kept waiting without harm.
const reverseWait = 2 * time.Second

// reverse asks for the names of addresses, as servers do for those of their clients. All are asked for at once. That an
// address has no name is an answer; only the lack of one makes programs wait.
func (g *gatherer) reverse(ctx context.Context, addrs []netip.Addr) {
	if g.f.Rooted {
		return
	}
	g.f.Reverse = make([]Reverse, len(addrs))
	var asked sync.WaitGroup
	for i, a := range addrs {
		asked.Go(func() { g.f.Reverse[i] = askReverse(ctx, net.DefaultResolver, a, reverseWait) })
	}
	asked.Wait()
}

func askReverse(ctx context.Context, resolver *net.Resolver, a netip.Addr, wait time.Duration) Reverse {
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	names, err := resolver.LookupAddr(limited, a.String())
	var dns *net.DNSError
	late := err != nil && (limited.Err() != nil || errors.As(err, &dns) && dns.IsTimeout)
	return Reverse{Addr: a, Names: names, Late: late}
}

// raisable are the limits that programs are given more of than a session may have.
var raisable = map[string]int{"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC}

// raise tries to raise hard limits of this process, and puts them back. Root may, but in a container that has not the
// right to; a program started there has no more than the container.
func (g *gatherer) raise(wanted []Limit) {
	if g.f.Rooted {
		return
	}
	for _, w := range wanted {
		resource, known := raisable[w.Name]
		var have unix.Rlimit
		if !known || unix.Prlimit(0, resource, nil, &have) != nil || have.Max >= w.Hard {
			continue
		}
		if err := unix.Prlimit(0, resource, &unix.Rlimit{Cur: have.Cur, Max: w.Hard}, nil); err != nil {
			if g.f.Unraisable == nil {
				g.f.Unraisable = map[string]string{}
			}
			g.f.Unraisable[w.Name] = err.Error()
			continue
		}
		if err := unix.Prlimit(0, resource, &have, nil); err != nil { // lowering is always allowed
			g.unknown("limits", err)
		}
	}
}
