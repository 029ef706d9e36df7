package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Cmd is an external command. It is never given to a shell. Secrets travel in Stdin or in files, because
// every user of the machine can read the arguments.
type Cmd struct {
	Args []string  // the program (a name looked up in the system directories, or a path) and its arguments
	Env  []string  // added to a minimal environment: PATH, HOME=/, LC_ALL=C
	Dir  string    // working directory; "" is /
	In   io.Reader // standard input; nil is empty

	// Credential runs the command as another user; nil keeps ours.
	Credential *Credential

	// Output, when set, also receives standard output and standard error as they come, for commands that
	// take minutes. It is called by one goroutine at a time.
	Output io.Writer

	// Grace is the time between SIGTERM and SIGKILL to the command's process group when the context ends;
	// 0 means 5 seconds.
	Grace time.Duration
}

// Credential is a user to run a command as.
type Credential struct{ UID, GID uint32 }

// Name is the base name of the program, for messages.
func (c Cmd) Name() string {
	if len(c.Args) == 0 {
		return "(no command)"
	}
	return filepath.Base(c.Args[0])
}

// Result is the output of a command.
type Result struct {
	Stdout, Stderr []byte
	Code           int // exit status, or 128 + the signal that ended it
}

// Runner runs external commands. It is the only thing of the machine that tests replace.
type Runner interface {
	// Run waits for the command. An error other than *ExitError means that it was not started.
	Run(ctx context.Context, c Cmd) (Result, error)
}

// ExitError is a command that ran and did not succeed.
type ExitError struct {
	Name   string
	Code   int
	Stderr string // the last lines
}

func (e *ExitError) Error() string {
	msg := e.Name + " exited with status " + strconv.Itoa(e.Code)
	if e.Stderr != "" {
		msg += ": " + e.Stderr
	}
	return msg
}

// ErrNotFound is the cause when the program of a command is not installed.
var ErrNotFound = exec.ErrNotFound

// ExecRunner runs commands on this machine.
type ExecRunner struct{}

// searchPath is fixed: root's PATH often lacks the sbin directories, and an operator's may hold
// a program of the same name.
var searchPath = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Run implements [Runner].
func (ExecRunner) Run(ctx context.Context, c Cmd) (Result, error) {
	cmd, stop, err := command(ctx, c)
	if err != nil {
		return Result{}, err
	}
	defer stop()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Writer(&stdout), io.Writer(&stderr)
	if c.Output != nil {
		out := &serialWriter{w: c.Output}
		cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, out), io.MultiWriter(&stderr, out)
	}
	err = cmd.Run()
	res := Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
	if cmd.ProcessState != nil {
		res.Code = exitStatus(cmd.ProcessState)
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return res, fmt.Errorf("cannot finish %s: %w", c.Name(), context.Cause(ctx))
	case errors.As(err, &exit):
		return res, &ExitError{Name: c.Name(), Code: res.Code, Stderr: lastLines(stderr.Bytes(), 5)}
	case err != nil:
		return res, fmt.Errorf("cannot run %s: %w", c.Name(), err)
	}
	return res, nil
}

// command prepares c. The returned function must be called when the command has ended: it kills what is
// left of the process group of a cancelled command.
func command(ctx context.Context, c Cmd) (*exec.Cmd, func(), error) {
	if len(c.Args) == 0 {
		return nil, nil, errors.New("cannot run a command without a name")
	}
	path, err := lookup(c.Args[0])
	if err != nil {
		return nil, nil, fmt.Errorf("cannot run %s: %w", c.Name(), err)
	}
	cmd := exec.CommandContext(ctx, path, c.Args[1:]...)
	cmd.Args[0] = c.Args[0]
	cmd.Env = append([]string{"PATH=" + strings.Join(searchPath, ":"), "HOME=/", "LC_ALL=C"}, c.Env...)
	cmd.Dir, cmd.Stdin = c.Dir, c.In
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	// A session of its own, and so a process group: what the command started ends with it, and what it runs as another
	// user has no terminal of ours, into which it could put text as if root had typed it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.Credential != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.Credential.UID, Gid: c.Credential.GID}
	}
	grace := c.Grace
	if grace == 0 {
		grace = 5 * time.Second
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace // then Wait kills the process and no longer waits for who holds its output
	stop := func() {
		if ctx.Err() != nil && cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	}
	return cmd, stop, nil
}

func lookup(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range searchPath {
		p := filepath.Join(dir, name)
		if fi, err := os.Stat(p); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", ErrNotFound
}

func exitStatus(ps *os.ProcessState) int {
	if ws, ok := ps.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ps.ExitCode()
}

func lastLines(b []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// serialWriter lets standard output and standard error share one writer.
type serialWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *serialWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
