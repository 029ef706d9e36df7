package supervisor

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/host/tcptable"
	"fate-installer/supervisor/process"
)

// portOwners finds who listens on the given TCP ports, or, of a port on which no process listens, whose connection has
// it as its own end: the kernel gives ports of ip_local_port_range to outgoing connections, and a server cannot listen
// on such a port then. Only root sees the processes of other users.
func portOwners(ports []int) []PortOwner {
	if len(ports) == 0 {
		return nil
	}
	listening, connected := socketsOn(ports)
	if len(listening)+len(connected) == 0 {
		return nil
	}
	sockets := maps.Clone(connected)
	maps.Copy(sockets, listening)
	owners := socketOwners(sockets)
	var out []PortOwner
	for _, port := range ports {
		held := socketsOf(listening, port)
		peer := ""
		if len(held) == 0 {
			held = socketsOf(connected, port)
			if len(held) == 0 {
				continue
			}
			peer = connected[held[0]].peer
		}
		o := PortOwner{Port: port, Peer: peer}
		for _, inode := range held {
			if pids := owners[inode]; len(pids) > 0 && (o.PID == 0 || slices.Min(pids) < o.PID) {
				o.PID, o.Peer = slices.Min(pids), sockets[inode].peer
			}
		}
		if o.PID != 0 {
			o.Command = process.CommandLine(o.PID)
		}
		out = append(out, o)
	}
	return out
}

// tcpSocket is a line of /proc/net/tcp or tcp6.
type tcpSocket struct {
	port  int    // of this end
	peer  string // ADDRESS:PORT of the other end; empty for one that listens
	inode string
}

// socketsOn finds the sockets that have one of these ports at their own end, by their inodes: those that listen, and
// connections.
func socketsOn(ports []int) (listening, connected map[string]tcpSocket) {
	listening, connected = make(map[string]tcpSocket), make(map[string]tcpSocket)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		scan := bufio.NewScanner(f)
		for scan.Scan() {
			s, ok := parseSocket(scan.Text())
			switch {
			case !ok || !slices.Contains(ports, s.port):
			case s.peer == "":
				listening[s.inode] = s
			default:
				connected[s.inode] = s
			}
		}
		f.Close()
	}
	return listening, connected
}

// socketsOf lists the inodes of sockets with this port at their own end, in order.
func socketsOf(sockets map[string]tcpSocket, port int) []string {
	var out []string
	for inode, s := range sockets {
		if s.port == port {
			out = append(out, inode)
		}
	}
	slices.Sort(out)
	return out
}

// parseSocket reads a line of /proc/net/tcp. It leaves out sockets that no process has any more, such as those in
// TIME_WAIT.
func parseSocket(line string) (tcpSocket, bool) {
	s, ok := tcptable.Parse(line)
	if !ok || s.Inode == tcptable.Orphan {
		return tcpSocket{}, false
	}
	out := tcpSocket{port: int(s.Addr.Port()), inode: s.Inode}
	if s.State != tcptable.Listen {
		out.peer = netip.AddrPortFrom(s.Peer.Addr().Unmap(), s.Peer.Port()).String()
	}
	return out, true
}

// strangers checks that what answers on an address is the program itself. It returns an error when the address is this
// host's and its port is held by processes that are all known and none of which belong to the program: what the probe
// has spoken to is then something else, an older copy perhaps, and the program itself cannot have the port.
func strangers(p *process.Tree, addr string) error {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil || !isLocal(host) {
		return nil
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil
	}
	pids := listenersOn(port)
	for _, pid := range pids {
		if p.Owns(pid) {
			return nil
		}
	}
	if len(pids) == 0 {
		return nil // its holder is not ours to see
	}
	return fmt.Errorf("something answers on %s, but it is not this program: pid %d holds the port (%s)", addr, pids[0],
		process.CommandLine(pids[0]))
}

// isLocal reports whether a host name or address means this host.
func isLocal(host string) bool {
	if host == "localhost" || host == "" {
		return true
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return false // a name: not worth a lookup that may hang
	}
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

// listenersOn lists the processes that listen on a port, as far as they can be seen.
func listenersOn(port int) []int {
	listening, _ := socketsOn([]int{port})
	if len(listening) == 0 {
		return nil
	}
	var pids []int
	for _, of := range socketOwners(listening) {
		pids = append(pids, of...)
	}
	slices.Sort(pids)
	return pids
}

// socketOwners looks through the descriptors of all processes for the sockets and returns the pids that have each, by
// inode.
func socketOwners(sockets map[string]tcpSocket) map[string][]int {
	owners := make(map[string][]int)
	for _, pid := range process.AllPIDs() {
		dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			link, err := os.Readlink(filepath.Join(dir, e.Name()))
			if err != nil {
				continue
			}
			inode, ok := strings.CutPrefix(link, "socket:[")
			if !ok {
				continue
			}
			inode = strings.TrimSuffix(inode, "]")
			if _, ok := sockets[inode]; ok {
				owners[inode] = append(owners[inode], pid)
			}
		}
	}
	return owners
}
