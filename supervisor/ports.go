package supervisor

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// portOwners finds who listens on the given TCP ports. Only root sees the processes of other users.
func portOwners(ports []int) []PortOwner {
	if len(ports) == 0 {
		return nil
	}
	sockets := listeningSockets(ports)
	if len(sockets) == 0 {
		return nil
	}
	owners := socketOwners(sockets)
	var out []PortOwner
	for _, port := range ports {
		held := false
		for _, p := range sockets {
			held = held || p == port
		}
		if !held {
			continue
		}
		o := PortOwner{Port: port}
		if len(owners[port]) > 0 {
			o.PID = slices.Min(owners[port])
			o.Command = commandLine(o.PID)
		}
		out = append(out, o)
	}
	return out
}

// listeningSockets finds the inodes of the sockets that listen on the given ports.
func listeningSockets(ports []int) map[string]int {
	sockets := make(map[string]int)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		scan := bufio.NewScanner(f)
		for scan.Scan() {
			if port, inode, ok := parseListener(scan.Text()); ok && slices.Contains(ports, port) {
				sockets[inode] = port
			}
		}
		f.Close()
	}
	return sockets
}

// parseListener reads a line of /proc/net/tcp: "sl local_address rem_address st ... uid timeout inode", where the
// local address is hex IP:PORT and state 0A is LISTEN.
func parseListener(line string) (port int, inode string, ok bool) {
	f := strings.Fields(line)
	if len(f) < 10 || f[3] != "0A" {
		return 0, "", false
	}
	_, hexPort, found := strings.Cut(f[1], ":")
	n, err := strconv.ParseUint(hexPort, 16, 16)
	return int(n), f[9], found && err == nil
}

// strangers checks that what answers on an address is the program itself. It returns an error when the address is this
// host's and its port is held by processes that are all known and none of which belong to the program: what the probe has
// spoken to is then something else, an older copy perhaps, and the program itself cannot have the port.
func (p *process) strangers(addr string) error {
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
		if p.owns(pid) {
			return nil
		}
	}
	if len(pids) == 0 {
		return nil // its holder is not ours to see
	}
	return fmt.Errorf("something answers on %s, but it is not this program: pid %d holds the port (%s)", addr, pids[0], commandLine(pids[0]))
}

// owns reports whether a process is the program's, or was started by it.
func (p *process) owns(pid int) bool {
	if pid == p.id.PID {
		return true
	}
	if st, err := readStat(pid); err == nil && (st.session == p.id.PID || st.pgrp == p.id.PID) {
		return true
	}
	return hasMarker(pid, p.marker)
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
	sockets := listeningSockets([]int{port})
	if len(sockets) == 0 {
		return nil
	}
	return socketOwners(sockets)[port]
}

// socketOwners looks through the descriptors of all processes for the sockets and returns the pids for each port.
func socketOwners(sockets map[string]int) map[int][]int {
	owners := make(map[int][]int)
	for _, pid := range allPIDs() {
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
			if port, ok := sockets[strings.TrimSuffix(inode, "]")]; ok {
				owners[port] = append(owners[port], pid)
			}
		}
	}
	return owners
}
