package supervisor

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"fate-installer/supervisor/config"
)

func TestParseSocket(t *testing.T) {
	for line, want := range map[string]tcpSocket{
		"   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 23456 1 0": {3306, "",
			"23456"},
		"   0: 00000000000000000000000001000000:24A2 0:0 0A 0:0 0:0 0 0 0 77 1": {9378, "",
			"77"},
		"   1: 0100007F:0CEA 0200000A:01BB 01 00000000:00000000 00:00000000 00000000  1000 0 23457 1 0": {3306,
			"10.0.0.2:443", "23457"},
		"   1: 0000000000000000FFFF00000100007F:24A2 0000000000000000FFFF00000200000A:01BB 06 0:0 0:0 0 0 0 78 1": {
			9378, "10.0.0.2:443", "78"},
		// TIME_WAIT
		"   1: 0100007F:0CEA 0200000A:01BB 06 00000000:00000000 03:00000000 00000000     0 0 0 3 0":        {},
		"   1: 0100007F:0CEA not an address 01 0:0 0:0 0 0 0 79 1":                                         {},
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode": {},
		"": {},
	} {
		if got, ok := parseSocket(line); ok != (want.inode != "") || ok && got != want {
			t.Errorf("%q: %+v %v, want %+v", line, got, ok, want)
		}
	}
}

// TestPortOfAConnection: a program cannot listen, since the kernel has given its port to another process's connection.
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
	b := newBench(t)
	b.run(b.child("a", "listen "+conn.LocalAddr().String(), func(p *config.Program) {
		p.StartSecs,
			p.StartRetries = 1000, 0
	}))
	var failed *FailedError
	if err := b.sup.Start(testContext(t), []string{"a"}, true); !errors.As(err, &failed) {
		t.Fatalf("Start: %v", err)
	}
	chain, err := b.sup.Why("a")
	if err != nil || len(chain) != 1 || len(chain[0].Ports) != 1 {
		t.Fatalf("%+v, %v", chain, err)
	}
	port := conn.LocalAddr().(*net.TCPAddr).Port
	if o := chain[0].Ports[0]; o.Port != port || o.PID != os.Getpid() || o.Peer != server.Addr().String() {
		t.Errorf("port %d is held by %+v, want this process's connection to %s", port, o, server.Addr())
	}
	for _, want := range []string{"to " + server.Addr().String(), "net.ipv4.ip_local_reserved_ports"} {
		if !strings.Contains(chain[0].Advice, want) {
			t.Errorf("the advice lacks %q: %s", want, chain[0].Advice)
		}
	}
}
