package peer_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"fate-installer/installer/peer"
)

// middle passes connections on to a rollsite, until one is idle: then it does with it what the test says.
type middle struct {
	t     *testing.T
	addr  string
	to    string
	mu    sync.Mutex
	conns []net.Conn // of who tests, in the order of their arrival
	deaf  map[net.Conn]bool
}

func newMiddle(t *testing.T, to string) *middle {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &middle{t: t, addr: socket.Addr().String(), to: to, deaf: map[net.Conn]bool{}}
	t.Cleanup(func() { socket.Close() })
	go func() {
		for {
			from, err := socket.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.conns = append(m.conns, from)
			m.mu.Unlock()
			go m.pass(from)
		}
	}()
	return m
}

func (m *middle) pass(from net.Conn) {
	on, err := net.Dial("tcp", m.to)
	if err != nil {
		from.Close()
		return
	}
	go func() {
		_, _ = io.Copy(from, on)
		from.Close()
	}()
	defer on.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		m.mu.Lock()
		deaf := m.deaf[from]
		m.mu.Unlock()
		if !deaf {
			_, _ = on.Write(buf[:n])
		}
	}
}

// silence is the wait of the prober: both of the last connections are idle now.
func (m *middle) silence(what [2]string) func(context.Context, time.Duration) error {
	return func(context.Context, time.Duration) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		for i, conn := range m.conns[len(m.conns)-2:] {
			switch what[i] {
			case "forget":
				m.deaf[conn] = true
			case "close":
				conn.Close()
			}
		}
		return nil
	}
}

// TestIdle holds what is said of middles that keep, close and forget connections: the first is one without keepalive.
func TestIdle(t *testing.T) {
	id, server := makeKeys(t, "127.0.0.1")
	plain, secure := listen(t, guest(), nil), listen(t, guest(), server)
	for name, c := range map[string]struct {
		what [2]string
		want string
	}{
		"kept": {[2]string{"", ""}, "out ok idle: a connection that was idle for 5m0s still works;"},
		"forgotten": {[2]string{"forget", "forget"},
			"out failed idle: something on the way forgets a connection that is idle for 5m0s, and drops"},
		"kept if not idle": {[2]string{"forget", ""},
			"out warning idle: something on the way forgets a connection that is idle for 5m0s; with a keepalive " +
				"packet each minute it keeps it; install sets"},
		"closed": {[2]string{"close", "close"},
			"out warning idle: a connection that was idle for 5m0s had been closed ("},
	} {
		for how, target := range map[string]peer.Target{"plain": {Addr: plain},
			"secure": {Addr: secure, Secure: true}} {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				m := newMiddle(t, target.Addr)
				target.Label, target.Parties, target.Addr = "9999", []string{"9999"}, m.addr
				p := prober(id)
				p.Idle, p.Wait = 5*time.Minute, m.silence(c.what)
				if got := text(p.TestAll(t.Context(), []peer.Target{target})); !strings.Contains(got, c.want) {
					t.Errorf("no %q in\n%s", c.want, got)
				}
			})
		}
	}
}
