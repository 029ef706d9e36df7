// Package seccomp lets a process see the system calls of Linux 3.10 and no younger ones, whatever kernel it runs on:
// the oldest kernel that the product supports is that of CentOS 7, and what works here falls back as it must there.
//
// Numbers of system calls are given in the order in which they are added. On amd64 the table of Linux 3.10,
// arch/x86/syscalls/syscall_64.tbl in its source, ends with 313, finit_module, which came with 3.8; the next one, 314,
// is sched_setattr of 3.14. (The numbers from 512 on are those of the x32 ABI, which CentOS does not have.) So
// everything above 313 fails with ENOSYS. CentOS 7 has had some of them added, such as getrandom, and is thus easier to
// satisfy.
//
// Of the calls that are in the table, those that were later extended by a value of an argument refuse it as 3.10 does,
// as far as programs use it; see the table laterArguments. What a filter cannot take away is what an old kernel ignores
// without an error, such as CLONE_PIDFD, and files in /proc and /sys.
package seccomp

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported reports whether this architecture's table of system calls is known here.
func Supported() bool { return runtime.GOARCH == "amd64" }

// Exec executes a command, found along PATH, in place of this process, under the filter, which all its children
// inherit. It returns only an error.
func Exec(argv []string) error {
	if !Supported() {
		return fmt.Errorf("cannot take system calls away: the table of %s is not known, only that of amd64",
			runtime.GOARCH)
	}
	file, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	// The filter is on this one thread, which has to be the one that executes the command.
	runtime.LockOSThread()
	if err := install(assemble()); err != nil {
		return err
	}
	return &os.PathError{Op: "execute", Path: file, Err: syscall.Exec(file, argv, os.Environ())}
}

// install puts a filter on this thread. seccomp(2) is younger than 3.10 itself; prctl(2) does the same. Only where the
// thread may not do it otherwise it gives up that programs may gain privileges: the command may want to run programs as
// other users.
func install(filter []unix.SockFilter) error {
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	set := func() error {
		return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	}
	err := set()
	if errors.Is(err, unix.EACCES) {
		if err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err == nil {
			err = set()
		}
	}
	if err != nil {
		return fmt.Errorf("cannot install the filter of system calls: %w", err)
	}
	return nil
}

// Check reports, as an error, each of some system calls that does not do what it does on Linux 3.10: its success is
// proof that a filter is on.
func Check() error {
	const none = math.MaxInt32 // no descriptor
	var found []error
	for _, call := range []struct {
		name string
		want syscall.Errno
		trap uintptr
		args [4]uintptr // no call does anything with these
	}{
		{"sched_setattr", unix.ENOSYS, 314, [4]uintptr{}},
		{"getrandom", unix.ENOSYS, 318, [4]uintptr{}},
		{"statx", unix.ENOSYS, 332, [4]uintptr{}},
		{"clone3", unix.ENOSYS, 435, [4]uintptr{}},
		{"openat2", unix.ENOSYS, 437, [4]uintptr{}},
		{"fchmodat2", unix.ENOSYS, 452, [4]uintptr{}},
		{"a call of the future", unix.ENOSYS, 100_000, [4]uintptr{}},
		{"waitid(P_PIDFD)", unix.EINVAL, unix.SYS_WAITID, [4]uintptr{unix.P_PIDFD, none, 0, unix.WEXITED}},
		{"fallocate(FALLOC_FL_ZERO_RANGE)", unix.EOPNOTSUPP, unix.SYS_FALLOCATE,
			[4]uintptr{none, unix.FALLOC_FL_ZERO_RANGE, 0, 1}},
		{"openat(O_TMPFILE)", unix.EISDIR, unix.SYS_OPENAT, [4]uintptr{none, 0, unix.O_TMPFILE | unix.O_RDWR}},
		{"fcntl(F_OFD_GETLK)", unix.EINVAL, unix.SYS_FCNTL, [4]uintptr{none, unix.F_OFD_GETLK}},
		{"getsockopt(SO_PEERGROUPS)", unix.ENOPROTOOPT, unix.SYS_GETSOCKOPT,
			[4]uintptr{none, unix.SOL_SOCKET, unix.SO_PEERGROUPS}},
		// These are there on both.
		{"sendmmsg", unix.EBADF, unix.SYS_SENDMMSG, [4]uintptr{none}},
		{"fallocate", unix.EBADF, unix.SYS_FALLOCATE, [4]uintptr{none, unix.FALLOC_FL_KEEP_SIZE, 0, 1}},
		{"openat", unix.EFAULT, unix.SYS_OPENAT, [4]uintptr{none, 0, unix.O_DIRECTORY}},
		{"fcntl(F_GETLK)", unix.EBADF, unix.SYS_FCNTL, [4]uintptr{none, unix.F_GETLK}},
		{"getsockopt(SO_PEERCRED)", unix.EBADF, unix.SYS_GETSOCKOPT,
			[4]uintptr{none, unix.SOL_SOCKET, unix.SO_PEERCRED}},
		{"getsockopt of another level", unix.EBADF, unix.SYS_GETSOCKOPT,
			[4]uintptr{none, unix.IPPROTO_IPV6, unix.SO_PEERGROUPS}},
	} {
		a := call.args
		_, _, errno := unix.Syscall6(call.trap, a[0], a[1], a[2], a[3], 0, 0)
		if errno != call.want {
			found = append(found, fmt.Errorf("%s gives %q, want %q", call.name, errno, call.want))
		}
	}
	return errors.Join(found...)
}
