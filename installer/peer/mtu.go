package peer

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// pathMTU is the largest packet that the kernel sends on a connection without cutting it up: that of the interface, or
// less when a router on the way has said so (ip(7), IP_MTU).
func pathMTU(conn net.Conn) (int, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, fmt.Errorf("not known of a %T", conn)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	mtu, failed := 0, error(nil)
	if err := raw.Control(func(fd uintptr) {
		mtu, failed = unix.GetsockoptInt(int(fd),
			unix.IPPROTO_IP, unix.IP_MTU)
	}); err != nil {
		return 0, err
	}
	return mtu, failed
}
