package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// The control socket takes one JSON request per connection and gives one answer.

type op string

const (
	opStatus op = "status" // all hosts
	opCut    op = "cut"    // take the power from a host and give it back
	opOff    op = "off"    // take the power from a host
	opOn     op = "on"     // give it back
	opDetach op = "detach" // outlive the caller of Up
	opDown   op = "down"   // end
)

type request struct {
	Op   op     `json:"op"`
	Host string `json:"host,omitempty"`
}

type reply struct {
	Error string       `json:"error,omitempty"`
	Hosts []HostStatus `json:"hosts,omitempty"`
	Since time.Time    `json:"since"`
}

// State tells how far a host has come.
type State string

// The states of a host.
const (
	Booting State = "booting"
	Ready   State = "ready"  // systemd has finished booting
	Off     State = "off"    // powered off, by itself or by Off
	Broken  State = "broken" // did not boot; HostStatus.Why has the reason
)

// HostStatus is the keeper's record of one host.
type HostStatus struct {
	Host
	State State  `json:"state"`
	Boots int    `json:"boots"` // how often it was started
	Init  int    `json:"init"`  // its systemd, as the keeper sees it; 0 when there is none
	Why   string `json:"why,omitempty"`
}

// A socket's path may have at most 108 characters, and a cache directory can be
// longer: both sides go through a descriptor of the lab's directory.
func viaDir(dir string, do func(path string) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return do(fmt.Sprintf("/proc/self/fd/%d/control", d.Fd()))
}

func listen(dir string) (*net.UnixListener, error) {
	var l *net.UnixListener
	err := viaDir(dir, func(path string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot listen for commands: %w", err)
	}
	l.SetUnlinkOnClose(false) // the name was that of a descriptor long closed
	return l, nil
}

// errDown means that no keeper answers.
var errDown = errors.New("it is not up")

// ask sends one request and returns the answer and the keeper's pid as this process
// sees it, which is proof that the pid is still the keeper's.
func ask(dir string, q request) (reply, int, error) {
	var conn *net.UnixConn
	err := viaDir(dir, func(path string) (err error) {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	if err != nil {
		return reply{}, 0, fmt.Errorf("cannot reach lab %s: %w", filepath.Base(dir), errDown)
	}
	defer conn.Close()
	pid, err := peerPID(conn)
	if err != nil {
		return reply{}, 0, fmt.Errorf("cannot tell who keeps lab %s: %w", filepath.Base(dir), err)
	}
	var r reply
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return r, 0, fmt.Errorf("cannot send %q to lab %s: %w", q.Op, filepath.Base(dir), err)
	}
	if err := json.NewDecoder(conn).Decode(&r); err != nil {
		return r, 0, fmt.Errorf("cannot read the answer of lab %s to %q: %w", filepath.Base(dir), q.Op, err)
	}
	if r.Error != "" {
		return r, pid, errors.New(r.Error)
	}
	return r, pid, nil
}

func peerPID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return 0, err
	}
	return int(cred.Pid), nil
}
