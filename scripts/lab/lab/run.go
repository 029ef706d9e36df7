package lab

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

// hostPath is the PATH of commands in hosts, that of a login of root.
const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Cmd is a command to run as root in a host.
type Cmd struct {
	Args []string
	// NAME=VALUE on top of PATH, HOME, LANG and TERM; nothing of the caller's environment gets in
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run runs a command in a host and waits for it. The host's systemd starts it, with
// what a container's root may do, so that it cannot reach the machine below; what
// it leaves running in the background lives on. A command that ran and failed gives
// an error that unwraps to [*exec.ExitError]. When ctx ends, the command is killed.
func (l *Lab) Run(ctx context.Context, host string, c Cmd) error {
	if len(c.Args) == 0 {
		return errors.New("cannot run nothing: give a command")
	}
	keeper, init, err := l.find(host)
	if err != nil {
		return err
	}
	unit := "lab-run-" + rand.Text()
	cmd := enterHost(context.WithoutCancel(ctx), keeper, init, runArgs(unit, c)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.WaitDelay = 5 * time.Second // for a daemon that keeps our pipe open
	if err = ctx.Err(); err == nil {
		err = cmd.Start()
	}
	if err == nil {
		ended := make(chan struct{})
		stop := context.AfterFunc(ctx, func() { killUnit(keeper, init, unit, cmd, ended) })
		err = cmd.Wait()
		close(ended)
		stop()
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("cannot run %q in host %s: %w", strings.Join(c.Args, " "), host, err)
	}
	return nil
}

// killTimeout is for a host whose systemd does not answer.
const killTimeout = time.Minute

// killUnit kills what a unit of a host runs, again and again until cmd, the systemd-run that waits for the unit, has
// ended. One that has not yet asked for its unit is waited for: what it starts would run unseen.
func killUnit(keeper, init int, unit string, cmd *exec.Cmd, ended <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout) // that of the command is over
	defer cancel()
	for {
		// fails while the host does not know the unit yet, or no more
		_ = enterHost(ctx, keeper, init, "systemctl", "kill", "--signal=KILL", unit).Run()
		select {
		case <-ended:
			return
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// runArgs is the command line with which a host's systemd is asked to run c.
func runArgs(unit string, c Cmd) []string {
	args := []string{"systemd-run", "--quiet", "--collect", "--wait", "--service-type=exec", "--unit=" + unit,
		"--property=KillMode=process", "--property=TasksMax=infinity", "--working-directory=/root"}
	if onTerminal(c) {
		args = append(args, "--pty")
	} else {
		args = append(args, "--pipe")
	}
	for _, e := range append([]string{"PATH=" + hostPath, "HOME=/root", "LANG=C.UTF-8", "TERM=" + terminal()},
		c.Env...) {
		args = append(args, "--setenv="+e)
	}
	args = append(args, "--")
	for _, a := range c.Args {
		// systemd replaces $NAME in arguments, and takes $$ for a dollar sign.
		args = append(args, strings.ReplaceAll(a, "$", "$$"))
	}
	return args
}

func onTerminal(c Cmd) bool {
	in, ok1 := c.Stdin.(*os.File)
	out, ok2 := c.Stdout.(*os.File)
	return ok1 && ok2 && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}

func terminal() string {
	if name := os.Getenv("TERM"); name != "" {
		return name
	}
	return "dumb"
}

// find returns the pids of the keeper, as this process sees it, and of the host's
// init, as the keeper does.
func (l *Lab) find(host string) (keeper, init int, err error) {
	r, keeper, err := ask(l.dir, request{Op: opStatus})
	if err != nil {
		return 0, 0, err
	}
	for _, h := range r.Hosts {
		if h.Name != host {
			continue
		}
		if h.Init == 0 {
			return 0, 0, fmt.Errorf("cannot run a command in host %s: it is %s", host, h.State)
		}
		return keeper, h.Init, nil
	}
	return 0, 0, fmt.Errorf("cannot find host %q in lab %s", host, l.name)
}

// Output runs a command in a host and returns what it printed to standard output.
// A failure carries what it printed to standard error.
func (l *Lab) Output(ctx context.Context, host string, args ...string) (string, error) {
	var out, errOut bytes.Buffer
	err := l.Run(ctx, host, Cmd{Args: args, Stdout: &out, Stderr: &errOut})
	if err != nil && errOut.Len() > 0 {
		err = fmt.Errorf("%w:\n%s", err, lastLines(errOut.Bytes(), 20))
	}
	return out.String(), err
}

// NetCommand returns a command that will run outside the hosts, in the lab's own
// network: tcpdump on br0, tc or ip on a host's cable, which is called vb-HOST.
func (l *Lab) NetCommand(ctx context.Context, args ...string) (*exec.Cmd, error) {
	if len(args) == 0 {
		return nil, errors.New("cannot run nothing: give a command")
	}
	_, keeper, err := ask(l.dir, request{Op: opStatus})
	if err != nil {
		return nil, err
	}
	return enter(ctx, keeper, args), nil
}

// enter returns a command in the keeper's namespaces. The root is asked for besides: where the lab is run in a chroot,
// the root of a mount namespace is another than that of the processes in it.
func enter(ctx context.Context, keeper int, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter",
		append([]string{"--target", strconv.Itoa(keeper), "--all", "--root", "--"}, args...)...)
	cmd.Env = []string{"PATH=" + hostPath, "HOME=/root", "LANG=C.UTF-8", "TERM=" + terminal()}
	return cmd
}

// enterHost returns a command in a host's namespaces. It goes through the keeper's,
// since only there has the host's init the number that the keeper knows. The command
// has all rights of the machine's root: it is for tools that talk to the host's
// systemd.
func enterHost(ctx context.Context, keeper, init int, args ...string) *exec.Cmd {
	return enter(ctx, keeper, append([]string{"nsenter", "--target", strconv.Itoa(init), "--all", "--root",
		"--wdns=/root", "--"}, args...))
}

// CopyTo copies a file of this machine into a host, with its permission bits. A
// target that ends in "/" is a directory.
func (l *Lab) CopyTo(ctx context.Context, file, host, target string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("cannot copy into host %s: %w", host, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot copy %s into host %s: %w", file, host, err)
	}
	if strings.HasSuffix(target, "/") {
		target = path.Join(target, info.Name())
	}
	const script = `set -e; cat >"$1.part"; chmod "$2" "$1.part"; mv -T "$1.part" "$1"`
	var errOut bytes.Buffer
	err = l.Run(ctx, host, Cmd{
		Args:  []string{"sh", "-c", script, "sh", target, fmt.Sprintf("%o", info.Mode().Perm())},
		Stdin: f, Stderr: &errOut,
	})
	if err != nil {
		return fmt.Errorf("cannot copy %s to %s:%s: %w: %s", file, host, target, err, lastLines(errOut.Bytes(), 3))
	}
	return nil
}

// CopyFrom copies a file of a host to this machine.
func (l *Lab) CopyFrom(ctx context.Context, host, source, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("cannot copy from host %s: %w", host, err)
	}
	var errOut bytes.Buffer
	err = l.Run(ctx, host, Cmd{Args: []string{"cat", "--", source}, Stdout: f, Stderr: &errOut})
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot copy %s:%s to %s: %w: %s", host, source, file, err, lastLines(errOut.Bytes(), 3))
	}
	return nil
}

// Reboot has a host shut down in order and boot again, and returns when it is up.
func (l *Lab) Reboot(ctx context.Context, host string) error {
	before, err := l.hostStatus(host)
	if err != nil {
		return err
	}
	if _, err := l.Output(ctx, host, "systemctl", "--no-block", "reboot"); err != nil {
		return err
	}
	for {
		now, err := l.hostStatus(host)
		if err != nil {
			return err
		}
		switch {
		case now.Boots > before.Boots:
			return l.On(host) // waits for the boot that is under way
		case now.State == Off || now.State == Broken:
			return fmt.Errorf("cannot reboot host %s: it is %s %s", host, now.State, now.Why)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot see host %s reboot: %w", host, context.Cause(ctx))
		case <-time.After(bootPoll):
		}
	}
}

func (l *Lab) hostStatus(host string) (HostStatus, error) {
	hosts, err := l.Hosts()
	if err != nil {
		return HostStatus{}, err
	}
	for _, h := range hosts {
		if h.Name == host {
			return h, nil
		}
	}
	return HostStatus{}, fmt.Errorf("cannot find host %q in lab %s", host, l.name)
}
