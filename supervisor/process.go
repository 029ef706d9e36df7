package supervisor

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// identity tells a process from any other that has had, or will have, the same pid.
type identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks from boot
	Boot  string `json:"boot"`
	Exe   fileID `json:"exe"` // of the file that was to be executed
}

// matches reports whether the process that has the pid now is the one the identity was taken from. The pid and the
// start time of one boot name a process already; the executable, or the marker in its environment where the program
// executes another file in its place (a script its interpreter, a wrapper the real thing), is the seal on it.
func (id identity) matches(boot, marker string) bool {
	if id.PID <= 1 || id.Boot != boot {
		return false
	}
	st, err := readStat(id.PID)
	if err != nil || st.start != id.Start || st.state == 'Z' || st.state == 'X' {
		return false
	}
	if exe, err := exeOf(id.PID); err == nil && exe == id.Exe {
		return true
	}
	return hasEnviron(id.PID, marker)
}

// process is a program's running process: a child of this daemon, or one adopted from an earlier daemon.
type process struct {
	id     identity
	marker string // NAME=value in the environment of the program and all it starts
	cgroup *cgroup
	reaper *reaper
	table  *procTable
	child  bool
	pidfd  int // of an adopted process; -1 where the kernel has none
}

// adopt finds the process again that an earlier daemon started; nil if it is gone.
func adopt(id identity, marker, cgroupDir, boot string, r *reaper, t *procTable) *process {
	if !id.matches(boot, marker) {
		return nil
	}
	p := &process{id: id, marker: marker, cgroup: openCgroup(cgroupDir), reaper: r, table: t, pidfd: -1}
	if fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK); err == nil {
		p.pidfd = fd
	} else if fd, err := unix.PidfdOpen(id.PID, 0); err == nil {
		p.pidfd = fd
		_ = unix.SetNonblock(fd, true)
	}
	// The pidfd is of whatever had the pid when it was opened; only if that is still the same process is it right.
	if !id.matches(boot, marker) {
		p.close()
		return nil
	}
	return p
}

func (p *process) close() {
	if p.pidfd >= 0 {
		_ = unix.Close(p.pidfd)
		p.pidfd = -1
	}
}

// pollInterval is how often an adopted process is looked at where the kernel has no pidfd (before 5.3).
const pollInterval = 100 * time.Millisecond

// waitEnd returns when the process has ended, or the context has. It takes over the pidfd, if there is one (-1 if not),
// and then costs a goroutine but no thread: a pidfd is readable when its process has ended, so the runtime's poller
// can wait for it.
func waitEnd(ctx context.Context, id identity, pidfd int) {
	if pidfd >= 0 && waitReadable(ctx, pidfd) {
		return
	}
	for ctx.Err() == nil {
		st, err := readStat(id.PID)
		if err != nil || st.start != id.Start || st.state == 'Z' || st.state == 'X' {
			return
		}
		sleep(ctx, pollInterval)
	}
}

// waitReadable waits for a descriptor through the runtime's poller and closes it. It reports false when the poller
// cannot wait for such a descriptor.
func waitReadable(ctx context.Context, fd int) bool {
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	if f.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	err = conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n > 0
	})
	return err == nil || ctx.Err() != nil
}

// signal sends a signal to the process itself.
func (p *process) signal(sig syscall.Signal) error {
	if p.child {
		return p.reaper.signal(p.id.PID, sig)
	}
	if p.pidfd >= 0 {
		if err := unix.PidfdSendSignal(p.pidfd, sig, nil, 0); !errors.Is(err, unix.ENOSYS) {
			return err
		}
	}
	st, err := readStat(p.id.PID)
	if err != nil || st.start != p.id.Start {
		return unix.ESRCH
	}
	return unix.Kill(p.id.PID, sig)
}

// signalGroup sends a signal to the process and everything in its group.
func (p *process) signalGroup(sig syscall.Signal) error {
	if p.child {
		return p.reaper.signal(-p.id.PID, sig)
	}
	if st, err := readStat(p.id.PID); err == nil && st.start == p.id.Start {
		return unix.Kill(-p.id.PID, sig)
	}
	for _, pid := range p.leftovers() {
		_ = unix.Kill(pid, sig)
	}
	return nil
}

// leftovers lists the living processes the program started that are not itself. It is exact where the program has a
// control group; else it finds what is in its session or group, and what ran away into another session by the
// marker in its environment.
func (p *process) leftovers() []int {
	if p.cgroup != nil {
		return p.alive(p.cgroup.pids())
	}
	if p.child {
		found := p.groupMembers(p.table.scan())
		for _, pid := range p.reaper.strayChildren() {
			if hasEnviron(pid, p.marker) {
				found = append(found, pid)
			}
		}
		return p.alive(found)
	}
	if st, err := readStat(p.id.PID); err == nil && st.start != p.id.Start {
		return nil // the number has gone to someone else: so has that of the group
	}
	return p.alive(p.groupMembers(p.table.scan()))
}

// groupMembers picks from all processes what belongs to the program: by its session or group, or by the marker.
func (p *process) groupMembers(all []procStat) []int {
	var out []int
	for _, st := range all {
		if st.start < p.id.Start {
			continue
		}
		if st.session == p.id.PID || st.pgrp == p.id.PID || !p.child && hasEnviron(st.pid, p.marker) {
			out = append(out, st.pid)
		}
	}
	return out
}

// alive drops the process itself, zombies and what has ended meanwhile.
func (p *process) alive(pids []int) []int {
	var out []int
	for _, pid := range pids {
		if pid == p.id.PID || pid == os.Getpid() {
			continue
		}
		if st, err := readStat(pid); err == nil && st.state != 'Z' && st.state != 'X' {
			out = append(out, pid)
		}
	}
	return out
}

// killAll sends KILL to the process and to everything it started.
func (p *process) killAll() {
	_ = p.signal(unix.SIGKILL)
	if p.cgroup != nil {
		p.cgroup.kill()
		return
	}
	for _, pid := range p.leftovers() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// release lets the pid go, after which nothing may be signalled any more.
func (p *process) release() {
	p.close()
	if p.child {
		p.reaper.release(p.id.PID)
	}
	if p.cgroup != nil && len(p.cgroup.pids()) == 0 {
		p.cgroup.remove()
	}
}
