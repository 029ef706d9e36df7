package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Frame is a packet that crossed a host's cable.
type Frame struct {
	Source, Destination netip.Addr // not valid when it is not IPv4
	Data                []byte     // from the Ethernet header on
}

// Capture is a recording of all that crosses a host's cable.
type Capture struct {
	socket *os.File
	done   sync.WaitGroup
	frames []Frame
	err    error
}

const (
	// captureBuffer holds what comes in while the reader does not run.
	captureBuffer = 32 << 20
	largestFrame  = 1 << 16
)

// Capture starts to record what a host sends and receives.
func (l *Lab) Capture(host string) (*Capture, error) {
	keeper, _, err := l.find(host)
	if err != nil {
		return nil, err
	}
	var fd int
	err = inNetwork(keeper, func() (err error) {
		fd, err = packetSocket("vb-" + host)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot capture the packets of host %s: %w", host, err)
	}
	c := &Capture{socket: os.NewFile(uintptr(fd), "packets of "+host)} // non-blocking, so that Close ends a Read
	c.done.Go(c.read)
	return c, nil
}

// Stop ends the recording and returns it.
func (c *Capture) Stop() ([]Frame, error) {
	if err := c.socket.Close(); err != nil {
		return nil, fmt.Errorf("cannot end the capture: %w", err)
	}
	c.done.Wait()
	return c.frames, c.err
}

func (c *Capture) read() {
	buffer := make([]byte, largestFrame)
	for {
		n, err := c.socket.Read(buffer)
		if errors.Is(err, os.ErrClosed) {
			return
		} else if err != nil {
			c.err = fmt.Errorf("cannot capture packets: %w", err)
			return
		}
		c.frames = append(c.frames, newFrame(append([]byte(nil), buffer[:n]...)))
	}
}

// newFrame finds the addresses; the offsets are those of Ethernet and IPv4 headers.
func newFrame(data []byte) Frame {
	const ethernet = 14
	f := Frame{Data: data}
	if len(data) >= ethernet+20 && binary.BigEndian.Uint16(data[12:]) == unix.ETH_P_IP {
		f.Source = netip.AddrFrom4([4]byte(data[ethernet+12:]))
		f.Destination = netip.AddrFrom4([4]byte(data[ethernet+16:]))
	}
	return f
}

// inNetwork runs f in the network namespace of a process.
func inNetwork(pid int, f func() error) error {
	there, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		return err
	}
	defer there.Close()
	result := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, instead of going back
		// to the others with a foreign network.
		runtime.LockOSThread()
		if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("cannot enter the lab's network: %w", err)
			return
		}
		result <- f()
	}()
	return <-result
}

func packetSocket(device string) (int, error) {
	all := int(htons(unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, all)
	if err != nil {
		return 0, fmt.Errorf("cannot open a packet socket: %w", err)
	}
	nic, err := net.InterfaceByName(device)
	if err == nil {
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: nic.Index}))
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("cannot listen on %s: %w", device, err), unix.Close(fd))
	}
	return fd, nil
}

// htons gives a number the byte order of the network.
func htons(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}
