package supervisor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

// bench is one supervisor under test with its directory.
type bench struct {
	t    testing.TB
	dir  string
	cfg  *config.Settings
	opts Options
	sup  *Supervisor
}

// child defines a program that carries out a script; see runChild.
func (b *bench) child(name, script string, change ...func(*config.Program)) config.Program {
	exe, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	p := config.NewProgram(name, exe)
	p.Environment = map[string]string{"FATE_TEST_CHILD": script, "TEST_DIR": b.dir}
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
		b.opts.Log = zerolog.New(zerolog.ConsoleWriter{Out: testWriter{t}, NoColor: true,
			TimeFormat: "15:04:05.000"}).With().Timestamp().Logger()
	}
	return b
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// run writes the programs to a configuration, loads it and makes the supervisor.
func (b *bench) run(programs ...config.Program) *Supervisor {
	b.t.Helper()
	b.write(programs...)
	cfg, _, err := config.Load(filepath.Join(b.dir, "supervisord.conf"), b.opts.Environ)
	if err != nil {
		b.t.Fatal(err)
	}
	b.cfg = cfg
	return b.open()
}

func (b *bench) write(programs ...config.Program) {
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
		ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
		defer cancel()
		if sup.ctx.Err() == nil {
			if err := sup.Shutdown(ctx, false); err != nil {
				b.t.Errorf("Shutdown: %v", err)
			}
			sup.Close()
		}
	})
	return sup
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
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
	deadline := time.Now().Add(60 * time.Second)
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
	deadline := time.Now().Add(60 * time.Second)
	for !strings.Contains(b.log(name), text) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%q does not appear in the log of %s:\n%s", text, name, b.log(name))
		}
		time.Sleep(time.Millisecond)
	}
}

func isAlive(pid int) bool {
	st, err := process.ReadStat(pid)
	return err == nil && st.State != 'Z'
}

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

// freeAddr gives an address of its own for a server that starts later. On 127.0.0.1 a connection of another test could
// be given the port in between.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func fileSize(path string) int64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
