package rpc

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fate-installer/supervisor/account"
)

// How many connections are served at once. Root always finds some free.
const (
	maxConnections = 128 // in all
	maxOfUser      = 32  // of one user other than root; of all TCP clients together
	maxOfOthers    = 96  // of all users other than root
	maxRefusals    = 16  // connections that only get the reason of their refusal
	maxScrapers    = 8   // of the metrics' port, of one client's address
)

// slots counts the connections of all listeners by user.
type slots struct {
	mu      sync.Mutex
	open    map[*slotConn]struct{}
	refused int
	ofHost  int // connections of one client's address; 0: any number
}

func newSlots() *slots { return &slots{open: map[*slotConn]struct{}{}} }

// hostOf is what tells clients on TCP apart: the address, of IPv6 the network that one host commonly has; "" for a
// client that is not on TCP.
func hostOf(conn net.Conn) string {
	addr, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	ip := addr.Addr().Unmap().WithZone("")
	if ip.Is4() || ip.IsLoopback() {
		return ip.String()
	}
	network, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return network.String()
}

// class is the key by which connections are counted: a uid, or one number for those that have none.
func class(p peer) int {
	if p.local && p.known {
		return p.uid
	}
	return -1
}

// take finds a slot for a new connection. Without one the connection is refused with the reason, or with nothing when
// too many are being refused: then it returns nil.
func (s *slots) take(conn net.Conn, p peer) *slotConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &slotConn{Conn: conn, peer: p, slots: s}
	if s.ofHost > 0 {
		c.host = hostOf(conn)
	}
	c.refused = s.refusal(p, c.host)
	if c.refused == "" {
		s.open[c] = struct{}{}
		return c
	}
	if s.refused >= maxRefusals {
		return nil
	}
	s.refused++
	return c
}

// refusal says why a peer at a client's address gets no slot, and who has them.
func (s *slots) refusal(p peer, host string) string {
	ofClass, ofHost, others := 0, 0, 0
	for c := range s.open {
		if c.host == host {
			ofHost++
		}
		if class(c.peer) == class(p) {
			ofClass++
		}
		if !c.peer.admin() {
			others++
		}
	}
	switch {
	case len(s.open) >= maxConnections:
		return fmt.Sprintf("all %d connections to the supervisor are in use: %s", maxConnections, s.users())
	case p.admin():
		return ""
	case s.ofHost > 0 && ofHost >= s.ofHost:
		return fmt.Sprintf("%s has all %d connections that it may have: end them, or wait", host, s.ofHost)
	case ofClass >= maxOfUser:
		return fmt.Sprintf("%s has all %d connections to the supervisor that it may have: %s; end them, or wait",
			className(class(p)), maxOfUser, s.users())
	case others >= maxOfOthers:
		return fmt.Sprintf("all %d connections to the supervisor that are not for root are in use: %s",
			maxOfOthers, s.users())
	}
	return ""
}

// maxPIDs bounds how many processes of a user are named.
const maxPIDs = 5

// users lists who has connections, the user with most first.
func (s *slots) users() string {
	count, pids := map[int]int{}, map[int][]string{}
	for c := range s.open {
		k := class(c.peer)
		count[k]++
		if pid := strconv.Itoa(c.peer.pid); c.peer.pid > 0 && !slices.Contains(pids[k], pid) {
			pids[k] = append(pids[k], pid)
		}
	}
	var classes []int
	for k := range count {
		classes = append(classes, k)
	}
	slices.SortFunc(classes, func(a, b int) int { return count[b] - count[a] })
	var out []string
	for _, k := range classes {
		text := fmt.Sprintf("%s %d", className(k), count[k])
		slices.Sort(pids[k])
		if list := pids[k]; len(list) > maxPIDs {
			text += fmt.Sprintf(" (processes %s and %d more)", strings.Join(list[:maxPIDs], ", "), len(list)-maxPIDs)
		} else if len(list) > 0 {
			text += fmt.Sprintf(" (processes %s)", strings.Join(list, ", "))
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func className(k int) string {
	if k < 0 {
		return "clients on TCP"
	}
	if name := account.Name(k); !strings.HasPrefix(name, "uid ") {
		return "user " + name
	}
	return fmt.Sprintf("uid %d", k)
}

func (s *slots) release(c *slotConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.refused != "" {
		s.refused--
		return
	}
	delete(s.open, c)
}

// slotListener accepts connections into slots. It never waits for a slot: a client would not know why it waits.
type slotListener struct {
	net.Listener
	slots *slots
}

func (l slotListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.slots.take(conn, peerOf(conn)); c != nil {
			return c, nil
		}
		_ = conn.Close()
	}
}

// slotConn is a connection with its slot.
type slotConn struct {
	net.Conn
	peer    peer
	host    string // see hostOf
	refused string // why it gets only this text; "" when it has a slot
	slots   *slots
	once    sync.Once
}

func (c *slotConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.slots.release(c) })
	return err
}

// refusedKey is the key of the reason in the context of a refused connection.
type refusedKey struct{}
