package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// bench is one supervisor under test with its directory.
type bench struct {
	t    testing.TB
	dir  string
	cfg  *Config
	opts Options
	sup  *Supervisor
}

// child defines a program that carries out a script; see runChild.
func (b *bench) child(name, script string, change ...func(*Program)) Program {
	exe, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	p := NewProgram(name, exe)
	p.Environment = map[string]string{"FATE_TEST_CHILD": script}
	p.RedirectStderr = true
	p.StdoutLogfile = filepath.Join(b.dir, name+".log")
	p.RestartDelay, p.StartSecs = time.Millisecond, 0
	p.ReadyInterval = 10 * time.Millisecond
	for _, c := range change {
		c(&p)
	}
	return p
}

func newBench(t testing.TB) *bench {
	dir := t.TempDir()
	b := &bench{t: t, dir: dir}
	b.opts = Options{StateDir: filepath.Join(dir, "state"), Environ: os.Environ(), NoCgroups: true, Log: zerolog.Nop()}
	if testing.Verbose() {
		b.opts.Log = zerolog.New(zerolog.ConsoleWriter{Out: testWriter{t}, NoColor: true, TimeFormat: "15:04:05.000"}).With().Timestamp().Logger()
	}
	return b
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// run writes the programs to a configuration, loads it and makes the supervisor.
func (b *bench) run(programs ...Program) *Supervisor {
	b.t.Helper()
	b.write(programs...)
	cfg, _, err := load(filepath.Join(b.dir, "supervisord.conf"), b.opts.Environ)
	if err != nil {
		b.t.Fatal(err)
	}
	b.cfg = cfg
	return b.open()
}

func (b *bench) write(programs ...Program) {
	b.t.Helper()
	text := "[supervisord]\nlogfile=%(here)s/daemon.log\n"
	for _, p := range programs {
		text += string(p.INI())
	}
	if err := os.WriteFile(filepath.Join(b.dir, "supervisord.conf"), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) open() *Supervisor {
	b.t.Helper()
	sup, err := New(b.cfg, b.opts)
	if err != nil {
		b.t.Fatal(err)
	}
	sup.second = 20 * time.Millisecond
	b.sup = sup
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if sup.ctx.Err() == nil {
			if err := sup.Shutdown(ctx); err != nil {
				b.t.Errorf("Shutdown: %v", err)
			}
			sup.Close()
		}
	})
	return sup
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (b *bench) start(names ...string) {
	b.t.Helper()
	if err := b.sup.Start(testContext(b.t), names, true); err != nil {
		b.t.Fatalf("Start: %v", err)
	}
}

func (b *bench) stop(names ...string) {
	b.t.Helper()
	if err := b.sup.Stop(testContext(b.t), names, true); err != nil {
		b.t.Fatalf("Stop: %v", err)
	}
}

func (b *bench) status(name string) Status {
	b.t.Helper()
	st, err := b.sup.Status(name)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

// until waits for a condition of a program.
func (b *bench) until(name, what string, ok func(Status) bool) Status {
	b.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		st := b.status(name)
		if ok(st) {
			return st
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s does not become %s; it is %+v", name, what, st)
		}
		time.Sleep(time.Millisecond)
	}
}

func (b *bench) log(name string) string {
	data, _ := os.ReadFile(filepath.Join(b.dir, name+".log"))
	return string(data)
}

// untilLog waits for a text in a program's log.
func (b *bench) untilLog(name, text string) {
	b.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(b.log(name), text) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%q does not appear in the log of %s:\n%s", text, name, b.log(name))
		}
		time.Sleep(time.Millisecond)
	}
}

func isAlive(pid int) bool {
	st, err := readStat(pid)
	return err == nil && st.state != 'Z'
}

func TestStartStop(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "say hello;sleep"))
	b.start("a")
	st := b.status("a")
	if st.State != Running || !st.Ready || !isAlive(st.PID) {
		t.Fatalf("after start: %+v", st)
	}
	b.untilLog("a", "hello")
	b.stop("a")
	if got := b.status("a"); got.State != Stopped || got.PID != 0 || isAlive(st.PID) {
		t.Fatalf("after stop: %+v", got)
	}
	if e := b.status("a").Exit; e == nil || !e.Known || e.Signal != "SIGTERM" || !e.Expected {
		t.Errorf("exit is %+v", e)
	}
}

func TestStartSecsBeforeRunning(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(b.child("a", "for "+gate+";exit 3", func(p *Program) { p.StartSecs, p.StartRetries = 4000, 0 }))
	if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	b.until("a", "STARTING", func(st Status) bool { return st.State == Starting })
	touch(gate)
	st := b.until("a", "FATAL", func(st Status) bool { return st.State == Fatal })
	if st.Exit.Code != 3 || st.Failures != 1 {
		t.Errorf("%+v", st)
	}
}

func TestRestartAfterCrash(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "sleep", func(p *Program) { p.AutoRestart = "true" }))
	b.start("a")
	first := b.status("a").PID
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	st := b.until("a", "running again", func(st Status) bool { return st.State == Running && st.PID != first && st.PID != 0 })
	if st.Restarts != 1 || st.Exit == nil || st.Exit.Signal != "SIGKILL" {
		t.Errorf("%+v", st)
	}
}

func TestFatalKeepsLastLines(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "say first;complain the disk is on fire;exit 1", func(p *Program) { p.StartSecs = 1000; p.StartRetries = 2 }))
	err := b.sup.Start(testContext(t), []string{"a"}, true)
	var failed *FailedError
	if !errors.As(err, &failed) || failed.Status.State != Fatal {
		t.Fatalf("Start: %v", err)
	}
	st := b.status("a")
	if st.Failures != 3 || strings.Join(st.LastLog, "|") != "first|the disk is on fire" || !strings.Contains(st.Why, "exited with status 1") {
		t.Errorf("%+v", st)
	}
}

func TestExitedAsExpected(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(b.child("a", "for "+gate+";exit 2", func(p *Program) { p.ExitCodes = []int{0, 2} }))
	b.start("a")
	touch(gate)
	b.until("a", "EXITED", func(st Status) bool { return st.State == Exited && st.Exit.Expected })
}

func TestIgnoresTerm(t *testing.T) {
	b := newBench(t)
	b.run(b.child("a", "ignore;say deaf;fork-stubborn;sleep", func(p *Program) { p.StopWaitSecs = 2 }))
	b.start("a")
	b.untilLog("a", "forked")
	pid := b.status("a").PID
	var grandchild int
	fmt.Sscanf(b.log("a")[strings.Index(b.log("a"), "forked "):], "forked %d", &grandchild)
	b.stop("a")
	if isAlive(pid) || isAlive(grandchild) {
		t.Errorf("after stop: program alive %v, what it forked alive %v", isAlive(pid), isAlive(grandchild))
	}
}

func TestCrashTakesLeftoversAlong(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(b.child("a", "fork-stubborn;for "+gate+";exit 0"))
	b.start("a")
	b.untilLog("a", "forked")
	grandchild, _ := strconv.Atoi(strings.Fields(b.log("a"))[1])
	touch(gate)
	b.until("a", "EXITED", func(st Status) bool { return st.State == Exited })
	if isAlive(grandchild) {
		t.Error("what it forked outlives it")
	}
}

func TestSpawnErrors(t *testing.T) {
	b := newBench(t)
	script := filepath.Join(b.dir, "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(b.dir, "plain")
	if err := os.WriteFile(plain, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	noRetry := func(p *Program) { p.StartRetries = 0; p.Environment = nil }
	tests := []struct {
		name, want string
		change     func(*Program)
	}{
		{"missing", "cannot find the program /no/such/file", func(p *Program) { p.Command = []string{"/no/such/file"} }},
		{"nopath", "cannot find the program nosuchprogram in ", func(p *Program) { p.Command = []string{"nosuchprogram"} }},
		{"mode", "has no execute bit", func(p *Program) { p.Command = []string{plain} }},
		{"directory", "it is a directory", func(p *Program) { p.Command = []string{b.dir} }},
		{"interpreter", "the interpreter in its first line", func(p *Program) { p.Command = []string{script} }},
		{"user", "cannot find user nobody-has-this-name", func(p *Program) { p.User = "nobody-has-this-name" }},
		{"cwd", "cannot change to the directory /no/such/dir: no such file", func(p *Program) { p.Directory = "/no/such/dir" }},
		{"logdir", "cannot open the log file /no/such/dir/x.log: no such file", func(p *Program) { p.StdoutLogfile = "/no/such/dir/x.log" }},
		{"logisdir", "cannot open the log file " + b.dir, func(p *Program) { p.StdoutLogfile = b.dir }},
	}
	var programs []Program
	for _, tt := range tests {
		programs = append(programs, b.child(tt.name, "", noRetry, tt.change))
	}
	b.run(programs...)
	for _, tt := range tests {
		err := b.sup.Start(testContext(t), []string{tt.name}, true)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %v, want it to contain %q", tt.name, err, tt.want)
		}
		if st := b.status(tt.name); st.State != Fatal || st.PID != 0 {
			t.Errorf("%s: %+v", tt.name, st)
		}
	}
}

func TestLimitsAndEnvironment(t *testing.T) {
	b := newBench(t)
	score := 321
	files := b.child("files", "")
	files.Command, files.LimitNoFile = []string{"/bin/sh", "-c", "cat /proc/self/limits; exec sleep 1000"}, "123:456"
	b.run(files, b.child("a", "limits;env HOME;env SUPERVISOR_PROCESS_NAME;env NOTIFY_SOCKET;sleep", func(p *Program) {
		p.LimitCore, p.Umask, p.OOMScoreAdj = "0:4096", "037", &score
		p.Environment["HOME"] = "/home/x y"
	}))
	b.sup.environ = append(b.sup.environ, "NOTIFY_SOCKET=/run/x")
	b.start("a", "files")
	b.untilLog("a", "NOTIFY_SOCKET=")
	b.untilLog("files", "realtime priority") // the last line; a Go program would have raised the soft limit itself
	if log := strings.Join(strings.Fields(b.log("files")), " "); !strings.Contains(log, "Max open files 123 456 files") {
		t.Errorf("limits are %s", log)
	}
	for _, want := range []string{"limits core 0 umask 037 oom 321", "HOME=/home/x y\n", "SUPERVISOR_PROCESS_NAME=a\n", "NOTIFY_SOCKET=\n"} {
		if !strings.Contains(b.log("a"), want) {
			t.Errorf("the log lacks %q:\n%s", want, b.log("a"))
		}
	}
}

func TestRunsAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	b := newBench(t)
	for dir := b.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	b.run(b.child("a", "id;limits;sleep", func(p *Program) { p.User = "nobody"; p.Command[0] = openTestBinary(t) }))
	b.start("a")
	b.untilLog("a", "limits")
	if !strings.HasPrefix(b.log("a"), "id 65534 65534 ") {
		t.Errorf("log: %s", b.log("a"))
	}
	info, err := os.Stat(filepath.Join(b.dir, "a.log"))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != 65534 {
		t.Errorf("the log file does not belong to the user: %v", err)
	}
	secret := filepath.Join(b.dir, "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.stop("a")
	link := filepath.Join(b.dir, "a.log")
	if err := errors.Join(os.Remove(link), os.Symlink(secret, link)); err != nil {
		t.Fatal(err)
	}
	if err := b.sup.Start(testContext(t), []string{"a"}, true); err == nil || !strings.Contains(err.Error(), "as user nobody: permission denied") {
		t.Errorf("a log file that is a link to root's file: %v", err)
	}
}

// openTestBinary copies the test binary to where every user can execute it.
func openTestBinary(t testing.TB) string {
	dir, err := os.MkdirTemp("", "supervisor-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	exe, _ := os.Executable()
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "child")
	if err := errors.Join(os.WriteFile(path, data, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDependencies delays the readiness of the middle of a chain of three.
func TestDependencies(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(
		b.child("db", "say up;sleep", func(p *Program) { p.ReadyLog = "^up$" }),
		b.child("middle", "for "+gate+";say open;sleep", func(p *Program) { p.DependsOn = []string{"db"}; p.ReadyLog = "open" }),
		b.child("top", "sleep", func(p *Program) { p.DependsOn = []string{"middle"} }),
	)
	done := make(chan error, 1)
	go func() { done <- b.sup.Start(testContext(t), []string{"top"}, true) }()
	b.until("db", "ready", func(st Status) bool { return st.Ready })
	b.until("middle", "running and not ready", func(st Status) bool { return st.State == Running || st.State == Starting })
	if st := b.until("top", "WAITING", func(st Status) bool { return st.State == Waiting }); st.Why != "waits for middle" {
		t.Errorf("why is %q", st.Why)
	}
	touch(gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if st := b.status("top"); !st.Ready {
		t.Errorf("%+v", st)
	}
	// The other way round: each stops only after what depends on it.
	from := b.sup.events.last()
	b.stop("db", "middle", "top")
	var order []string
	for _, e := range b.sup.events.after(testContext(t), from) {
		if e.State == Stopped {
			order = append(order, e.Name)
		}
	}
	if got := strings.Join(order, " "); got != "top middle db" {
		t.Errorf("stopped in the order %s", got)
	}
}

func TestDependencyFails(t *testing.T) {
	b := newBench(t)
	b.run(
		b.child("db", "complain no space;exit 1", func(p *Program) { p.StartSecs, p.StartRetries = 1000, 0 }),
		b.child("top", "sleep", func(p *Program) { p.DependsOn = []string{"db"} }),
	)
	err := b.sup.Start(testContext(t), []string{"top"}, true)
	if err == nil || !strings.Contains(err.Error(), "top: depends on db, which is not ready: exited with status 1") {
		t.Errorf("Start: %v", err)
	}
	b.stop("top")
}

func TestReadyTCPAndTimeout(t *testing.T) {
	b := newBench(t)
	gate, addr := filepath.Join(b.dir, "gate"), freeAddr(t)
	b.run(b.child("a", "for "+gate+";listen "+addr+";sleep", func(p *Program) {
		p.ReadyTCP, p.ReadyTimeout = addr, 50*time.Millisecond
	}))
	err := b.sup.Start(testContext(t), []string{"a"}, true)
	if err == nil || !strings.Contains(err.Error(), "a: not ready in time") {
		t.Fatalf("Start: %v", err)
	}
	b.until("a", "told why", func(st Status) bool { return strings.HasPrefix(st.Why, "not ready in time: dial tcp "+addr) })
	touch(gate)
	b.until("a", "ready after all", func(st Status) bool { return st.Ready && !st.TimedOut })
}

// TestStrangerAnswers has somebody else answer on the port the program is to listen on.
func TestStrangerAnswers(t *testing.T) {
	l, err := listenLocal()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.run(b.child("a", "sleep", func(p *Program) { p.ReadyTCP = l.Addr().String() }))
	if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("it is not this program: pid %d holds the port", os.Getpid())
	if st := b.until("a", "told why", func(st Status) bool { return strings.Contains(st.Probe, want) }); st.Ready {
		t.Errorf("%+v", st)
	}
	l.Close()
	b.until("a", "without an answer", func(st Status) bool { return strings.Contains(st.Probe, "connection refused") })
}

func TestReadyExec(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(b.dir, "gate")
	b.run(b.child("a", "sleep", func(p *Program) {
		p.ReadyExec = []string{"/bin/sh", "-c", "test -e " + gate + " || { echo no gate; exit 7; }"}
	}))
	if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	b.until("a", "told why", func(st Status) bool { return strings.Contains(st.Probe, "exited with status 7: no gate") })
	touch(gate)
	b.until("a", "ready", func(st Status) bool { return st.Ready })
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := listenLocal()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestNoLeaks starts and stops programs and expects the goroutines, descriptors and children of before.
func TestNoLeaks(t *testing.T) {
	goroutines, fds := runtime.NumGoroutine(), countFDs(t)
	t.Run("work", func(t *testing.T) {
		b := newBench(t)
		var programs []Program
		var names []string
		for i := range 20 {
			p := b.child(fmt.Sprintf("p%02d", i), "say up;sleep", func(p *Program) { p.ReadyLog = "up" })
			programs, names = append(programs, p), append(names, p.Name)
		}
		b.run(programs...)
		for range 2 {
			b.start(names...)
			b.stop(names...)
		}
	})
	for _, pid := range ownChildren() {
		if st, err := readStat(pid); err == nil {
			t.Errorf("a child is left: %+v", st)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > goroutines && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", n, goroutines, buf[:runtime.Stack(buf, true)])
	}
	if n := countFDs(t); n > fds+1 { // the runtime's poller may have come into being
		t.Errorf("%d descriptors, %d before", n, fds)
	}
}

func countFDs(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
