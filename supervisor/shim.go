package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Between fork and exec a child needs limits, a mask, an OOM score and a user of its own. Go offers no hook there, and
// setting a limit from outside comes too late: a JVM reads its limits in its first instructions. So a program is
// started in two steps. The daemon executes itself under shimName; this shim waits for its orders on a pipe, applies
// them and executes the program in its own place, so that the pid stays. It is what systemd does with its executor.
//
// The wait has a second use. The daemon writes the pid to disk before it sends the orders, and a shim whose pipe
// closes without orders exits. So a daemon killed at any moment leaves no program it does not know of.

// shimName is the argv[0] under which the executable acts as the shim.
const shimName = "fate-supervisor-exec"

// File descriptors of the shim besides 0, 1 and 2, which are the program's already.
const (
	shimOrders = 3 // read: a shimSpec in JSON, up to the end of the pipe
	shimReport = 4 // write: a shimError in JSON; closed by a successful exec
)

// shimSpec are the shim's orders.
type shimSpec struct {
	Path        string
	Argv        []string
	Env         []string
	Dir         string
	Umask       int // -1 keeps it
	Limits      []shimLimit
	OOMScoreAdj *int
	SetUser     bool // UID, GID and Groups are to be taken on
	UID, GID    int
	Groups      []int
}

type shimLimit struct {
	Name       string // as the key in the file: limit_nofile
	Resource   int
	Soft, Hard uint64
}

// shimError says which step of the shim failed.
type shimError struct {
	Step  string
	Errno syscall.Errno
}

func (e *shimError) Error() string { return fmt.Sprintf("cannot %s: %v", e.Step, e.Errno) }
func (e *shimError) Unwrap() error { return e.Errno }

// The check is an init function so that it also works in every test binary, and early: the shim does not wait for
// anything the rest of the program would set up.
func init() {
	if len(os.Args) == 1 && os.Args[0] == shimName {
		os.Exit(runShim())
	}
}

func runShim() int {
	// Credentials are set with raw system calls, which change one thread only; exec from that thread then carries
	// them to the program and ends the others.
	runtime.LockOSThread()
	unix.CloseOnExec(shimOrders)
	unix.CloseOnExec(shimReport)
	var spec shimSpec
	orders, err := io.ReadAll(rawReader(shimOrders))
	if err != nil || len(orders) == 0 || json.Unmarshal(orders, &spec) != nil {
		return 127 // the daemon is gone; nobody listens
	}
	if err := spec.become(); err != nil {
		report, _ := json.Marshal(err)
		_, _ = unix.Write(shimReport, report)
	}
	return 127
}

// become turns the shim into the program. It returns only if something fails.
func (s *shimSpec) become() *shimError {
	if s.OOMScoreAdj != nil {
		if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(*s.OOMScoreAdj)), 0); err != nil {
			return shimFailure("set oom_score_adj to "+strconv.Itoa(*s.OOMScoreAdj), err)
		}
	}
	for _, l := range s.Limits {
		if err := l.set(); err != nil {
			return shimFailure(fmt.Sprintf("set %s to %s", l.Name, limitText(l.Soft, l.Hard)), err)
		}
	}
	if s.SetUser {
		if err := takeUser(s.UID, s.GID, s.Groups); err != nil {
			return shimFailure("become user "+strconv.Itoa(s.UID), err)
		}
	}
	if s.Dir != "" {
		if err := syscall.Chdir(s.Dir); err != nil {
			return shimFailure("change to the directory "+s.Dir, err)
		}
	}
	if s.Umask >= 0 {
		syscall.Umask(s.Umask)
	}
	return shimFailure("execute "+s.Path, syscall.Exec(s.Path, s.Argv, s.Env))
}

// set sets the limit. Root of a container may lack the right to raise a hard limit; a program with as much as there is
// serves better than none, so it gets that, and a line in its log says so.
func (l shimLimit) set() error {
	// syscall.Setrlimit also tells the runtime not to restore its own idea of the file limit at exec.
	err := syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard})
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	var have syscall.Rlimit
	if err := syscall.Getrlimit(l.Resource, &have); err != nil {
		return err
	}
	most := syscall.Rlimit{Cur: min(l.Soft, have.Max), Max: min(l.Hard, have.Max)}
	if err := syscall.Setrlimit(l.Resource, &most); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "supervisor: %s is %s: this machine does not allow %s\n", l.Name, limitText(most.Cur, most.Max), limitText(l.Soft, l.Hard))
	return nil
}

// takeUser changes the credentials of the calling thread for good.
func takeUser(uid, gid int, groups []int) error {
	if err := setThreadGroups(groups); err != nil {
		return err
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)); e != 0 {
		return e
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
		return e
	}
	return nil
}

func shimFailure(step string, err error) *shimError {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		errno = syscall.EINVAL
	}
	return &shimError{step, errno}
}

func limitText(soft, hard uint64) string {
	one := func(n uint64) string {
		if n == rlimitInfinity {
			return "unlimited"
		}
		return strconv.FormatUint(n, 10)
	}
	if soft == hard {
		return one(soft)
	}
	return one(soft) + ":" + one(hard)
}

// rawReader reads a descriptor without the runtime's poller, which the shim has no use for.
type rawReader int

func (fd rawReader) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}
