package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal makes a pseudo terminal and returns the end for a process.
func terminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo terminals: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return slave
}

// A command may run as the service user, from that user's tree. With the terminal of the root user who installs, it
// could put text into it as if that user had typed it (TIOCSTI), whatever the modes of the terminal's device.
func TestCommandsHaveNoTerminal(t *testing.T) {
	const inside = "FATE_TEST_TERMINAL"
	if os.Getenv(inside) != "" {
		runWithTerminal(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestCommandsHaveNoTerminal$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin = terminal(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// runWithTerminal is the test in a process that has a terminal.
func runWithTerminal(t *testing.T) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		t.Fatalf("the test has no terminal: %v", err)
	}
	_ = tty.Close()
	open := Cmd{Args: []string{"sh", "-c", ": </dev/tty"}}
	var exit *ExitError
	if _, err := (ExecRunner{}).Run(context.Background(), open); !errors.As(err, &exit) {
		t.Errorf("a command opens the terminal: %v", err)
	}
	open.Output = io.Discard
	child, err := (ExecRunner{}).Start(open)
	if err != nil {
		t.Fatal(err)
	}
	<-child.Done()
	if !errors.As(child.Err(), &exit) {
		t.Errorf("a started command opens the terminal: %v", child.Err())
	}
}
