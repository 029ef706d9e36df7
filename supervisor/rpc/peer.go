package rpc

import (
	"context"
	"crypto/sha1" // #nosec G505 -- supervisord's form of a password, {SHA}
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
)

// peer is who is at the other end of a connection.
type peer struct {
	local  bool // on the unix socket
	known  bool // the kernel has said who it is
	uid    int
	pid    int
	groups []int
}

type peerKey struct{}

// withPeer notes the peer of a new connection for the requests on it.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	c, ok := conn.(*slotConn)
	if !ok {
		return ctx
	}
	if c.refused != "" {
		ctx = context.WithValue(ctx, refusedKey{}, c.refused)
	}
	return context.WithValue(ctx, peerKey{}, c.peer)
}

// peerOf finds out who is at the other end.
func peerOf(conn net.Conn) peer {
	if u, ok := conn.(*net.UnixConn); ok {
		return unixPeer(u)
	}
	return peer{}
}

func unixPeer(conn *net.UnixConn) peer {
	p := peer{local: true}
	raw, err := conn.SyscallConn()
	if err != nil {
		return p
	}
	_ = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return
		}
		p.known, p.uid, p.pid, p.groups = true, int(cred.Uid), int(cred.Pid), []int{int(cred.Gid)}
		if groups, ok := peerGroups(int(fd)); ok {
			p.groups = append(p.groups, groups...)
		} else {
			p.groups = append(p.groups, account.GroupsOf(p.uid)...)
		}
	})
	return p
}

// peerGroups asks the kernel (4.13 or later) for the peer's supplementary groups.
func peerGroups(fd int) ([]int, bool) {
	buf := make([]uint32, 1024)
	size := uint32(len(buf) * 4)
	// #nosec G103 -- the buffers are of this function and hold what size says
	_, _, errno := syscall.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
		uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return nil, false
	}
	groups := make([]int, 0, size/4)
	for _, g := range buf[:size/4] {
		groups = append(groups, int(g))
	}
	return groups, true
}

// guard lets only those through who may call.
type guard struct {
	next     http.Handler
	config   *config.Daemon
	uid, gid int // of the socket
}

func newGuard(c *config.Daemon, next http.Handler) *guard {
	g := &guard{next: next, config: c, uid: -1, gid: -1}
	if info, err := os.Stat(c.Socket); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			g.uid, g.gid = int(st.Uid), int(st.Gid)
		}
	}
	return g
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why, refused := r.Context().Value(refusedKey{}).(string); refused {
		w.Header().Set("Connection", "close")
		http.Error(w, why, http.StatusServiceUnavailable)
		return
	}
	p, known := r.Context().Value(peerKey{}).(peer)
	if !known {
		http.Error(w, "the connection is not known", http.StatusForbidden)
		return
	}
	name, password := g.config.TCPUsername, g.config.TCPPassword
	if p.local {
		name, password = g.config.Username, g.config.Password
		if !p.may(g.uid, g.gid) {
			w.Header().Set("Connection", "close")
			http.Error(w, "only root and members of the socket's group may speak to the supervisor",
				http.StatusForbidden)
			return
		}
	}
	if (!p.local || name != "") && !authorized(r, name, string(password)) {
		w.Header().Set("WWW-Authenticate", `Basic realm="default"`)
		http.Error(w, "wrong username or password", http.StatusUnauthorized)
		return
	}
	g.next.ServeHTTP(w, r)
}

// authorized checks HTTP basic credentials without telling by its time how close they were. An empty configured
// name lets no connection in.
func authorized(r *http.Request, name, password string) bool {
	gotName, gotPassword, ok := r.BasicAuth()
	if !ok || name == "" {
		return false
	}
	if sum, hashed := strings.CutPrefix(password, "{SHA}"); hashed {
		got := sha1.Sum([]byte(gotPassword)) // #nosec G401 -- supervisord's form of a password in its file, {SHA}
		password, gotPassword = strings.ToLower(sum), hex.EncodeToString(got[:])
	}
	return subtle.ConstantTimeCompare([]byte(gotName), []byte(name))&
		subtle.ConstantTimeCompare([]byte(gotPassword), []byte(password)) == 1
}
