package supervisor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/supervisor/process"
)

func listenLocal() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

func listenDatagrams(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// runTestDaemon is the whole daemon with an API of one line per command, for tests that kill it.
func runTestDaemon(dir string) {
	err := Run(context.Background(), DaemonOptions{
		Config: filepath.Join(dir, "supervisord.conf"), Stderr: os.Stderr,
		NoCgroups: os.Getenv("FATE_TEST_CGROUPS") == "",
		Serve:     serveLines, Keep: os.Getenv("FATE_TEST_KEEP") != "",
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveLines answers on the socket: "start NAME", "stop NAME...", "restart NAME..." with its dependants, "status NAME",
// "reload", "again" and "upgrade".
func serveLines(d *Daemon, l *net.UnixListener, _ net.Listener) (io.Closer, error) {
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerLine(d, conn)
		}
	}()
	return l, nil
}

func answerLine(d *Daemon, conn net.Conn) {
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	verb, name, _ := strings.Cut(strings.TrimSpace(line), " ")
	ctx := context.Background()
	sup := d.Supervisor()
	switch verb {
	case "start":
		err = sup.Start(ctx, []string{name}, true)
	case "stop":
		err = sup.Stop(ctx, strings.Fields(name), true)
	case "restart":
		err = sup.Restart(ctx, strings.Fields(name), true, true)
	case "reload":
		_, err = sup.Update(ctx)
	case "again":
		d.Restart()
	case "upgrade":
		err = d.Upgrade(ctx, "")
	case "status":
		st, e := sup.Status(name)
		fmt.Fprintf(conn, "%s %v %d %v %d\n", st.State, st.Ready, st.PID, st.Adopted, st.Restarts)
		err = e
	}
	if err != nil {
		fmt.Fprintf(conn, "error %v\n", err)
		return
	}
	fmt.Fprintln(conn, "ok")
}

// testDaemon is a daemon in a process of its own.
type testDaemon struct {
	b   *bench
	cmd *exec.Cmd
	env []string
}

func startDaemon(b *bench, env ...string) *testDaemon {
	d := &testDaemon{b: b, env: env}
	d.up()
	b.t.Cleanup(func() {
		d.stop(syscall.SIGTERM)
		// Whatever a failed test has left.
		for _, pid := range process.AllPIDs() {
			data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			if strings.Contains(string(data), "TEST_DIR="+b.dir+"\x00") {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	return d
}

func (d *testDaemon) up() {
	d.b.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		d.b.t.Fatal(err)
	}
	d.cmd = exec.Command(exe)
	d.cmd.Env = append(append(os.Environ(), "FATE_TEST_DAEMON="+d.b.dir, "TEST_DIR="+d.b.dir), d.env...)
	if testing.Verbose() {
		d.cmd.Stderr = os.Stderr
	}
	if err := d.cmd.Start(); err != nil {
		d.b.t.Fatal(err)
	}
}

func (d *testDaemon) stop(sig syscall.Signal) {
	_ = d.cmd.Process.Signal(sig)
	_ = d.cmd.Wait()
}

// ask sends a command, waiting for the daemon to be there.
func (d *testDaemon) ask(command string) string {
	d.b.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		answer, err := d.try(command)
		if err == nil && answer != "" {
			return answer
		}
		if time.Now().After(deadline) {
			d.b.t.Fatalf("%s: %v", command, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (d *testDaemon) try(command string) (string, error) {
	conn, err := net.Dial("unix", filepath.Join(d.b.dir, "run", "supervisor.sock"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	fmt.Fprintln(conn, command)
	data, err := io.ReadAll(conn)
	return strings.TrimSpace(string(data)), err
}

type brief struct {
	state    State
	ready    bool
	pid      int
	adopted  bool
	restarts int
}

func (d *testDaemon) status(name string) (b brief) {
	d.b.t.Helper()
	answer := d.ask("status " + name)
	if _, err := fmt.Sscanf(answer, "%s %v %d %v %d", &b.state, &b.ready, &b.pid, &b.adopted, &b.restarts); err != nil {
		d.b.t.Fatalf("%s: %v", answer, err)
	}
	return b
}

func (d *testDaemon) until(name, what string, ok func(brief) bool) brief {
	d.b.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		b := d.status(name)
		if ok(b) {
			return b
		}
		if time.Now().After(deadline) {
			d.b.t.Fatalf("%s does not become %s: %+v", name, what, b)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func isReady(b brief) bool { return b.ready && b.pid != 0 }

// processes counts the living processes of a program of this bench.
func (b *bench) processes(name string) []int {
	var out []int
	for _, pid := range process.AllPIDs() {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		env := "\x00" + string(data)
		if strings.Contains(env, "\x00TEST_DIR="+b.dir+"\x00") &&
			strings.Contains(env, "\x00SUPERVISOR_PROCESS_NAME="+name+"\x00") && isAlive(pid) {
			out = append(out, pid)
		}
	}
	return out
}
