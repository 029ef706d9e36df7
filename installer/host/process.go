package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Starter is a [Runner] that can also start a command and leave it running.
type Starter interface {
	Start(c Cmd) (*Child, error)
}

// Child is a running command that this process started and that does not outlive it: the kernel kills it when this
// process dies in any way. It is for temporary servers; what shall stay is the supervisor's.
type Child struct {
	name string
	pid  int
	done chan struct{}
	err  error // set before done is closed
}

// Start starts a command in a session of its own. Its output goes to c.Output, and nowhere when that is nil. It
// fails with [ErrNoCommands] for a tree.
func (h *Host) Start(c Cmd) (*Child, error) {
	s, ok := h.runner.(Starter)
	if !ok {
		return nil, fmt.Errorf("cannot start %s: %w", c.Name(), ErrNoCommands)
	}
	return s.Start(c)
}

// Start implements [Starter].
func (ExecRunner) Start(c Cmd) (*Child, error) {
	cmd, _, err := command(context.Background(), c) // what the context leaves behind is not our concern: it never ends
	if err != nil {
		return nil, err
	}
	if c.Output != nil {
		// One value for both, so that os/exec writes to it from one goroutine.
		cmd.Stdout = c.Output
		cmd.Stderr = c.Output
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	child := &Child{name: c.Name(), done: make(chan struct{})}
	started := make(chan error)
	go child.run(cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", c.Name(), err)
	}
	return child, nil
}

// run starts and waits on one and the same thread: the death signal is sent when the thread that forked ends, and the
// runtime ends threads as it likes unless they are locked.
func (c *Child) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	c.pid = cmd.Process.Pid
	started <- nil
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &ExitError{Name: c.name, Code: exitStatus(cmd.ProcessState)}
	}
	c.err = err
	close(c.done)
}

// PID is the child's process id, which is also its process group's.
func (c *Child) PID() int { return c.pid }

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err tells how the child ended: nil for status 0, else usually an [*ExitError]. It is nil until Done is closed.
func (c *Child) Err() error {
	if !c.ended() {
		return nil
	}
	return c.err
}

// Kill ends the child's process group at once and waits for the child.
func (c *Child) Kill() {
	_ = syscall.Kill(-c.pid, syscall.SIGKILL) // fails only when it has ended
	<-c.done
}

// askAgain is how long a child that was asked to end may go on before it is asked once more.
const askAgain = time.Second

// Stop asks the child to end with SIGTERM and waits for it. The signal is repeated every second: a database server that
// is starting loses one that comes before its thread for signals is there, and one that is ending minds no second one.
// When limit is over, or ctx ends, the child is killed, and the error says so.
func (c *Child) Stop(ctx context.Context, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for !c.ended() { // its number may be another process's by now
		// To the child alone: a server's helpers end when the server is done with them.
		if err := syscall.Kill(c.pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("cannot stop %s (pid %d): %w", c.name, c.pid, err)
		}
		select {
		case <-c.done:
			return c.err
		case <-again.C:
		case <-timer.C:
			c.Kill()
			return fmt.Errorf("cannot stop %s (pid %d) within %s: it was killed", c.name, c.pid, limit)
		case <-ctx.Done():
			c.Kill()
			return fmt.Errorf("cannot stop %s (pid %d): %w", c.name, c.pid, context.Cause(ctx))
		}
	}
	return c.err
}

func (c *Child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// DialUnix connects to a unix socket of the host. It is reached through a descriptor of its directory: no other user
// can lead the connection elsewhere, and the path may be longer than a socket address can be.
func (h *Host) DialUnix(ctx context.Context, abs string) (net.Conn, error) {
	if err := checkAbs("dial", abs); err != nil {
		return nil, err
	}
	p, err := h.files.root.Follow("dial", abs)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	fi, err := p.Lstat()
	if err != nil {
		return nil, err
	}
	if fi.Mode()&fs.ModeSocket == 0 {
		return nil, &fs.PathError{Op: "dial", Path: abs, Err: syscall.ENOTSOCK}
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", p.ProcPath())
}

// SyncAll makes everything durable that any process has written to the filesystem abs is on.
func (h *Host) SyncAll(abs string) error {
	if err := h.try(OpSync, abs); err != nil {
		return err
	}
	f, err := h.Open(abs)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("cannot write %s out to disk: %w", abs, err)
	}
	return nil
}

// LockHolder tells whether a process has a POSIX record lock on a file, and which; the pid is 0 for a process that
// cannot be seen from this PID namespace. Servers that must not run twice on the same data take such a lock.
func (h *Host) LockHolder(abs string) (pid int, locked bool, err error) {
	f, err := h.Open(abs)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, false, fmt.Errorf("cannot see who has locked %s: %w", abs, err)
	}
	if lock.Type == unix.F_UNLCK {
		return 0, false, nil
	}
	return int(lock.Pid), true, nil
}
