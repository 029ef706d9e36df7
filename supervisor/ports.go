package supervisor

import (
	"bufio"
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
	sockets := make(map[string]int) // inode -> port
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
		if held {
			pid := owners[port]
			o := PortOwner{Port: port, PID: pid}
			if pid != 0 {
				o.Command = commandLine(pid)
			}
			out = append(out, o)
		}
	}
	return out
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

// socketOwners looks through the descriptors of all processes for the sockets and returns a pid for each port.
func socketOwners(sockets map[string]int) map[int]int {
	owners := make(map[int]int)
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
			if port, ok := sockets[strings.TrimSuffix(inode, "]")]; ok && (owners[port] == 0 || pid < owners[port]) {
				owners[port] = pid
			}
		}
	}
	return owners
}
