package seccomp

import (
	"math"

	"golang.org/x/sys/unix"
)

// lastCall is the highest number in Linux 3.10's table for amd64, finit_module.
const lastCall = 313

// openCall is amd64's open(2), which younger architectures do not have.
const openCall = 2

// laterArgument is a value of an argument that a call learned after 3.10.
type laterArgument struct {
	call     uint32
	arg      int    // which argument, from 0; an int, of which the upper half of the register says nothing
	from, to uint32 // the values
	mask     bool   // any of the bits of from instead
	level    uint32 // if not 0: only with this value of the argument before
	errno    unix.Errno
}

// laterArguments are refused as Linux 3.10 refuses what it does not know.
var laterArguments = []laterArgument{
	// 5.4
	{call: unix.SYS_WAITID, arg: 0, from: unix.P_PIDFD, to: math.MaxUint32, errno: unix.EINVAL},
	// 3.15: all modes but the first two
	{call: unix.SYS_FALLOCATE, arg: 1, from: ^uint32(0b11), mask: true, errno: unix.EOPNOTSUPP},
	// 3.11
	{call: openCall, arg: 1, from: unix.O_TMPFILE &^ unix.O_DIRECTORY, mask: true, errno: unix.EISDIR},
	// 3.11
	{call: unix.SYS_OPENAT, arg: 2, from: unix.O_TMPFILE &^ unix.O_DIRECTORY, mask: true, errno: unix.EISDIR},
	// 3.15
	{call: unix.SYS_FCNTL, arg: 1, from: unix.F_OFD_GETLK, to: unix.F_OFD_SETLKW, errno: unix.EINVAL},
	// 3.17
	{call: unix.SYS_FCNTL, arg: 1, from: unix.F_ADD_SEALS, to: math.MaxUint32, errno: unix.EINVAL},
	// 3.15; the only one above is Yama's
	{call: unix.SYS_PRCTL, arg: 0, from: unix.PR_SET_THP_DISABLE, to: unix.PR_SET_VMA, errno: unix.EINVAL},
	// 4.5
	{call: unix.SYS_MADVISE, arg: 2, from: unix.MADV_FREE, to: unix.MADV_FREE, errno: unix.EINVAL},
	// 4.14
	{call: unix.SYS_MADVISE, arg: 2, from: unix.MADV_WIPEONFORK, to: unix.MADV_HWPOISON - 1, errno: unix.EINVAL},
	// 3.11
	{call: unix.SYS_GETSOCKOPT, arg: 2, from: unix.SO_BUSY_POLL, to: math.MaxUint32, level: unix.SOL_SOCKET,
		errno: unix.ENOPROTOOPT},
	// 3.11
	{call: unix.SYS_SETSOCKOPT, arg: 2, from: unix.SO_BUSY_POLL, to: math.MaxUint32, level: unix.SOL_SOCKET,
		errno: unix.ENOPROTOOPT},
}

// Where seccomp_data has what a filter looks at; see seccomp(2). Of an argument of 8 bytes the lower half comes first.
const (
	offsetCall = 0
	offsetArch = 4
	offsetArgs = 16
)

// assemble writes the filter.
func assemble() []unix.SockFilter {
	filter := []unix.SockFilter{
		load(offsetArch),
		// A 32-bit program has other numbers, which must not be taken for these: none of its calls is there.
		jump(unix.BPF_JEQ, unix.AUDIT_ARCH_X86_64, 1, 0),
		fail(unix.ENOSYS),
		load(offsetCall),
		jump(unix.BPF_JGT, lastCall, 0, 1),
		fail(unix.ENOSYS),
	}
	for _, a := range laterArguments {
		filter = append(filter, a.assemble()...)
	}
	return append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
}

// test is a condition on one word; the argument is refused only if all hold.
type test struct {
	offset uint32
	code   uint16
	value  uint32
	not    bool
}

func (a laterArgument) assemble() []unix.SockFilter {
	word := offsetArgs + 8*uint32(a.arg)
	tests := []test{{offset: offsetCall, code: unix.BPF_JEQ, value: a.call}}
	if a.level != 0 {
		tests = append(tests, test{offset: word - 8, code: unix.BPF_JEQ, value: a.level})
	}
	if a.mask {
		tests = append(tests, test{offset: word, code: unix.BPF_JSET, value: a.from})
	} else {
		tests = append(tests, test{offset: word, code: unix.BPF_JGE, value: a.from},
			test{offset: word, code: unix.BPF_JGT, value: a.to, not: true})
	}
	var out []unix.SockFilter
	for i, t := range tests {
		past := uint8(2*(len(tests)-i-1) + 1) // over the rest of the tests and the failure
		yes, no := uint8(0), past
		if t.not {
			yes, no = past, 0
		}
		out = append(out, load(t.offset), jump(t.code, t.value, yes, no))
	}
	return append(out, fail(a.errno))
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func jump(code uint16, value uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | code | unix.BPF_K, Jt: yes, Jf: no, K: value}
}

func fail(errno unix.Errno) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}
