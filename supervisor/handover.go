package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
)

// A daemon that executes a new version of itself keeps its lock and its listening sockets: their descriptors stay
// open across exec and their numbers travel in this variable, as name=number pairs.
const handoverVar = "FATE_SUPERVISOR_HANDOVER"

// handover are the descriptors received from the version before, by name.
type handover map[string]int

func receiveHandover() handover {
	h := make(handover)
	for pair := range strings.SplitSeq(os.Getenv(handoverVar), ",") {
		name, number, _ := strings.Cut(pair, "=")
		if fd, err := strconv.Atoi(number); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
			h[name] = fd
		}
	}
	os.Unsetenv(handoverVar)
	return h
}

func (h handover) file(name string) *os.File {
	fd, ok := h[name]
	if !ok {
		return nil
	}
	delete(h, name)
	return os.NewFile(uintptr(fd), name)
}

// close gives up what the new version had no use for.
func (h handover) close() {
	for name := range h {
		h.file(name).Close()
	}
}

// LockedError says that another supervisor runs already.
type LockedError struct {
	Path string
	PID  int // 0 if it is not known
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return "another supervisor holds " + e.Path
	}
	return fmt.Sprintf("another supervisor, pid %d, holds %s", e.PID, e.Path)
}

// acquireLock takes the lock that makes a supervisor single. The file stays: removing it would let two hold "it".
func acquireLock(path string, h handover) (*os.File, error) {
	if f := h.file("lock"); f != nil {
		return f, nil
	}
	var f *os.File
	err := beneath.At(path, func(p *beneath.Place) (err error) {
		f, err = p.Open(os.O_RDWR|os.O_CREATE, 0o640)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock file: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		e := &LockedError{Path: path}
		buf := make([]byte, 32)
		n, _ := f.ReadAt(buf, 0)
		e.PID, _ = strconv.Atoi(strings.TrimSpace(string(buf[:n])))
		return nil, e
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, err
	}
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // only the message of another supervisor has it
	return f, nil
}

// listenUnix makes the API's socket with its mode and owner before anyone can connect to it.
func listenUnix(c *config.Daemon, h handover) (*net.UnixListener, error) {
	if f := h.file("unix"); f != nil {
		defer f.Close()
		l, err := net.FileListener(f)
		if ul, ok := l.(*net.UnixListener); ok {
			ul.SetUnlinkOnClose(false)
			return ul, nil
		}
		return nil, fmt.Errorf("cannot take over the socket: %w", err)
	}
	uid, gid, err := ownerIDs(c.SocketOwner)
	if err != nil {
		return nil, err
	}
	// Made in the state directory, where no other user can put anything, and renamed, so that it is never there with
	// the wrong mode, and a dead one is replaced.
	var l *net.UnixListener
	tmp := filepath.Join(stateDir(c), fmt.Sprintf("sock.%d", os.Getpid()))
	err = beneath.At(tmp, func(p *beneath.Place) error {
		_ = p.Remove() // of a supervisor that was killed; if it stays, the address is in use
		// Its directory is open: what the path leads to by now makes no difference.
		if l, err = net.ListenUnix("unix", &net.UnixAddr{Name: p.ProcPath(), Net: "unix"}); err != nil {
			return fmt.Errorf("cannot listen on %s: %w", c.Socket, err)
		}
		l.SetUnlinkOnClose(false)
		if err := publishSocket(p, c, uid, gid); err != nil {
			l.Close()
			return errors.Join(fmt.Errorf("cannot make the socket %s: %w", c.Socket, err), beneath.Drop(tmp))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// publishSocket gives a new socket its mode, its owner and its name.
func publishSocket(p *beneath.Place, c *config.Daemon, uid, gid int) error {
	if err := p.Chmod(c.SocketMode); err != nil {
		return err
	}
	if uid >= 0 || gid >= 0 {
		if err := p.Chown(uid, gid); err != nil {
			return err
		}
	}
	return beneath.At(c.Socket, p.Rename)
}

// ownerIDs resolves user[:group]; -1 leaves an id as it is. Without root nothing can be given away.
func ownerIDs(owner string) (uid, gid int, err error) {
	uid, gid = -1, -1
	if owner == "" || os.Geteuid() != 0 {
		return uid, gid, nil
	}
	name, group, _ := strings.Cut(owner, ":")
	if name != "" {
		a, err := account.Lookup(name)
		if err != nil {
			return 0, 0, err
		}
		uid, gid = a.UID, a.GID
	}
	if group == "" {
		return uid, gid, nil
	}
	if g, err := account.Group(group); err == nil {
		gid = g
	} else if gid, err = strconv.Atoi(group); err != nil {
		return 0, 0, fmt.Errorf("cannot find group %s", group)
	}
	return uid, gid, nil
}

func listenTCP(c *config.Daemon, h handover) (net.Listener, error) {
	if c.TCPAddr == "" {
		return nil, nil
	}
	if f := h.file("tcp"); f != nil {
		defer f.Close()
		if l, err := net.FileListener(f); err == nil {
			if l.Addr().String() == c.TCPAddr {
				return l, nil
			}
			l.Close()
		}
	}
	addr := c.TCPAddr
	if !strings.Contains(addr, ":") {
		addr = ":" + addr
	}
	l, err := net.Listen("tcp", strings.TrimPrefix(addr, "*"))
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", c.TCPAddr, err)
	}
	return l, nil
}
