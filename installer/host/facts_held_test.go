package host

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
)

// TestPortOfAConnection holds a port by an outgoing connection and asks who has it. The kernel gives one local port
// to connections with different peers, so that other programs of this machine can be among the answers.
func TestPortOfAConnection(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	other, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	h, err := New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	held := netip.MustParseAddrPort(conn.LocalAddr().String())
	g := gatherer{h: h, f: &Facts{Unknown: Unknown{}}}
	g.sockets(t.Context(), []netip.AddrPort{held})
	found := g.f.ConnectionsOn(held)
	if !slices.ContainsFunc(found, func(c Listener) bool {
		return c.Addr == held && c.PID == os.Getpid() && c.Peer.String() == server.Addr().String()
	}) {
		t.Errorf("%s is held by %+v, want this process's connection to %s among them", held, found, server.Addr())
	}
	if b, ok := g.f.Bind(held); !ok || !b.InUse || g.f.ownerUnknown(b) {
		t.Errorf("%+v", b)
	}
}
