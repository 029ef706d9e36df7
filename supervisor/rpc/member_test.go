package rpc

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// testApp is who the service user is in these tests: the user nobody, which every system has.
const testApp = 65534

// TestWhatAMemberMayDo calls every method as the service user of an installation. What may be done is what SECURITY.md
// lists, and nothing else.
func TestWhatAMemberMayDo(t *testing.T) {
	allowed := allowedInDocument(t)
	var listed []string
	for name, m := range methods {
		if m.access == members || m.access == owners {
			listed = append(listed, name)
		}
	}
	slices.Sort(listed)
	if !slices.Equal(listed, allowed) {
		t.Errorf("SECURITY.md lists\n%s\nthe table of methods allows\n%s", strings.Join(allowed, "\n"),
			strings.Join(listed, "\n"))
	}
}

// allowedInDocument reads the methods that SECURITY.md lists for members of the socket's group.
func allowedInDocument(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok1 := bytes.Cut(text, []byte("<!-- methods for members -->"))
	part, _, ok2 := bytes.Cut(after, []byte("<!-- end -->"))
	if !ok1 || !ok2 {
		t.Fatal("SECURITY.md has no list of methods")
	}
	var out []string
	for _, m := range regexp.MustCompile("`((?:supervisor|system|fate)\\.[A-Za-z]+)`").FindAllSubmatch(part, -1) {
		out = append(out, string(m[1]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestAMemberOnTheSocket calls as the service user: its own programs' logs are its own, root's and another user's are
// not, and the daemon is root's.
func TestAMemberOnTheSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	nobody, err := user.LookupId(strconv.Itoa(testApp))
	if err != nil {
		t.Skip(err)
	}
	d := startDaemon(t, fmt.Sprintf("chown=root:%d\n", testApp), func(d *daemon) string {
		return d.program("own", "user="+nobody.Username, "autostart=false") + d.program("roots")
	})
	d.untilReady("roots")
	call := strangers(t, d)
	got := call(strings.Join([]string{
		`["supervisor.getAllProcessInfo"]`, `["fate.status"]`, `["supervisor.stopProcess", "roots", true]`,
		`["supervisor.startProcess", "roots", false]`,
		`["supervisor.readLog", 0, 0]`, `["supervisor.clearLog"]`, `["supervisor.shutdown"]`, `["supervisor.restart"]`,
		`["supervisor.reloadConfig"]`,
		`["supervisor.addProcessGroup", "roots"]`, `["supervisor.removeProcessGroup", "roots"]`, `["fate.update"]`,
		`["fate.shutdown", true]`, `["fate.upgrade", ""]`,
		`["supervisor.readProcessLog", "roots", 0, 0]`, `["supervisor.tailProcessStdoutLog", "roots", 0, 10]`,
		`["supervisor.clearProcessLogs", "roots"]`,
		`["supervisor.signalProcess", "roots", "TERM"]`, `["fate.rotate", ["roots"]]`,
		`["supervisor.readProcessLog", "own", 0, 0]`, `["supervisor.signalProcess", "own", "CONT"]`,
		`["system.multicall", [{"methodName": "supervisor.readLog", "params": [0, 0]}, {"methodName": "supervisor.getPID", "params": []}]]`,
	}, "\n"), testApp, testApp)
	for line := range strings.Lines(got) {
		method, answer, _ := strings.Cut(strings.TrimSpace(line), ": ")
		refused := strings.Contains(answer, "only root may call") || strings.Contains(answer, "only that user and root")
		// it never ran, but may be asked about
		own := strings.Contains(answer, "NO_FILE") || strings.Contains(answer, "NOT_RUNNING")
		switch method {
		case "supervisor.getAllProcessInfo", "fate.status", "supervisor.stopProcess", "supervisor.startProcess":
			if !strings.HasPrefix(answer, "<nil>") {
				t.Errorf("%s is refused: %s", method, answer)
			}
		case "supervisor.readProcessLog", "supervisor.signalProcess":
			if !refused && !own && !strings.HasPrefix(answer, "<nil>: true") {
				t.Errorf("%s: %s", method, answer)
			}
		default:
			if !refused {
				t.Errorf("%s is not refused: %s", method, answer)
			}
		}
	}
	if n := strings.Count(got, "only that user and root"); n != 5 {
		t.Errorf("%d refusals because of the program's user:\n%s", n, got)
	}
	if n := strings.Count(got, "only root may call"); n != 11 {
		t.Errorf("%d refusals because of the method:\n%s", n, got)
	}
}

// TestTheEndOfALogIsNotShownToOthers: the last lines of a program that failed are in its status, which others may see.
func TestTheEndOfALogIsNotShownToOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	d := startDaemon(t, fmt.Sprintf("chown=root:%d\n", testApp), func(d *daemon) string {
		return d.program("roots", "autostart=false", "environment=LISTEN=no:such:address", "startretries=0")
	})
	call := strangers(t, d)
	if out, err := d.client.Start(testContext(t), []string{"roots"}, true); err != nil || len(out.Failed) != 1 ||
		len(out.Failed[0].Status.LastLog) == 0 {
		t.Fatalf("root: %+v, %v", out, err)
	}
	got := call(`["fate.status"]`+"\n"+`["fate.why", "roots"]`+"\n"+`["fate.start", ["roots"], true]`, testApp, testApp)
	if strings.Contains(got, "hello from") || !strings.Contains(got, "FATAL") {
		t.Errorf("a member of the group sees\n%s", got)
	}
}

// TestMulticallIsBounded: a thousand reads of a large log are one small request.
func TestMulticallIsBounded(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string { return d.program("a") })
	d.untilReady("a")
	log := filepath.Join(d.dir, "a.log")
	if err := os.WriteFile(log, bytes.Repeat([]byte("<&\x00\r"), maxLogRead), 0o600); err != nil {
		t.Fatal(err)
	}
	calls := make([]any, 0, maxMulticall)
	for range maxMulticall - 1 {
		calls = append(calls, map[string]any{"methodName": "supervisor.readProcessStdoutLog",
			"params": []any{"a", 0, 0}})
	}
	calls = append(calls, map[string]any{"methodName": "supervisor.stopProcess", "params": []any{"a"}})
	before := d.memory("VmHWM:")
	for range 3 {
		var out []any
		if err := d.client.Call(testContext(t), &out, "system.multicall", calls); err != nil {
			t.Fatal(err)
		}
		if len(out) != maxMulticall {
			t.Fatalf("%d answers", len(out))
		}
		last, _ := out[len(out)-1].(map[string]any)
		if text, _ := last["faultString"].(string); !strings.Contains(text, "not called") {
			t.Errorf("the last one: %v", last)
		}
	}
	statuses, err := d.client.Status(testContext(t), "a")
	if err != nil || !statuses[0].State.Up() {
		t.Errorf("a call that was said not to be made was made: %+v, %v", statuses, err)
	}
	// All thousand would be ten gigabytes. The race detector takes a multiple of what is really needed.
	if grown := d.memory("VmHWM:") - before; grown > 64*maxAnswerBytes {
		t.Errorf("the daemon has grown by %d MB", grown>>20)
	}
}

// memory reads a line of the daemon's /proc/PID/status, in bytes.
func (d *daemon) memory(key string) int {
	d.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == key {
			n, _ := strconv.Atoi(fields[1])
			return n << 10
		}
	}
	return 0
}

// TestConnectionsPerUser: one user cannot keep root or another user from the daemon, and the refusal says who has the
// connections.
func TestConnectionsPerUser(t *testing.T) {
	s := newSlots()
	member := func(uid int) peer { return peer{local: true, known: true, uid: uid, pid: 1000 + uid} }
	taken := 0
	for range 2 * maxConnections {
		if c := s.take(nopConn{}, member(5001)); c != nil && c.refused == "" {
			taken++
		} else if c != nil && !strings.Contains(c.refused, "processes 6001") {
			t.Errorf("refused: %s", c.refused)
		}
	}
	if taken != maxOfUser || s.refused != maxRefusals {
		t.Errorf("one user has %d connections, and %d are being refused", taken, s.refused)
	}
	for uid := 5002; uid < 5012; uid++ {
		for range maxOfUser {
			s.take(nopConn{}, member(uid))
		}
	}
	if n := len(s.open); n != maxOfOthers {
		t.Errorf("all users have %d connections", n)
	}
	var roots []*slotConn
	for range maxConnections - maxOfOthers {
		c := s.take(nopConn{}, peer{local: true, known: true, uid: 0})
		if c == nil || c.refused != "" {
			t.Fatalf("root is refused: %+v", c)
		}
		roots = append(roots, c)
	}
	_ = roots[0].Close()
	_ = roots[0].Close()
	if n := len(s.open); n != maxConnections-1 {
		t.Errorf("%d connections after one was closed", n)
	}
}

type nopConn struct{ net.Conn }

func (nopConn) Close() error { return nil }

// TestRootIsServedWhileOthersFill has another user hold all connections that it can get, saying nothing.
func TestRootIsServedWhileOthersFill(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	d := startDaemon(t, fmt.Sprintf("chown=root:%d\n", testApp), func(d *daemon) string { return d.program("a") })
	call := strangers(t, d)
	release := d.fillAs(testApp)
	if _, err := d.client.Status(testContext(t)); err != nil {
		t.Errorf("root: %v", err)
	}
	got := call("", testApp, testApp)
	if !strings.Contains(got, "has all 32 connections") && !strings.Contains(got, "cannot speak to the supervisor") {
		t.Errorf("the user: %s", got)
	}
	release()
}

// fillAs opens connections as another user until they are refused. The kernel notes the user of the thread that
// connects.
func (d *daemon) fillAs(uid int) (release func()) {
	d.t.Helper()
	var conns []net.Conn
	for range maxConnections {
		done := make(chan net.Conn)
		go func() {
			defer close(done)
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			_, _, _ = syscall.RawSyscall(syscall.SYS_SETREGID, ^uintptr(0), uintptr(uid), 0)
			_, _, _ = syscall.RawSyscall(syscall.SYS_SETREUID, ^uintptr(0), uintptr(uid), 0)
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
			if err != nil || syscall.Connect(fd, &syscall.SockaddrUnix{Name: d.socket}) != nil {
				return
			}
			f := os.NewFile(uintptr(fd), d.socket)
			defer f.Close()
			if c, err := net.FileConn(f); err == nil {
				done <- c
			}
		}()
		c, ok := <-done
		if !ok {
			d.t.Fatal("cannot connect as another user")
		}
		_, _ = c.Write([]byte("POST /RPC2 HTTP/1.1\r\nHost: x\r\n")) // a header that never ends
		conns = append(conns, c)
	}
	return func() {
		for _, c := range conns {
			c.Close()
		}
	}
}
