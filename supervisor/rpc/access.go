package rpc

import (
	"os"
	"slices"

	"github.com/ochinchina/supervisord/faults"

	"fate-installer/supervisor"
)

// access says who may call a method. What each allows is listed in SECURITY.md, and access_test.go compares the two.
type access int

const (
	// members are all who may use the socket: root, the socket's owner, and the members of its group.
	members access = iota
	// owners are those members whose uid the program runs as. For reading a log also those who are in the program's
	// primary group, who may read the file itself, unless the program is root's.
	owners
	// operators are root, the user of the daemon, and who gives the password of the TCP port: what they may do changes
	// the daemon itself or shows what is root's.
	operators
	// root is root and the user of the daemon: what they may do is to run code as the daemon.
	root
)

// admin reports whether the peer may do what amounts to running code as the daemon.
func (p peer) admin() bool { return p.local && p.known && (p.uid == 0 || p.uid == os.Geteuid()) }

// operator reports whether the peer may change the daemon. On TCP the guard has checked the password.
func (p peer) operator() bool { return p.admin() || !p.local }

// may reports whether the peer may use a socket with the given owner and group.
func (p peer) may(uid, gid int) bool {
	return p.admin() || p.local && p.known && (p.uid == uid || slices.Contains(p.groups, gid))
}

// allowed refuses a method to a peer that may not call it at all.
func (a access) allowed(p peer, method string) error {
	switch {
	case a == root && !p.admin():
		return &Fault{faults.Failed, "FAILED: only root may call " + method}
	case a == operators && !p.operator():
		return &Fault{faults.Failed, "FAILED: only root may call " + method +
			"; members of the socket's group may start and stop programs"}
	}
	return nil
}

// owns refuses what only the user of a program may do to it, or root.
func (s *Server) owns(p peer, program string) error {
	if p.operator() {
		return nil
	}
	uid, _, err := s.sup.Account(program)
	if err == nil && p.known && uid == p.uid {
		return nil
	}
	return notOwner(program, err)
}

// reads refuses the log of a program to those who could not read the file.
func (s *Server) reads(p peer, program string) error {
	if p.operator() {
		return nil
	}
	uid, gid, err := s.sup.Account(program)
	if err == nil && p.known && (uid == p.uid || uid != 0 && slices.Contains(p.groups, gid)) {
		return nil
	}
	return notOwner(program, err)
}

func notOwner(program string, err error) error {
	if err != nil {
		return err
	}
	return &Fault{faults.Failed, "FAILED: " + program + " runs as another user: only that user and root may do that"}
}

// shown takes out of a status what the peer may not read.
func (s *Server) shown(p peer, st supervisor.Status) supervisor.Status {
	if s.reads(p, st.Name) != nil {
		st.LastLog = []string{}
	}
	return st
}
