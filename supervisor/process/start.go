package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/supervisor/shim"
)

// StartWait bounds how long the system may take to execute a program's file, which may lie on a slow network mount.
const StartWait = 30 * time.Second

// Host is what the processes of one supervisor have in common.
type Host struct {
	Boot   string // identifies the boot of the machine
	Reaper *Reaper
	Table  *Table
}

// Waiting is a process that waits for its orders; see package shim.
type Waiting struct {
	Tree   *Tree
	orders *os.File
	report *os.File
}

// Start forks a shim with the given output in a session of its own.
func (h Host) Start(stdout, stderr *os.File, onExit func(Exit)) (*Waiting, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	ordersR, ordersW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ordersR.Close()
	reportR, reportW, err := os.Pipe()
	if err != nil {
		ordersW.Close()
		return nil, err
	}
	defer reportW.Close()
	sh := &Waiting{orders: ordersW, report: reportR}
	attr := &os.ProcAttr{
		Files: []*os.File{null, stdout, stderr, ordersR, reportW},
		// One processor: with more the runtime starts threads for work that a shim does not have.
		Env: []string{"GOGC=off", "GOTRACEBACK=none", "GOMAXPROCS=1"},
		Sys: &syscall.SysProcAttr{Setsid: true},
	}
	// /proc/self/exe is this very program even when its file was replaced by another version.
	pid, err := h.Reaper.start(func() (int, error) { return forkExec("/proc/self/exe", attr) }, onExit)
	if err != nil {
		sh.close()
		return nil, fmt.Errorf("cannot fork: %w", err)
	}
	st, err := ReadStat(pid)
	if err != nil {
		sh.close()
		h.Reaper.Forget(pid)
		return nil, fmt.Errorf("cannot look at the new process: %w", err)
	}
	sh.Tree = &Tree{
		ID:     Identity{PID: pid, Start: st.Start, Boot: h.Boot},
		reaper: h.Reaper, table: h.Table, child: true, pidfd: -1,
	}
	return sh, nil
}

// forkExec starts a process without os.Process, whose Wait would compete with the reaper.
func forkExec(path string, attr *os.ProcAttr) (int, error) {
	files := make([]uintptr, len(attr.Files))
	for i, f := range attr.Files {
		files[i] = f.Fd()
		_ = unix.SetNonblock(int(f.Fd()), false) // the child expects descriptors that block
	}
	return syscall.ForkExec(path, []string{shim.Name}, &syscall.ProcAttr{Env: attr.Env, Files: files, Sys: attr.Sys})
}

func (sh *Waiting) close() {
	sh.orders.Close()
	sh.report.Close()
}

// Execute gives the shim its orders and waits until it has executed the program. The notes say what is not quite as
// ordered.
func (sh *Waiting) Execute(spec *shim.Spec) (notes []string, err error) {
	defer sh.close()
	deadline := time.Now().Add(StartWait)
	_ = sh.orders.SetWriteDeadline(deadline)
	_ = sh.report.SetReadDeadline(deadline)
	_, err = sh.orders.Write(spec.Encode())
	sh.orders.Close()
	if err != nil {
		_ = sh.Tree.Signal(unix.SIGKILL)
		return nil, fmt.Errorf("cannot give orders to the new process: %w", err)
	}
	report, err := io.ReadAll(io.LimitReader(sh.report, 64<<10))
	if err != nil {
		_ = sh.Tree.Signal(unix.SIGKILL)
		return nil, fmt.Errorf("cannot execute %s within %s: %w", spec.Path, StartWait, err)
	}
	outcome, ok := shim.DecodeOutcome(report)
	switch {
	case !ok:
		return nil, errors.New("cannot execute " + spec.Path + ": the new process reported nonsense")
	case outcome.Err != nil:
		return outcome.Notes, execFailure(spec, outcome.Err)
	}
	if !outcome.Last {
		return outcome.Notes, fmt.Errorf("cannot execute %s: %w", spec.Path, ErrEnded)
	}
	return outcome.Notes, nil
}

// ErrEnded is the cause of a start whose process ended before it executed the program, and could not say why.
var ErrEnded = errors.New("the new process ended before")

// execFailure explains why the program could not be executed. A missing file behind an existing one is the
// interpreter of a script, or the loader of a program built for another C library.
func execFailure(spec *shim.Spec, failed *shim.Error) error {
	if !strings.HasPrefix(failed.Step, "execute ") {
		return failed
	}
	e := &ExecError{Path: spec.Path, Text: failed.Error(), Err: failed.Errno}
	switch failed.Errno {
	case unix.ENOENT:
		e.Missing = true
		e.Text += ": the interpreter in its first line, or its dynamic loader, does not exist"
	case unix.ENOEXEC:
		e.Text += ": it is neither a program for this machine nor a script with #! in its first line"
	case unix.EACCES:
		e.Text += ": look at the execute bits on the way to it and for a file system mounted noexec"
	}
	return e
}
