package rpc

import (
	"fmt"
	"net"
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
)

// slots counts the connections of all listeners by user.
type slots struct {
	mu      sync.Mutex
	open    map[*slotConn]struct{}
	refused int
}

func newSlots() *slots { return &slots{open: map[*slotConn]struct{}{}} }

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
	c := &slotConn{Conn: conn, peer: p, slots: s, refused: s.refusal(p)}
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

// refusal says why a peer gets no slot, and who has them.
func (s *slots) refusal(p peer) string {
	ofClass, others := 0, 0
	for c := range s.open {
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
