package rpc

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ochinchina/supervisord/faults"
)

// callAsStranger is run by the test binary as another user: it calls FATE_TEST_METHODS, one a line as JSON, or else
// asks for the pid.
func callAsStranger(socket string) {
	client := NewClient(socket)
	methods := os.Getenv("FATE_TEST_METHODS")
	if methods == "" {
		_, err := client.PID(context.Background())
		fmt.Println("answer:", err)
		return
	}
	for line := range strings.Lines(methods) {
		var call []any
		if err := json.Unmarshal([]byte(line), &call); err != nil {
			panic(err)
		}
		for i, v := range call {
			if n, ok := v.(float64); ok {
				call[i] = int64(n)
			}
		}
		var out any
		err := client.Call(context.Background(), &out, call[0].(string), call[1:]...)
		text, _ := json.Marshal(out)
		fmt.Printf("%s: %v: %s\n", call[0], err, text)
	}
}

// strangers prepares the test binary for calls as other users, and makes the directories of the daemon's socket
// passable.
func strangers(t *testing.T, d *daemon) (call func(methods string, uid, gid uint32, groups ...uint32) string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	exe, _ := os.Executable()
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := os.MkdirTemp("", "rpc-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(shared) })
	copied := filepath.Join(shared, "caller")
	if err := errors.Join(os.WriteFile(copied, data, 0o755), os.Chmod(shared, 0o755)); err != nil {
		t.Fatal(err)
	}
	for dir := d.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		_ = os.Chmod(dir, 0o755)
	}
	return func(methods string, uid, gid uint32, groups ...uint32) string {
		t.Helper()
		cmd := exec.Command(copied)
		cmd.Env = []string{"FATE_TEST_CALL=" + d.socket, "FATE_TEST_METHODS=" + methods}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
}

// TestStrangerIsRefused calls as a user who is neither root nor in the socket's group, though the socket's mode would
// let him connect.
func TestStrangerIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	d := startDaemon(t, "[inet_http_server]\nport=127.0.0.1:0\nusername=u\npassword=p\n",
		func(d *daemon) string { return d.program("a") })
	strange := strangers(t, d)
	call := func(uid, gid uint32, groups ...uint32) string { return strange("", uid, gid, groups...) }
	if got := call(65534, 65534); !strings.Contains(got, "only root and the group of") {
		t.Errorf("behind mode 0660: %s", got)
	}
	if err := os.Chmod(d.socket, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := call(65534, 65534); !strings.Contains(got, "only root and members of the socket's group") {
		t.Errorf("behind mode 0666: %s", got)
	}
	if got := call(0, 0); !strings.Contains(got, "answer: <nil>") {
		t.Errorf("root: %s", got)
	}
}

// TestGroupMember calls as a member of the socket's group, by primary and by supplementary group.
func TestGroupMember(t *testing.T) {
	p := peer{local: true, known: true, uid: 1000, groups: []int{1000, 2000}}
	for _, tt := range []struct {
		uid, gid int
		want     bool
	}{{1000, 5, true}, {5, 1000, true}, {5, 2000, true}, {5, 5, false}, {-1, -1, false}} {
		if got := p.may(tt.uid, tt.gid); got != tt.want {
			t.Errorf("owner %d:%d: %v", tt.uid, tt.gid, got)
		}
	}
	if (peer{uid: 0}).admin() || (peer{local: true, uid: 0}).admin() {
		t.Error("a peer the kernel has not vouched for is an admin")
	}
}

func TestTCPNeedsPassword(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	startDaemon(t, fmt.Sprintf("[inet_http_server]\nport=%s\nusername=u\npassword={SHA}%x\n", addr,
		sha1.Sum([]byte("right"))),
		func(d *daemon) string { return d.program("a") })
	post := func(user, password, method string) (int, string) {
		return postCall(t, addr, user, password, encodeCall(method, nil))
	}
	if code, _ := post("", "", "supervisor.getPID"); code != 401 {
		t.Errorf("without credentials: %d", code)
	}
	if code, _ := post("u", "wrong", "supervisor.getPID"); code != 401 {
		t.Errorf("with a wrong password: %d", code)
	}
	if code, body := post("u", "right", "supervisor.getPID"); code != 200 || !strings.Contains(body, "<int>") {
		t.Errorf("with the password: %d %s", code, body)
	}
	req := encodeCall("fate.upgrade", []any{"/bin/true"})
	if code, body := postCall(t, addr, "u", "right", req); code != 200 ||
		!strings.Contains(body, "only root may call fate.upgrade") {
		t.Errorf("upgrade over TCP: %d %s", code, body)
	}
}

func postCall(t *testing.T, addr, user, password string, call []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequest("POST", "http://"+addr+"/RPC2", bytes.NewReader(call))
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// TestHostileClients sends what no client would, and then expects the daemon to answer as before.
func TestHostileClients(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string { return d.program("a") })
	dial := func() net.Conn {
		conn, err := net.Dial("unix", d.socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	send := func(request string) string {
		conn := dial()
		_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
		go io.WriteString(conn, request)
		answer, _ := io.ReadAll(conn)
		return string(answer)
	}
	post := func(body string) string {
		return send(fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
			len(body), body))
	}
	for name, body := range map[string]string{
		"too large": "<methodCall><methodName>" + strings.Repeat("x", maxRequestBytes),
		"nested": "<methodCall><methodName>x</methodName><params><param>" +
			strings.Repeat("<value><array><data>", 20000),
		"bomb": `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><methodCall><methodName>&b;</methodName></methodCall>`,
	} {
		if got := post(body); !strings.HasPrefix(got, "HTTP/1.1 400") {
			t.Errorf("%s: %.200s", name, got)
		}
	}
	if got := send("GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); strings.Contains(got,
		"root:") {
		t.Error("served a file")
	}
	got := send("GET /logtail/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 404") {
		t.Errorf("%.100s", got)
	}
	// Slow clients: they hold connections and say next to nothing.
	for range 2 * maxConnections / 3 {
		_, _ = io.WriteString(dial(), "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n<methodCall>")
	}
	if _, err := d.client.PID(testContext(t)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	for method, params := range map[string][]any{
		"supervisor.startProcess": {}, "supervisor.getProcessInfo": {int64(1)}, "fate.status": {"x"},
		"fate.events":        {"x", "y"},
		"supervisor.readLog": {int64(-1), int64(5)}, "supervisor.readProcessLog": {"a", int64(1), int64(-1)},
	} {
		if err := d.client.Call(testContext(t), nil, method, params...); err == nil {
			t.Errorf("%s %v was accepted", method, params)
		}
	}
	wantFault(t, d.client.Call(testContext(t), nil, "supervisor._private"), faults.UnknownMethod)
}
