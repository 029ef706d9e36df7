package host

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestReverseIsBounded asks a name server that never answers.
func TestReverseIsBounded(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", silent.LocalAddr().String())
	}}
	if r := askReverse(t.Context(), resolver, netip.MustParseAddr("203.0.113.7"), 50*time.Millisecond); !r.Late ||
		len(r.Names) > 0 {
		t.Errorf("%+v", r)
	}
}

// TestRaisePutsLimitsBack holds that a try leaves this process as it was.
func TestRaisePutsLimitsBack(t *testing.T) {
	limit := func() (l unix.Rlimit) {
		if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	before := limit()
	g := gatherer{f: &Facts{Unknown: Unknown{}}}
	g.raise([]Limit{{Name: "nofile", Hard: before.Max + 1}, {Name: "core", Hard: 1}})
	if after := limit(); after != before || len(g.f.Unknown) > 0 {
		t.Errorf("%+v, was %+v; %v", after, before, g.f.Unknown)
	}
}
