package host

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// helperMode makes this test binary play a child process; see TestHelperProcess.
const helperMode = "FATE_HOST_TEST_HELPER"

// TestHelperProcess is not a test: the tests below start it.
func TestHelperProcess(t *testing.T) {
	switch os.Getenv(helperMode) {
	case "":
		t.Skip("started as a child by other tests only")
	case "polite": // ends with status 0 when asked to
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		fmt.Println("ready")
		<-stop
		os.Exit(0)
	case "starting": // loses the first request to end
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		fmt.Println("ready")
		<-stop
		<-stop
		os.Exit(0)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		select {}
	case "failing":
		fmt.Println("about to fail")
		os.Exit(7)
	case "parent": // starts a polite child and tells its pid
		h, err := New("/", nil)
		if err != nil {
			t.Fatal(err)
		}
		child, err := h.Start(helper("polite", nil))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("child", child.PID())
		select {}
	case "locker":
		f, err := os.OpenFile(os.Getenv("LOCK_FILE"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("ready")
		select {}
	}
}

func helper(mode string, out io.Writer, env ...string) Cmd {
	return Cmd{Args: []string{os.Args[0], "-test.run=^TestHelperProcess$"}, Env: append(env, helperMode+"="+mode),
		Output: out}
}

// startHelper starts a helper and waits for its first line.
func startHelper(t *testing.T, mode string, env ...string) (*Child, string) {
	t.Helper()
	h, err := New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	child, err := h.Start(helper(mode, w, env...))
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(child.Kill)
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("child said %q: %v", line, err)
	}
	return child, strings.TrimSpace(line)
}

func TestChildStops(t *testing.T) {
	child, _ := startHelper(t, "polite")
	if err := child.Err(); err != nil {
		t.Errorf("running child has error %v", err)
	}
	if err := child.Stop(context.Background(), time.Minute); err != nil {
		t.Error(err)
	}
	if err := child.Stop(context.Background(), time.Minute); err != nil {
		t.Errorf("stopping it again: %v", err)
	}
}

func TestChildIsAskedAgain(t *testing.T) {
	child, _ := startHelper(t, "starting")
	if err := child.Stop(context.Background(), time.Minute); err != nil {
		t.Error(err)
	}
}

func TestStubbornChildIsKilled(t *testing.T) {
	child, _ := startHelper(t, "stubborn")
	if err := child.Stop(context.Background(), 0); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("got %v", err)
	}
	child, _ = startHelper(t, "stubborn")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := child.Stop(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFailingChild(t *testing.T) {
	h, err := New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	child, err := h.Start(helper("failing", &out))
	if err != nil {
		t.Fatal(err)
	}
	<-child.Done()
	var exit *ExitError
	if !errors.As(child.Err(), &exit) || exit.Code != 7 || !strings.Contains(out.String(), "about to fail") {
		t.Errorf("got %v and output %q", child.Err(), out.String())
	}
	if _, err := h.Start(Cmd{Args: []string{"/nonexistent/program"}}); err == nil {
		t.Error("started a program that does not exist")
	}
}

// TestChildDiesWithUs kills a process that has started a child: the child must not stay behind.
func TestChildDiesWithUs(t *testing.T) {
	parent, line := startHelper(t, "parent")
	pid, err := strconv.Atoi(strings.TrimPrefix(line, "child "))
	if err != nil {
		t.Fatalf("parent said %q", line)
	}
	parent.Kill()
	for range 200 { // until init has reaped it; a loaded machine may need a moment
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) || isZombie(pid) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("child %d outlives its parent", pid)
}

func isZombie(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestTreesStartNothing(t *testing.T) {
	h, err := New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Start(Cmd{Args: []string{"true"}}); !errors.Is(err, ErrNoCommands) {
		t.Errorf("got %v", err)
	}
}

func TestDialUnixLongPath(t *testing.T) {
	h, err := New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l, err := net.Listen("unix", fmt.Sprintf("/proc/self/fd/%d/s", d.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := h.DialUnix(context.Background(), filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestLockHolder(t *testing.T) {
	h, err := New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ibdata1")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if pid, locked, err := h.LockHolder(file); pid != 0 || locked || err != nil {
		t.Errorf("unlocked file: %d, %v, %v", pid, locked, err)
	}
	locker, _ := startHelper(t, "locker", "LOCK_FILE="+file)
	if pid, locked, err := h.LockHolder(file); pid != locker.PID() || !locked || err != nil {
		t.Errorf("holder is %d, %v, %v, want %d", pid, locked, err, locker.PID())
	}
	if err := h.SyncAll(file); err != nil {
		t.Error(err)
	}
}
