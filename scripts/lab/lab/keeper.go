package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	keeperArg0 = "fate-lab-keeper"
	bridge     = "br0"
	cgroupRoot = "/sys/fs/cgroup"

	// Descriptors the keeper is started with.
	fdLifeline = 3 // ends when the caller does
	fdReport   = 4 // "ok" or the reason why not
	fdLock     = 5 // the lab's lock, held as long as the keeper lives
	fdBase     = 6 // keeps the base system from being removed
)

// Main turns a process that was started to be a keeper into one, and never returns
// then. In all others it does nothing.
func Main() {
	if len(os.Args) == 2 && os.Args[0] == keeperArg0 {
		os.Exit(keep(os.Args[1]))
	}
}

type keeper struct {
	spec     spec
	dir      string
	since    time.Time
	machines map[string]*machine
	reaper   *reaper

	end      context.CancelFunc
	awaited  atomic.Bool // a process waits for the lock, as a sign of our end, and will remove its file
	detached chan struct{}
	detach   func()
}

// keep runs a lab until it is stopped, its caller ends or it is killed.
func keep(dir string) int {
	for fd := fdLifeline; fd <= fdBase; fd++ {
		unix.CloseOnExec(fd)
	}
	report := os.NewFile(fdReport, "report")
	k, err := newKeeper(dir)
	if err == nil {
		err = k.run(report)
	}
	if err != nil {
		fmt.Fprintln(report, err)
		return 1
	}
	return 0
}

func newKeeper(dir string) (*keeper, error) {
	s, err := loadSpec(dir)
	if err != nil {
		return nil, err
	}
	if err := isolate(); err != nil {
		return nil, err
	}
	k := &keeper{spec: s, dir: dir, since: time.Now(), machines: make(map[string]*machine), reaper: newReaper(),
		detached: make(chan struct{})}
	k.detach = sync.OnceFunc(func() { close(k.detached) })
	for _, h := range s.Hosts {
		k.machines[h.Name] = newMachine(h, k)
	}
	return k, nil
}

// isolate cuts the mounts off from the machine's: from here on nothing the lab
// mounts, and nothing systemd-nspawn leaves below /run, is seen outside.
func isolate() error {
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE},
		{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV},
		// A pure cgroup v2 tree, whatever the machine has, so that all hosts are alike.
		{"cgroup2", cgroupRoot, "cgroup2", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	} {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("cannot mount %s for the lab: %w", m.target, err)
		}
	}
	return nil
}

func (k *keeper) run(report io.WriteCloser) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	k.end = cancel
	go k.reaper.run(ctx)
	go k.watchLifeline()

	socket, err := listen(k.dir)
	if err != nil {
		return err
	}
	if err := k.setUp(ctx); err != nil {
		return errors.Join(err, k.tearDown())
	}
	var serving sync.WaitGroup
	serving.Go(func() { k.serve(ctx, socket) })
	fmt.Fprintln(report, "ok")
	report.Close()

	<-ctx.Done()
	socket.Close()
	serving.Wait()
	return k.tearDown()
}

// watchLifeline ends the lab when the process that made it is gone.
func (k *keeper) watchLifeline() {
	lifeline := os.NewFile(fdLifeline, "lifeline")
	_, _ = io.Copy(io.Discard, lifeline) // any end of it counts
	select {
	case <-k.detached:
	default:
		k.end()
	}
}

func (k *keeper) setUp(ctx context.Context) error {
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", bridge, "type", "bridge"},
		{"link", "set", bridge, "up"},
	} {
		if out, err := k.output(ctx, "ip", args...); err != nil {
			return fmt.Errorf("cannot set up the lab's network: ip %v: %w: %s", args, err, out)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range k.machines {
		group.Go(func() error {
			if err := m.prepare(); err != nil {
				return err
			}
			return m.powerOn(ctx)
		})
	}
	return group.Wait()
}

// tearDown leaves nothing on disk. Processes and network need no care, they end
// with the keeper; its children are ended first only because what they use cannot
// be removed before.
func (k *keeper) tearDown() error {
	if err := unix.Kill(-1, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("cannot end the processes of lab %s: %w", k.spec.Name, err)
	}
	var errs []error
	for _, m := range k.machines {
		m.ended.Wait()
		errs = append(errs, m.unmount())
	}
	errs = append(errs, removeCgroup(k.cgroup()), os.RemoveAll(k.dir))
	if !k.awaited.Load() {
		errs = append(errs, os.Remove(k.dir+".lock"))
	}
	return errors.Join(errs...)
}

func (k *keeper) cgroup() string { return filepath.Join(cgroupRoot, cgroupName(k.spec.Name)) }

func (k *keeper) serve(ctx context.Context, socket *net.UnixListener) {
	var pending sync.WaitGroup
	defer pending.Wait()
	for {
		conn, err := socket.Accept()
		if err != nil {
			return // closed
		}
		pending.Go(func() {
			defer conn.Close()
			var q request
			if err := json.NewDecoder(conn).Decode(&q); err != nil {
				return // the other side went away, or is no client of ours
			}
			r := k.handle(ctx, q)
			_ = json.NewEncoder(conn).Encode(r) // the other side may be gone by now
			if q.Op == opDown {
				k.end()
			}
		})
	}
}

func (k *keeper) handle(ctx context.Context, q request) reply {
	r := reply{Since: k.since}
	var err error
	switch q.Op {
	case opStatus:
		for _, h := range k.spec.Hosts {
			r.Hosts = append(r.Hosts, k.machines[h.Name].status())
		}
	case opDetach:
		k.detach()
	case opDown:
		k.awaited.Store(true)
	case opOff, opOn, opCut:
		if m := k.machines[q.Host]; m == nil {
			err = fmt.Errorf("cannot find host %q in lab %s", q.Host, k.spec.Name)
		} else {
			err = m.power(ctx, q.Op)
		}
	default:
		err = fmt.Errorf("cannot do %q: unknown to this lab", q.Op)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// output runs a short command in the keeper's own namespaces.
func (k *keeper) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	// With what it has started: nsenter waits for a child of its own, which would hold our pipe.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	if err := k.reaper.start(cmd); err != nil {
		return nil, err
	}
	err := k.reaper.wait(cmd)
	return out.Bytes(), err
}
