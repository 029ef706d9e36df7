package host

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// TestPortOfAStartingProgram binds a port and listens a second later, as a program on a busy host does. In between the
// kernel lists no socket that has the port.
func TestPortOfAStartingProgram(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	h, err := New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	listening := make(chan error)
	go func() {
		time.Sleep(time.Second)
		listening <- unix.Listen(fd, 1)
	}()
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*unix.SockaddrInet4).Port))
	g := gatherer{h: h, f: &Facts{Unknown: Unknown{}}}
	g.sockets(t.Context(), []netip.AddrPort{addr})
	if err := <-listening; err != nil {
		t.Fatal(err)
	}
	found := g.f.ListenersOn(addr)
	if len(found) != 1 || found[0].PID != os.Getpid() {
		t.Errorf("%s is held by %+v, want this process", addr, found)
	}
}
