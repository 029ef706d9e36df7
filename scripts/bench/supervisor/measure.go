package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// measure returns the cells of one subject, in the order of the rows.
func measure(ctx context.Context, s subject, o options) ([]string, error) {
	restarts, err := measureRestarts(ctx, s, o.kills)
	if err != nil {
		return nil, err
	}
	small, err := measureSmall(ctx, s, o.idle)
	if err != nil {
		return nil, err
	}
	large, err := measureLarge(ctx, s, o.many)
	return slices.Concat(restarts, small, large), err
}

// instance is a running daemon with its directory.
type instance struct {
	subject
	dir string
	cmd *exec.Cmd
	log bytes.Buffer
}

func start(ctx context.Context, s subject, programs func(dir string) []string) (*instance, error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	i := &instance{subject: s, dir: dir}
	if err := s.write(dir, programs(dir)); err != nil {
		return nil, err
	}
	argv := s.daemon(dir)
	i.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	i.cmd.Cancel = func() error { return i.cmd.Process.Signal(syscall.SIGTERM) }
	i.cmd.Stdout, i.cmd.Stderr = &i.log, &i.log
	if err := i.cmd.Start(); err != nil {
		return nil, err
	}
	return i, nil
}

// stop ends the daemon with all programs and returns how long that took.
func (i *instance) stop() time.Duration {
	began := time.Now()
	_ = i.cmd.Process.Signal(syscall.SIGTERM)
	_ = i.cmd.Wait()
	took := time.Since(began)
	os.RemoveAll(i.dir)
	return took
}

func (i *instance) pid() int { return i.cmd.Process.Pid }

// until waits for a condition for a minute. What is measured does not depend on how often it looks, and looking takes a
// processor away from those that are measured.
func (i *instance) until(what string, ok func() bool) error {
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("gave up waiting: " + what + "\n" + i.log.String())
		}
	}
	return nil
}

// lives reads what a child has noted: a pid and a time for each of its lives.
func lives(path string) (pids []int, times []int64) {
	data, _ := os.ReadFile(path)
	for line := range strings.Lines(string(data)) {
		var pid int
		var at int64
		if n, _ := fmt.Sscanf(line, "%d %d\n", &pid, &at); n == 2 {
			pids, times = append(pids, pid), append(times, at)
		}
	}
	return pids, times
}

// measureRestarts kills a program again and again and takes the time until it lives again.
func measureRestarts(ctx context.Context, s subject, kills int) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file := func(dir string) string { return filepath.Join(dir, "lives") }
	i, err := start(ctx, s, func(dir string) []string { return []string{s.program("a", self+" child "+file(dir), "")} })
	if err != nil {
		return nil, err
	}
	defer i.stop()
	var took []time.Duration
	for n := 1; n <= kills; n++ {
		alive := func() bool {
			pids, _ := lives(file(i.dir))
			return len(pids) >= n
		}
		if err := i.until("the program does not live", alive); err != nil {
			return nil, err
		}
		pids, _ := lives(file(i.dir))
		time.Sleep(20 * time.Millisecond) // let the supervisor notice that it lives
		killed := time.Now().UnixNano()
		if err := syscall.Kill(pids[n-1], syscall.SIGKILL); err != nil {
			return nil, err
		}
		if err := i.until("the program does not live again",
			func() bool { pids, _ := lives(file(i.dir)); return len(pids) > n }); err != nil {
			return nil, err
		}
		_, times := lives(file(i.dir))
		took = append(took, time.Duration(times[n]-killed))
	}
	slices.Sort(took)
	return []string{text(took[len(took)/2]), text(took[len(took)*99/100]), text(took[len(took)-1])}, nil
}

// measureSmall takes the command line's status, the daemon's memory and its idle time with 20 programs, each with a
// probe where the subject has such a thing.
func measureSmall(ctx context.Context, s subject, idle time.Duration) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addrs, err := freeAddrs(20)
	if err != nil {
		return nil, err
	}
	i, err := start(ctx, s, func(string) []string {
		var out []string
		for n, addr := range addrs {
			more := ""
			if s.keys != "" {
				more = "ready_tcp=" + addr + "\n"
			}
			out = append(out, s.program(fmt.Sprintf("p%02d", n), self+" listen "+addr, more))
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	defer i.stop()
	answer := func() bool {
		return !slices.ContainsFunc(addrs, func(addr string) bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
	}
	if err := i.until("20 programs do not listen", answer); err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Second) // startsecs and first probes are over
	var took []time.Duration
	for range 30 {
		argv := i.ctl(i.dir, "status")
		began := time.Now()
		out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
		took = append(took, time.Since(began))
		if bytes.Count(out, []byte("\n")) < 20 {
			return nil, fmt.Errorf("status says %s (%v)", out, err)
		}
	}
	slices.Sort(took)
	before := processorTime(i.pid())
	time.Sleep(idle)
	used := processorTime(i.pid()) - before
	return []string{
		text(took[len(took)/2]), megabytes(i.pid()),
		fmt.Sprintf("%.2f %% of a core", 100*used.Seconds()/idle.Seconds()),
	}, nil
}

// freeAddrs finds local addresses on which nothing listens.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// measureLarge starts and stops very many programs.
func measureLarge(ctx context.Context, s subject, many int) ([]string, error) {
	began := time.Now()
	i, err := start(ctx, s, func(string) []string {
		var out []string
		for n := range many {
			out = append(out, s.program(fmt.Sprintf("p%04d", n), "/bin/sleep 100000", ""))
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	if err := i.until("not all programs run", func() bool { return children(i.pid()) >= many }); err != nil {
		i.stop()
		return nil, err
	}
	started := time.Since(began)
	time.Sleep(2 * time.Second)
	memory := megabytes(i.pid())
	return []string{text(started), memory, text(i.stop())}, nil
}

// children counts a process's direct children that have become something else than it.
func children(pid int) int {
	n := 0
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range tasks {
		data, _ := os.ReadFile(t)
		for _, word := range strings.Fields(string(data)) {
			if comm, err := os.ReadFile("/proc/" + word + "/comm"); err == nil && string(comm) == "sleep\n" {
				n++
			}
		}
	}
	return n
}

// megabytes is a process's resident memory.
func megabytes(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, _ := strconv.Atoi(f[1])
			return fmt.Sprintf("%.1f MB", float64(kb)/1024)
		}
	}
	return "?"
}

// processorTime is the time that a process and the children it has waited for have used.
func processorTime(pid int) time.Duration {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(data), ") ")
	f := strings.Fields(rest)
	if len(f) < 15 {
		return 0
	}
	var ticks int
	for _, field := range f[11:15] { // utime stime cutime cstime
		n, _ := strconv.Atoi(field)
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100)
}

func text(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	default:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
}
