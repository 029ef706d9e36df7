package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
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
			Config: os.Getenv("FATE_TEST_DAEMON"), Serve: ServeWith(testGauges), NoCgroups: true, Stderr: os.Stderr,
			Record: func(r supervisor.Requester, action string) func(error) {
				return func(err error) {
					_ = os.WriteFile(os.Getenv("FATE_TEST_DAEMON")+".record",
						fmt.Appendf(nil, "uid %d pid %d: %s: %s: %v", r.UID, r.PID, r.Command, action, err), 0o600)
				}
			},
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// runProgram says its name, waits for its gate if it has one, listens if its arguments say so, and then does nothing.
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
	p := config.NewProgram(name, exe)
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
	deadline := time.Now().Add(60 * time.Second)
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
	head := "[supervisord]\nlogfile=" + d.dir + "/daemon.log\n" +
		"[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n" +
		"[supervisorctl]\nserverurl=unix://" + d.socket + "\n" +
		"[unix_http_server]\nfile=" + d.socket + "\n" // last, so that text may begin with more of its keys
	if err := os.WriteFile(d.conf, []byte(head+text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (d *daemon) untilReady(names ...string) {
	d.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
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

// untilLogged waits for a text in the daemon's log.
func (d *daemon) untilLogged(text string) {
	d.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		log, _ := os.ReadFile(filepath.Join(d.dir, "daemon.log"))
		if strings.Contains(string(log), text) {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%q does not appear in the daemon's log:\n%s", text, log)
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
