package rpc

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ochinchina/supervisord/faults"

	"fate-installer/supervisor"
)

// The daemon under test is this test binary executed again, and so are the programs it supervises.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("FATE_TEST_PROGRAM") != "":
		runProgram(os.Getenv("FATE_TEST_PROGRAM"))
	case os.Getenv("FATE_TEST_CALL") != "":
		callAsStranger(os.Getenv("FATE_TEST_CALL"))
	case os.Getenv("FATE_TEST_DAEMON") != "":
		err := supervisor.Run(context.Background(), supervisor.DaemonOptions{
			Config: os.Getenv("FATE_TEST_DAEMON"), Serve: Serve, NoCgroups: true, Stderr: os.Stderr,
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// runProgram says its name, waits for its gate if it has one, listens if it is told to, and then does nothing.
func runProgram(name string) {
	fmt.Println("hello from", name)
	if gate := os.Getenv("GATE"); gate != "" {
		for {
			if _, err := os.Stat(gate); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	if addr := os.Getenv("LISTEN"); addr != "" {
		if _, err := net.Listen("tcp", addr); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	fmt.Println("open")
	time.Sleep(time.Hour)
}

type daemon struct {
	t      testing.TB
	dir    string
	conf   string
	socket string
	cmd    *exec.Cmd
	client *Client
}

// program writes a [program:...] section for this test binary.
func (d *daemon) program(name string, keys ...string) string {
	exe, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	p := supervisor.NewProgram(name, exe)
	p.StdoutLogfile, p.RedirectStderr = filepath.Join(d.dir, name+".log"), true
	env := "FATE_TEST_PROGRAM=" + name
	text := string(p.INI())
	for _, k := range keys {
		if extra, ok := strings.CutPrefix(k, "environment="); ok {
			env += "," + extra
			continue
		}
		text += k + "\n"
	}
	return text + "environment=" + env + "\nrestart_delay=0s\n"
}

func startDaemon(t testing.TB, daemonConf string, programs func(d *daemon) string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir()}
	d.conf, d.socket = filepath.Join(d.dir, "supervisord.conf"), filepath.Join(d.dir, "s.sock")
	d.write(daemonConf + "\n" + programs(d))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(exe)
	d.cmd.Env = append(os.Environ(), "FATE_TEST_DAEMON="+d.conf)
	if testing.Verbose() {
		d.cmd.Stderr = os.Stderr
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.client = NewClient(d.socket)
	t.Cleanup(func() {
		d.client.Close()
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		_ = d.cmd.Wait()
	})
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err = d.client.PID(testContext(t)); err == nil {
			return d
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// write puts the configuration in place; programs go to an included file.
func (d *daemon) write(text string) {
	d.t.Helper()
	head := "[unix_http_server]\nfile=" + d.socket + "\n[supervisord]\nlogfile=" + d.dir + "/daemon.log\n" +
		"[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n" +
		"[supervisorctl]\nserverurl=unix://" + d.socket + "\n"
	if err := os.WriteFile(d.conf, []byte(head+text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (d *daemon) untilReady(names ...string) {
	d.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		statuses, err := d.client.Status(testContext(d.t), names...)
		if err != nil {
			d.t.Fatal(err)
		}
		if !slices.ContainsFunc(statuses, func(st supervisor.Status) bool { return !st.Ready }) {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%v do not become ready: %+v", names, statuses)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func wantFault(t testing.TB, err error, code int) {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("error is %v, want fault %d", err, code)
	}
}

func TestClient(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string {
		return d.program("fate-a") + d.program("fate-b", "autostart=false", "depends_on=fate-a") + d.program("bad", "autostart=false", "directory=/no/such") +
			"[group:pair]\nprograms=fate-a,fate-b\n"
	})
	ctx := testContext(t)
	d.untilReady("a")
	if names, err := d.client.Resolve(ctx, "pair"); err != nil || !slices.Equal(names, []string{"fate-a", "fate-b"}) {
		t.Errorf("Resolve: %v %v", names, err)
	}
	if out, err := d.client.Start(ctx, []string{"b"}, true); err != nil || len(out.Failed) != 0 {
		t.Fatalf("Start: %+v %v", out, err)
	}
	statuses, err := d.client.Status(ctx, "pair:*")
	if err != nil || len(statuses) != 2 || !statuses[1].Ready || statuses[1].PID == 0 || statuses[1].Group != "pair" || statuses[1].Memory == 0 {
		t.Errorf("Status: %+v %v", statuses, err)
	}
	out, err := d.client.Start(ctx, []string{"bad"}, true)
	if err != nil || len(out.Failed) != 1 || !strings.Contains(out.Failed[0].Text, "cannot change to the directory /no/such") {
		t.Errorf("Start of a bad program: %+v %v", out, err)
	}
	_, err = d.client.Start(ctx, []string{"nosuch"}, true)
	wantFault(t, err, faults.BadName)
	var log bytes.Buffer
	if err := d.client.Log(ctx, &log, "fate-a", "stdout", 1, false); err != nil || log.String() != "open\n" {
		t.Errorf("Log: %q %v", log.String(), err)
	}
	log.Reset()
	if err := d.client.Metrics(ctx, &log); err != nil || !strings.Contains(log.String(), `fate_program_ready{name="fate-a",group="pair"} 1`) {
		t.Errorf("Metrics: %s %v", log.String(), err)
	}
	last, err := d.client.LastEvent(ctx)
	if err != nil || last == 0 {
		t.Errorf("LastEvent: %d %v", last, err)
	}
	if out, err := d.client.Stop(ctx, []string{"b"}, true); err != nil || len(out.Failed) != 0 {
		t.Errorf("Stop: %+v %v", out, err)
	}
	events, next, err := d.client.Events(ctx, last, 0)
	if err != nil || next <= last || len(events) == 0 || events[len(events)-1].State != supervisor.Stopped {
		t.Errorf("Events: %+v %d %v", events, next, err)
	}
	chain, err := d.client.Why(ctx, "b")
	if err != nil || len(chain) != 1 || chain[0].State != supervisor.Stopped || chain[0].Advice == "" {
		t.Errorf("Why: %+v %v", chain, err)
	}
}

func TestUpdate(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string { return d.program("keep") + d.program("change") + d.program("drop") })
	d.untilReady("all")
	ctx := testContext(t)
	before, _ := d.client.Status(ctx)
	d.write(d.program("keep", "ready_log=open", "priority=5") + d.program("change", "environment=X=1") + d.program("new"))
	changes, err := d.client.Update(ctx)
	if err != nil || changes.String() != "added new; changed change, keep; removed drop" {
		t.Fatalf("%s %v", changes, err)
	}
	d.untilReady("all")
	after, _ := d.client.Status(ctx)
	pid := func(statuses []supervisor.Status, name string) int {
		for _, st := range statuses {
			if st.Name == name {
				return st.PID
			}
		}
		return 0
	}
	if pid(before, "keep") != pid(after, "keep") {
		t.Error("keep was restarted although its process would be the same")
	}
	if pid(before, "change") == pid(after, "change") || pid(after, "drop") != 0 || pid(after, "new") == 0 {
		t.Errorf("after: %+v", after)
	}
	d.write("[program:x\n")
	_, err = d.client.Update(ctx)
	wantFault(t, err, faults.CantReRead)
	if now, _ := d.client.Status(ctx); len(now) != 3 {
		t.Errorf("a broken configuration has changed something: %+v", now)
	}
}

// TestWhyPortTaken has a program fail because its port is taken, and another wait for it.
func TestWhyPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().String()
	port := l.Addr().(*net.TCPAddr).Port
	d := startDaemon(t, "", func(d *daemon) string {
		return d.program("db", "environment=LISTEN=\""+addr+"\"", "startretries=1", "startsecs=5", "ready_tcp="+addr) +
			d.program("top", "depends_on=db")
	})
	ctx := testContext(t)
	deadline := time.Now().Add(20 * time.Second)
	for {
		chain, err := d.client.Why(ctx, "top")
		if err != nil {
			t.Fatal(err)
		}
		if len(chain) == 2 && chain[1].State == supervisor.Fatal {
			root := chain[1]
			if !root.Root || chain[0].Root || len(root.Ports) != 1 || root.Ports[0].Port != port || root.Ports[0].PID != os.Getpid() {
				t.Errorf("%+v", chain)
			}
			if !strings.Contains(root.Advice, fmt.Sprintf("port %d is held by pid %d", port, os.Getpid())) ||
				!strings.Contains(strings.Join(root.LastLog, "\n"), "address already in use") {
				t.Errorf("%+v", root)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", chain)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestFollowLog(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string { return d.program("a", "environment=GATE=\""+d.dir+"/gate\"") })
	ctx, cancel := context.WithCancel(testContext(t))
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- d.client.Log(ctx, w, "a", "stdout", 10, true)
		w.Close()
	}()
	buf := make([]byte, 100)
	n, err := r.Read(buf)
	if err != nil || string(buf[:n]) != "hello from a\n" {
		t.Fatalf("%q %v", buf[:n], err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "gate"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err = r.Read(buf); err != nil || string(buf[:n]) != "open\n" {
		t.Fatalf("%q %v", buf[:n], err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// callAsStranger calls the socket as whoever runs this, and prints what came of it.
func callAsStranger(socket string) {
	_, err := NewClient(socket).PID(context.Background())
	fmt.Println("answer:", err)
}

// TestStrangerIsRefused calls as a user who is neither root nor in the socket's group, though the socket's mode would
// let him connect.
func TestStrangerIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	d := startDaemon(t, "[inet_http_server]\nport=127.0.0.1:0\nusername=u\npassword=p\n", func(d *daemon) string { return d.program("a") })
	exe, _ := os.Executable()
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := os.MkdirTemp("", "rpc-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(shared)
	copied := filepath.Join(shared, "caller")
	if err := errors.Join(os.WriteFile(copied, data, 0o755), os.Chmod(shared, 0o755)); err != nil {
		t.Fatal(err)
	}
	for dir := d.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		_ = os.Chmod(dir, 0o755)
	}
	call := func(uid, gid uint32, groups ...uint32) string {
		cmd := exec.Command(copied)
		cmd.Env = []string{"FATE_TEST_CALL=" + d.socket}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
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
	startDaemon(t, fmt.Sprintf("[inet_http_server]\nport=%s\nusername=u\npassword={SHA}%x\n", addr, sha1.Sum([]byte("right"))),
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
	if code, body := postCall(t, addr, "u", "right", req); code != 200 || !strings.Contains(body, "only root may call fate.upgrade") {
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
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		go io.WriteString(conn, request)
		answer, _ := io.ReadAll(conn)
		return string(answer)
	}
	post := func(body string) string {
		return send(fmt.Sprintf("POST /RPC2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	}
	for name, body := range map[string]string{
		"too large": "<methodCall><methodName>" + strings.Repeat("x", maxRequestBytes),
		"nested":    "<methodCall><methodName>x</methodName><params><param>" + strings.Repeat("<value><array><data>", 20000),
		"bomb":      `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><methodCall><methodName>&b;</methodName></methodCall>`,
	} {
		if got := post(body); !strings.HasPrefix(got, "HTTP/1.1 400") {
			t.Errorf("%s: %.200s", name, got)
		}
	}
	if got := send("GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); strings.Contains(got, "root:") {
		t.Error("served a file")
	}
	if got := send("GET /logtail/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 404") {
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
		"supervisor.startProcess": {}, "supervisor.getProcessInfo": {int64(1)}, "fate.status": {"x"}, "fate.events": {"x", "y"},
		"supervisor.readLog": {int64(-1), int64(5)}, "supervisor.readProcessLog": {"a", int64(1), int64(-1)},
	} {
		if err := d.client.Call(testContext(t), nil, method, params...); err == nil {
			t.Errorf("%s %v was accepted", method, params)
		}
	}
	wantFault(t, d.client.Call(testContext(t), nil, "supervisor._private"), faults.UnknownMethod)
}

// TestRestartDaemon reads everything anew, on the same socket.
func TestRestartDaemon(t *testing.T) {
	d := startDaemon(t, "", func(d *daemon) string { return d.program("a") })
	d.untilReady("a")
	before, _ := d.client.Status(testContext(t))
	if err := d.client.Call(testContext(t), nil, "supervisor.restart"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		after, err := d.client.Status(testContext(t))
		if err == nil && len(after) == 1 && after[0].Ready && after[0].PID != before[0].PID {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v %v", after, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestSupervisorctl drives the daemon with the stock client.
func TestSupervisorctl(t *testing.T) {
	ctl, err := exec.LookPath("supervisorctl")
	if err != nil {
		t.Skip("supervisorctl is not installed")
	}
	d := startDaemon(t, "", func(d *daemon) string {
		return d.program("a", "startsecs=0") + d.program("b", "startsecs=0", "autostart=false") + "[group:g]\nprograms=b\n"
	})
	d.untilReady("a")
	run := func(args ...string) string {
		out, _ := exec.Command(ctl, append([]string{"-c", d.conf}, args...)...).CombinedOutput()
		return string(out)
	}
	for _, tt := range []struct{ args, want string }{
		{"status", "a                                RUNNING   pid "},
		{"status", "g:b                              STOPPED   Not started"},
		{"start g:b", "g:b: started"},
		{"start g:b", "g:b: ERROR (already started)"},
		{"restart g:b", "g:b: started"},
		{"stop g:*", "g:b: stopped"},
		{"stop a", "a: stopped"},
		{"stop a", "a: ERROR (not running)"},
		{"start all", "a: started"},
		{"start nosuch", "nosuch: ERROR (no such process)"},
		{"tail a", "hello from a"},
		{"tail -4 a", "pen"},
		{"tail nosuch", "no such process name"},
		{"maintail", "ready"},
		{"avail", "a                                in use    auto      999:999"},
		{"signal USR9 a", "bad signal name"},
		{"reread", "No config updates to processes"},
		{"clear a", "a: cleared"},
		{"version", supervisorVersion},
	} {
		if got := run(strings.Fields(tt.args)...); !strings.Contains(got, tt.want) {
			t.Errorf("supervisorctl %s: %s\nwant %s", tt.args, got, tt.want)
		}
	}
	d.write(d.program("a", "startsecs=0", "environment=X=2") + d.program("c", "startsecs=0"))
	if got := run("update"); !strings.Contains(got, "a: updated process group") || !strings.Contains(got, "c: added process group") || !strings.Contains(got, "g: removed process group") {
		t.Errorf("update: %s", got)
	}
	pid, _ := d.client.PID(testContext(t))
	if got := strings.TrimSpace(run("pid")); got != fmt.Sprint(pid) {
		t.Errorf("pid: %s, want %d", got, pid)
	}
	if got := run("shutdown"); !strings.Contains(got, "Shut down") {
		t.Errorf("shutdown: %s", got)
	}
	_ = d.cmd.Wait()
}
