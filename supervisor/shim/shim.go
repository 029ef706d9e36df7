// Package shim is the step between fork and exec of a supervised program.
//
// A child needs limits, a mask, an OOM score and a user of its own before it becomes the program. Go offers no hook
// there, and setting a limit from outside comes too late: a JVM reads its limits in its first instructions. So a
// program is started in two steps, as systemd does with its executor. The daemon executes itself under the name Name;
// the shim waits for its orders on a pipe, applies them and executes the program in its own place, so that the pid
// stays.
//
// The wait has a second use. The daemon writes the pid to disk before it sends the orders, and a shim whose pipe
// closes without orders exits. So a daemon killed at any moment leaves no program it does not know of.
//
// The shim runs in an init function, which has two reasons. It works in every executable that contains a supervisor,
// test binaries included. And it is fast: packages are initialised in the order of their import paths as far as their
// imports allow, so one that imports as little as this is initialised before nearly everything else in the program.
// That is why there is no encoding/json here; with it, starting a program takes three times as long.
package shim

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// Name is the argv[0] under which an executable acts as the shim.
const Name = "fate-supervisor-exec"

// File descriptors of the shim besides 0, 1 and 2, which are the program's already.
const (
	Orders = 3 // read: an encoded Spec, up to the end of the pipe
	Report = 4 // write: notes and at most one Error, encoded; closed by a successful exec
)

// Spec are the shim's orders.
type Spec struct {
	Path        string
	Argv        []string
	Env         []string
	Tasks       string // file of a control group to enter; "" stays in the daemon's
	Dir         string // "" keeps it
	Umask       int    // -1 keeps it
	Limits      []Limit
	OOMScoreAdj *int
	SetUser     bool // UID, GID and Groups are to be taken on
	UID, GID    int
	Groups      []int
}

// Limit is a resource limit to set.
type Limit struct {
	Name       string // for messages
	Resource   int    // RLIMIT_...
	Soft, Hard uint64 // all bits set: unlimited
}

// Error says which step of the shim failed.
type Error struct {
	Step  string
	Errno syscall.Errno
}

func (e *Error) Error() string { return "cannot " + e.Step + ": " + e.Errno.Error() }
func (e *Error) Unwrap() error { return e.Errno }

func init() {
	if len(os.Args) == 1 && os.Args[0] == Name {
		run()
		syscall.Exit(127)
	}
}

func run() {
	// Credentials are set with raw system calls, which change one thread only; exec from that thread then carries
	// them to the program and ends the others. All init functions run on the thread that the process began with, so
	// there is no need for LockOSThread, which would start another one.
	syscall.CloseOnExec(Orders)
	syscall.CloseOnExec(Report)
	spec, ok := decode(readAll(Orders))
	if !ok {
		return // the daemon is gone; nothing listens
	}
	if err := spec.become(); err != nil {
		send((&Outcome{Err: err}).Encode())
	}
}

// send reports to the daemon. If that is gone, the report is not needed.
func send(report []byte) { _, _ = syscall.Write(Report, report) }

func readAll(fd int) []byte {
	var data []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := syscall.Read(fd, buf)
		switch {
		case err == syscall.EINTR:
		case err != nil || n == 0:
			return data
		default:
			data = append(data, buf[:n]...)
		}
	}
}

// become turns the shim into the program. It returns only if something fails.
func (s *Spec) become() *Error {
	if s.Tasks != "" {
		// 0 is the calling thread, the one that executes the program. The runtime's others end with that.
		if err := writeFile(s.Tasks, "0"); err != nil {
			return failure("enter the control group of "+s.Tasks, err)
		}
	}
	if s.OOMScoreAdj != nil {
		if err := writeFile("/proc/self/oom_score_adj", strconv.Itoa(*s.OOMScoreAdj)); err != nil {
			return failure("set oom_score_adj to "+strconv.Itoa(*s.OOMScoreAdj), err)
		}
	}
	for _, l := range s.Limits {
		note, err := l.set()
		if err != nil {
			return failure("set "+l.Name+" to "+l.text(), err)
		}
		if note != "" {
			send((&Outcome{Notes: []string{note}}).Encode())
		}
	}
	if s.SetUser {
		if err := s.takeUser(); err != nil {
			return failure("become user "+strconv.Itoa(s.UID), err)
		}
	}
	if s.Dir != "" {
		if err := syscall.Chdir(s.Dir); err != nil {
			return failure("change to the directory "+s.Dir, err)
		}
	}
	if s.Umask >= 0 {
		syscall.Umask(s.Umask)
	}
	send((&Outcome{Last: true}).Encode())
	return failure("execute "+s.Path, syscall.Exec(s.Path, s.Argv, s.Env))
}

// set sets the limit. Root of a container may lack the right to raise a hard limit; a program with as much as there is
// serves better than none, so it gets that, and a note says so.
func (l Limit) set() (note string, err error) {
	// syscall.Setrlimit also tells the runtime not to restore its own idea of the file limit at exec.
	err = syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard})
	if err != syscall.EPERM {
		return "", err
	}
	var have syscall.Rlimit
	if err := syscall.Getrlimit(l.Resource, &have); err != nil {
		return "", err
	}
	most := Limit{Name: l.Name, Resource: l.Resource, Soft: min(l.Soft, have.Max), Hard: min(l.Hard, have.Max)}
	if err := syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: most.Soft, Max: most.Hard}); err != nil {
		return "", err
	}
	return l.Name + " is " + most.text() + ": this machine does not allow " + l.text(), nil
}

// takeUser changes the credentials of the calling thread for good.
func (s *Spec) takeUser() error {
	if err := SetThreadGroups(s.Groups); err != nil {
		return err
	}
	gid, uid := uintptr(s.GID), uintptr(s.UID)
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESGID, gid, gid, gid); e != 0 {
		return e
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid); e != 0 {
		return e
	}
	return nil
}

// SetThreadGroups sets the supplementary groups of the calling thread only, which package syscall does not offer.
func SetThreadGroups(groups []int) error {
	gids := make([]uint32, len(groups))
	for i, g := range groups {
		gids[i] = uint32(g)
	}
	var first unsafe.Pointer
	if len(gids) > 0 {
		// #nosec G103 -- setgroups(2) takes an array, which lives until the call returns
		first = unsafe.Pointer(&gids[0])
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(gids)), uintptr(first), 0); e != 0 {
		return e
	}
	return nil
}

func writeFile(path, text string) error {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	_, err = syscall.Write(fd, []byte(text))
	return err
}

func failure(step string, err error) *Error {
	errno, ok := err.(syscall.Errno)
	if !ok {
		errno = syscall.EINVAL
	}
	return &Error{step, errno}
}

func (l Limit) text() string {
	one := func(n uint64) string {
		if n == ^uint64(0) {
			return "unlimited"
		}
		return strconv.FormatUint(n, 10)
	}
	if l.Soft == l.Hard {
		return one(l.Soft)
	}
	return one(l.Soft) + ":" + one(l.Hard)
}
