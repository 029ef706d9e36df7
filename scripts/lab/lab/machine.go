package lab

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	bootTimeout = 90 * time.Second // far beyond the second it takes, for a loaded machine
	bootPoll    = 50 * time.Millisecond

	// exitReboot is systemd-nspawn's way to ask the one that started it with
	// --keep-unit to start it again, since its host has called reboot.
	exitReboot = 133
)

// machine is one host as the keeper runs it.
type machine struct {
	host Host
	k    *keeper
	dir  string
	root string

	ended sync.WaitGroup // the goroutine of a running systemd-nspawn

	mu   sync.Mutex
	st   HostStatus
	cmd  *exec.Cmd     // nil when off
	gone chan struct{} // closed when cmd is over and not to be started again
	want op            // opOff or opCut: how the power was taken, "" if it was not
}

func newMachine(h Host, k *keeper) *machine {
	dir := filepath.Join(k.dir, h.Name)
	return &machine{host: h, k: k, dir: dir, root: filepath.Join(dir, "root"), st: HostStatus{Host: h, State: Off}}
}

func (m *machine) status() HostStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.st
}

// prepare makes the host's root: the shared base below a writable layer, or a copy
// of the base where the file system of the cache cannot hold an overlay.
func (m *machine) prepare() error {
	upper, work := filepath.Join(m.dir, "upper"), filepath.Join(m.dir, "work")
	for _, dir := range []string{m.root, upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot prepare host %s: %w", m.host.Name, err)
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", m.k.spec.Base, upper, work)
	if err := unix.Mount("overlay", m.root, "overlay", 0, layers); err != nil {
		if out, err := m.k.output(context.Background(), "cp", "-a", "--reflink=auto",
			m.k.spec.Base+"/.", m.root); err != nil {
			return fmt.Errorf("cannot copy the base system for host %s: %w: %s", m.host.Name, err, out)
		}
	}
	if err := m.identify(); err != nil {
		return fmt.Errorf("cannot give host %s its name and address: %w", m.host.Name, err)
	}
	return nil
}

func (m *machine) identify() error {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	var hosts strings.Builder
	hosts.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	for _, h := range m.k.spec.Hosts {
		fmt.Fprintf(&hosts, "%s %s\n", h.Addr.Addr(), h.Name)
	}
	return errors.Join(
		m.write("etc/machine-id", fmt.Sprintf("%x\n", id)),
		m.write("etc/hostname", m.host.Name+"\n"),
		m.write("etc/hosts", hosts.String()),
		// Must sort before 80-container-host0.network, which asks for DHCP.
		m.write("etc/systemd/network/10-host0.network", fmt.Sprintf(
			"[Match]\nName=host0\n\n[Network]\nAddress=%s\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n", m.host.Addr)),
	)
}

func (m *machine) write(path, text string) error {
	return os.WriteFile(filepath.Join(m.root, path), []byte(text), 0o644)
}

func (m *machine) unmount() error {
	if err := unix.Unmount(m.root, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) &&
		!errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cannot unmount host %s: %w", m.host.Name, err)
	}
	return nil
}

// power does opOff, opOn and opCut and returns when the host is off, or up again.
func (m *machine) power(ctx context.Context, o op) error {
	if o == opOff || o == opCut {
		m.powerOff(o)
	}
	if o == opOn || o == opCut {
		return m.powerOn(ctx)
	}
	return nil
}

// powerOff ends the host as loss of power does: none of its processes gets to run
// another instruction.
func (m *machine) powerOff(how op) {
	m.mu.Lock()
	if m.cmd == nil {
		m.mu.Unlock()
		return
	}
	m.want = how
	gone := m.gone
	if init := initBelow(m.cmd.Process.Pid); init != 0 {
		_ = unix.Kill(init, unix.SIGKILL) // takes its whole pid namespace along
	} else {
		_ = m.cmd.Process.Kill()
	}
	m.mu.Unlock()
	<-gone
}

// powerOn starts the host and waits until it has booted. It does nothing to a host
// that is on.
func (m *machine) powerOn(ctx context.Context) error {
	m.mu.Lock()
	if m.cmd == nil {
		if err := m.start(); err != nil {
			m.mu.Unlock()
			return err
		}
		m.gone = make(chan struct{})
		m.ended.Go(m.attend)
	}
	m.mu.Unlock()
	return m.waitReady(ctx)
}

// start runs systemd-nspawn; the caller holds the lock.
func (m *machine) start() error {
	group := filepath.Join(m.k.cgroup(), m.host.Name)
	if err := os.MkdirAll(group, 0o755); err != nil {
		return fmt.Errorf("cannot make a cgroup for host %s: %w", m.host.Name, err)
	}
	cgroup, err := os.Open(group)
	if err != nil {
		return fmt.Errorf("cannot open the cgroup of host %s: %w", m.host.Name, err)
	}
	defer cgroup.Close()
	console, err := os.OpenFile(m.console(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("cannot open the console log of host %s: %w", m.host.Name, err)
	}
	defer console.Close()

	cmd := exec.Command("systemd-nspawn", "--quiet", "--directory="+m.root, "--boot", "--register=no", "--keep-unit",
		"--machine="+m.host.Name, "--network-bridge="+bridge, "--settings=no", "--link-journal=no",
		"--resolv-conf=off", "--timezone=off", "--console=pipe",
		"--system-call-filter=~@swap") // swap is the machine's, not the host's
	cmd.Env = []string{"PATH=" + hostPath}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	if err := m.k.reaper.start(cmd); err != nil {
		return fmt.Errorf("cannot start host %s: %w", m.host.Name, err)
	}
	m.cmd, m.want = cmd, ""
	m.st.State, m.st.Init, m.st.Why = Booting, 0, ""
	m.st.Boots++
	return nil
}

// attend waits for the host to end, and starts it again when it asked for that.
func (m *machine) attend() {
	for {
		m.mu.Lock()
		cmd := m.cmd
		m.mu.Unlock()
		// The exit code says what happened; an error that is not one means the same as Off.
		_ = m.k.reaper.wait(cmd)
		m.mu.Lock()
		if m.want == "" && cmd.ProcessState.ExitCode() == exitReboot {
			if err := m.start(); err == nil {
				m.mu.Unlock()
				continue
			}
		}
		booted := m.st.State == Ready
		m.cmd = nil
		m.st.State, m.st.Init = Off, 0
		if m.want == "" && !booted {
			m.st.State, m.st.Why = Broken, fmt.Sprintf("systemd-nspawn ended with %v:\n%s",
				cmd.ProcessState, m.consoleTail())
		}
		close(m.gone)
		m.mu.Unlock()
		return
	}
}

func (m *machine) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, bootTimeout, fmt.Errorf("not up after %v", bootTimeout))
	defer cancel()
	for {
		if done, err := m.lookReady(ctx); done {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot boot host %s: %w:\n%s", m.host.Name, context.Cause(ctx), m.consoleTail())
		case <-time.After(bootPoll):
		}
	}
}

// lookReady asks the host's systemd whether it has finished booting.
func (m *machine) lookReady(ctx context.Context) (done bool, err error) {
	m.mu.Lock()
	state, why, cmd := m.st.State, m.st.Why, m.cmd
	m.mu.Unlock()
	switch {
	case state == Ready:
		return true, nil
	case cmd == nil:
		return true, fmt.Errorf("cannot boot host %s: %s", m.host.Name, why)
	}
	init := initBelow(cmd.Process.Pid)
	if init == 0 {
		return false, nil
	}
	out, _ := m.k.output(ctx, "nsenter", "--target", strconv.Itoa(init), "--all", "--root", "systemctl",
		"is-system-running", "--wait")
	switch string(bytes.TrimSpace(out)) {
	case "running", "degraded":
	default:
		return false, nil // not yet listening, or still starting
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd == cmd {
		m.st.State, m.st.Init = Ready, init
	}
	return m.cmd == cmd, nil
}

func (m *machine) console() string { return filepath.Join(m.dir, "console.log") }

func (m *machine) consoleTail() string {
	data, err := os.ReadFile(m.console())
	if err != nil {
		return err.Error()
	}
	return lastLines(data, 15)
}
