package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
	"fate-installer/supervisor/shim"
)

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
	noRetry := func(p *config.Program) { p.StartRetries = 0; p.Environment = nil }
	tests := []struct {
		name, want string
		change     func(*config.Program)
	}{
		{"missing", "cannot find the program /no/such/file",
			func(p *config.Program) { p.Command = []string{"/no/such/file"} }},
		{"nopath", "cannot find the program nosuchprogram in ",
			func(p *config.Program) { p.Command = []string{"nosuchprogram"} }},
		{"mode", "has no execute bit", func(p *config.Program) { p.Command = []string{plain} }},
		{"directory", "it is a directory", func(p *config.Program) { p.Command = []string{b.dir} }},
		{"interpreter", "the interpreter in its first line", func(p *config.Program) { p.Command = []string{script} }},
		{"user", "cannot find user nobody-has-this-name", func(p *config.Program) { p.User = "nobody-has-this-name" }},
		{"cwd", "cannot change to the directory /no/such/dir: no such file",
			func(p *config.Program) { p.Directory = "/no/such/dir" }},
		{"logdir", "cannot open the log file /no/such/dir/x.log: no such file",
			func(p *config.Program) { p.StdoutLogfile = "/no/such/dir/x.log" }},
		{"logisdir", "cannot open the log file " + b.dir, func(p *config.Program) { p.StdoutLogfile = b.dir }},
	}
	var programs []config.Program
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

// TestSpawnErrorsAreFinal gives up what cannot be started as it is defined long before startretries, and waits
// for no program.
func TestSpawnErrorsAreFinal(t *testing.T) {
	b := newBench(t)
	stubborn := func(p *config.Program) { p.StartRetries = 1000 }
	b.run(
		b.child("missing", "", stubborn, func(p *config.Program) { p.Command = []string{"/no/such/file"} }),
		b.child("user", "", stubborn, func(p *config.Program) { p.User = "nobody-has-this-name" }),
		b.child("logdir", "", stubborn, func(p *config.Program) { p.StdoutLogfile = "/no/such/dir/x.log" }),
		b.child("top", "sleep", func(p *config.Program) { p.DependsOn = []string{"missing"} }),
	)
	for _, name := range []string{"missing", "user", "logdir"} {
		if err := b.sup.Start(testContext(t), []string{name}, true); err == nil {
			t.Errorf("%s was started", name)
		}
		if st := b.status(name); st.State != Fatal || st.Failures != lastingRetries+1 {
			t.Errorf("%s: %+v", name, st)
		}
	}
	err := b.sup.Start(testContext(t), []string{"top"}, true)
	if err == nil || !strings.Contains(err.Error(),
		"top: depends on missing, which is not ready: cannot find the program /no/such/file") {
		t.Errorf("what depends on it: %v", err)
	}
	b.stop("top")
}

// TestSpawnIsTriedAgain lets a program start whose executable is put in place between two attempts.
func TestSpawnIsTriedAgain(t *testing.T) {
	b := newBench(t)
	exe := openTestBinary(t)
	hidden := exe + ".new"
	if err := os.Rename(exe, hidden); err != nil {
		t.Fatal(err)
	}
	b.run(b.child("a", "sleep", func(p *config.Program) { p.Command[0], p.RestartDelay = exe, time.Second }))
	if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
		t.Fatal(err)
	}
	b.until("a", "BACKOFF", func(st Status) bool { return st.State == Backoff })
	if err := os.Rename(hidden, exe); err != nil {
		t.Fatal(err)
	}
	if st := b.until("a", "ready", func(st Status) bool { return st.Ready }); st.Error != "" || st.UnreadyStarts != 0 {
		t.Errorf("%+v", st)
	}
}

func TestMayPass(t *testing.T) {
	tests := []struct {
		err  error
		want bool
	}{
		{&process.ExecError{Err: unix.ETXTBSY}, true},
		{fmt.Errorf("cannot fork: %w", unix.EAGAIN), true},
		{fmt.Errorf("cannot open: %w", &os.PathError{Err: unix.ENOSPC}), true},
		{fmt.Errorf("cannot execute: %w", os.ErrDeadlineExceeded), true},
		{&shim.Error{Step: "execute", Errno: unix.ENOMEM}, true},
		{&shim.Error{Step: "change to the directory", Errno: unix.ENOENT}, false},
		{&process.ExecError{Missing: true, Err: unix.ENOENT}, false},
		{&process.ExecError{Text: "it is a directory"}, false},
		{fmt.Errorf("cannot open: %w", &os.PathError{Err: unix.EACCES}), false},
		{errors.New("cannot find user"), false},
	}
	for _, tt := range tests {
		if got := mayPass(tt.err); got != tt.want {
			t.Errorf("mayPass(%#v) = %v", tt.err, got)
		}
	}
}

// TestUnreadyStarts ends the wait for a program that ends again and again before it is ready, each time after it
// counted as running. The supervisor goes on all the same, and in the end has success.
func TestUnreadyStarts(t *testing.T) {
	b := newBench(t)
	gate, addr := filepath.Join(b.dir, "gate"), freeAddr(t)
	b.run(
		b.child("a", "need "+gate+";listen "+addr+";sleep", func(p *config.Program) {
			p.ReadyTCP, p.AutoRestart, p.RestartDelay, p.RestartDelayMax = addr, "true", 10*time.Millisecond,
				10*time.Millisecond
		}),
		b.child("top", "sleep", func(p *config.Program) { p.DependsOn = []string{"a"} }),
	)
	err := b.sup.Start(testContext(t), []string{"top"}, true)
	for _, want := range []string{"top: depends on a, which is not ready: has failed ",
		" times in a row, and is tried again: exited with status 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start: %v, want %q", err, want)
		}
	}
	if st := b.status("a"); st.State.Down() || st.UnreadyStarts < hopelessAfter {
		t.Errorf("%+v", st)
	}
	touch(gate)
	b.until("top", "ready", func(st Status) bool { return st.Ready })
	if st := b.status("a"); st.UnreadyStarts != 0 {
		t.Errorf("%+v", st)
	}
}

// lockedBuffer is a log that is read while others write it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestLimitNotAllowed lets the daemon's log say, once, what the machine does not allow: not the program's output, and
// not what a probe says.
func TestLimitNotAllowed(t *testing.T) {
	b := newBench(t)
	var log lockedBuffer
	b.opts.Log = zerolog.New(&log)
	b.run(b.child("a", "complain mine;sleep", func(p *config.Program) {
		p.LimitNoFile, p.ReadyExec = "unlimited", []string{"/bin/sh", "-c", "echo the probe; exit 1"}
	}))
	for range 2 {
		if err := b.sup.Start(testContext(t), []string{"a"}, false); err != nil {
			t.Fatal(err)
		}
		b.untilLog("a", "mine")
		b.until("a", "says why",
			func(st Status) bool { return strings.HasSuffix(st.Probe, "exited with status 1: the probe") })
		b.stop("a")
		if err := os.Truncate(filepath.Join(b.dir, "a.log"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if text := log.String(); strings.Count(text, "this machine does not allow unlimited") != 1 ||
		strings.Contains(b.log("a"), "allow") {
		t.Errorf("daemon's log:\n%s\nprogram's:\n%s", text, b.log("a"))
	}
}

func TestLimitsAndEnvironment(t *testing.T) {
	b := newBench(t)
	score := 321
	files := b.child("files", "")
	files.Command, files.LimitNoFile = []string{"/bin/sh", "-c", "cat /proc/self/limits; exec sleep 1000"}, "123:456"
	b.run(files, b.child("a", "limits;env HOME;env SUPERVISOR_PROCESS_NAME;env NOTIFY_SOCKET;sleep",
		func(p *config.Program) {
			p.LimitCore, p.Umask, p.OOMScoreAdj = "0:4096", "037", &score
			p.Environment["HOME"] = "/home/x y"
		}))
	b.sup.environ = append(b.sup.environ, "NOTIFY_SOCKET=/run/x")
	b.start("a", "files")
	b.untilLog("a", "NOTIFY_SOCKET=")
	b.untilLog("files", "realtime priority") // the last line; a Go program would have raised the soft limit itself
	if log := strings.Join(strings.Fields(b.log("files")), " "); !strings.Contains(log,
		"Max open files 123 456 files") {
		t.Errorf("limits are %s", log)
	}
	for _, want := range []string{"limits core 0 umask 037 oom 321", "HOME=/home/x y\n", "SUPERVISOR_PROCESS_NAME=a\n",
		"NOTIFY_SOCKET=\n"} {
		if !strings.Contains(b.log("a"), want) {
			t.Errorf("the log lacks %q:\n%s", want, b.log("a"))
		}
	}
}

// TestCleanEnvironment holds that a program gets none of the variables that change what it does, unless its definition
// or pass_environment names them.
func TestCleanEnvironment(t *testing.T) {
	b := newBench(t)
	quiet := b.child("quiet", "")
	quiet.Command, quiet.Environment = []string{"/bin/sh", "-c", "env; echo end; exec sleep 1000"},
		map[string]string{"OWN": "1"}
	some := quiet.Clone()
	some.Name, some.Group, some.PassEnvironment = "some", "some", []string{"http_proxy", "NOTIFY_SOCKET", "ABSENT"}
	some.StdoutLogfile, some.StderrLogfile = b.child("some", "").StdoutLogfile, b.child("some", "").StderrLogfile
	b.run(quiet, some)
	b.sup.environ = []string{"PATH=/usr/bin:/bin", "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh",
		"LANG=C.UTF-8", "TZ=UTC",
		"http_proxy=http://192.168.0.77:3128", "JAVA_TOOL_OPTIONS=-javaagent:/opt/apm/agent.jar",
		"PYTHONHOME=/opt/python",
		"LD_LIBRARY_PATH=/opt/client/lib", "LC_ALL=zh_CN.GB18030", "CLASSPATH=/opt/x.jar", "NOTIFY_SOCKET=/run/x"}
	names := func(program string) []string {
		b.start(program)
		b.untilLog(program, "end\n")
		var out []string
		for line := range strings.Lines(b.log(program)) {
			// the shell's own
			if name, _, ok := strings.Cut(line, "="); ok && name != "PWD" && name != "SHLVL" && name != "_" {
				out = append(out, name)
			}
		}
		slices.Sort(out)
		return out
	}
	want := []string{"HOME", "LANG", "LOGNAME", "OWN", "PATH", "SHELL", "SUPERVISOR_ENABLED", "SUPERVISOR_GROUP_NAME",
		"SUPERVISOR_PROCESS_NAME", "TZ", "USER"}
	own := func(s string) bool { return strings.HasPrefix(s, strings.TrimSuffix(process.MarkerVar, "=")) }
	if got := slices.DeleteFunc(names("quiet"), own); !slices.Equal(got, want) {
		t.Errorf("the program has %q, want %q", got, want)
	}
	if got := slices.DeleteFunc(names("some"), own); !slices.Equal(got, append(want, "http_proxy")) {
		t.Errorf("the program with pass_environment has %q, want %q and http_proxy", got, want)
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
	b.run(b.child("a", "id;limits;sleep",
		func(p *config.Program) { p.User = "nobody"; p.Command[0] = openTestBinary(t) }))
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
	if err := b.sup.Start(testContext(t), []string{"a"}, true); err == nil ||
		!strings.Contains(err.Error(), "as user nobody: permission denied") {
		t.Errorf("a log file that is a link to root's file: %v", err)
	}
}
