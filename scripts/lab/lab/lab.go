package lab

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fate-installer/scripts/cache"

	"golang.org/x/sys/unix"
)

// Config says what lab to make.
type Config struct {
	Name  string
	Hosts []Host
	Suite string    // release of Debian that the hosts have; blank for the common one
	Log   io.Writer // progress of what takes long; nil for none
}

// Lab is a lab that is up, in this process's eyes. Its methods may be called from
// several goroutines at once.
type Lab struct {
	name     string
	dir      string
	lifeline *os.File // nil for a lab of another process
}

// Up makes a lab and returns when all its hosts have booted. The lab ends when this
// process does, or with [Lab.Down]; see [Lab.Detach].
func Up(ctx context.Context, c Config) (*Lab, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("cannot make a lab: it takes root")
	}
	for _, tool := range []string{"systemd-nspawn", "debootstrap", "ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("cannot make a lab: %w (scripts/deps.sh installs it)", err)
		}
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	dir, err := labDir(c.Name)
	if err != nil {
		return nil, err
	}
	lock, err := cache.Lock(dir+".lock", unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, cache.ErrBusy) {
		return nil, fmt.Errorf("cannot make lab %s: it is up already", c.Name)
	} else if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := clear(c.Name, dir); err != nil {
		return nil, err
	}
	baseLock, base, err := lockBase(ctx, cmp.Or(c.Suite, baseSuite), c.Log)
	if err != nil {
		return nil, errors.Join(err, os.Remove(lock.Name()))
	}
	defer baseLock.Close()
	l := &Lab{name: c.Name, dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make lab %s: %w", c.Name, err)
	}
	if err := (spec{Name: c.Name, Base: base, Hosts: c.Hosts}).save(dir); err != nil {
		return nil, err
	}
	if err := l.startKeeper(ctx, lock, baseLock); err != nil {
		return nil, fmt.Errorf("cannot make lab %s: %w", c.Name,
			errors.Join(err, clear(c.Name, dir), os.Remove(lock.Name())))
	}
	return l, nil
}

// startKeeper starts this program again as the keeper and waits until it says that
// all hosts are up.
func (l *Lab) startKeeper(ctx context.Context, lock, base *os.File) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	lifeRead, lifeWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer lifeRead.Close()
	reportRead, reportWrite, err := os.Pipe()
	if err != nil {
		lifeWrite.Close()
		return err
	}
	defer reportRead.Close()

	keeper := exec.Command(self)
	keeper.Args = []string{keeperArg0, l.dir}
	keeper.Dir = "/"
	keeper.Env = []string{"PATH=" + hostPath}
	keeper.ExtraFiles = []*os.File{lifeRead, reportWrite, lock, base} // fdLifeline and following
	keeper.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Setsid:     true, // an interrupt from the terminal reaches us, who then end the lifeline
	}
	err = keeper.Start()
	reportWrite.Close()
	if err != nil {
		lifeWrite.Close()
		return fmt.Errorf("cannot start its keeper: %w", err)
	}
	l.lifeline = lifeWrite
	go func() { _ = keeper.Wait() }() // it speaks through its report and its lock

	stop := context.AfterFunc(ctx, func() { lifeWrite.Close() })
	defer stop()
	report, err := io.ReadAll(bufio.NewReader(reportRead))
	if err != nil {
		return fmt.Errorf("cannot read what its keeper reports: %w", err)
	}
	if text := strings.TrimSpace(string(report)); text != "ok" {
		lifeWrite.Close()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return errors.New(text)
	}
	return nil
}

// clear removes what a former lab of the name has left on the machine. The caller
// holds the lab's lock, so no keeper is alive.
func clear(name, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("cannot remove what is left of lab %s: %w", name, err)
	}
	return removeLeftCgroups(name)
}

// Open returns the lab of that name that is up.
func Open(name string) (*Lab, error) {
	dir, err := labDir(name)
	if err != nil {
		return nil, err
	}
	if _, _, err := ask(dir, request{Op: opStatus}); err != nil {
		return nil, err
	}
	return &Lab{name: name, dir: dir}, nil
}

// Name returns the lab's name.
func (l *Lab) Name() string { return l.name }

// Hosts returns the state of all hosts in the order they were given.
func (l *Lab) Hosts() ([]HostStatus, error) {
	r, _, err := ask(l.dir, request{Op: opStatus})
	return r.Hosts, err
}

// Detach lets the lab live on when this process ends.
func (l *Lab) Detach() error {
	_, _, err := ask(l.dir, request{Op: opDetach})
	return err
}

// Off takes the power from a host: its processes end at once, what it wrote stays.
func (l *Lab) Off(host string) error { return l.power(host, opOff) }

// On boots a host that is off and returns when it is up.
func (l *Lab) On(host string) error { return l.power(host, opOn) }

// PowerCut takes the power from a host, gives it back and waits until it is up.
func (l *Lab) PowerCut(host string) error { return l.power(host, opCut) }

func (l *Lab) power(host string, o op) error {
	_, _, err := ask(l.dir, request{Op: o, Host: host})
	return err
}

// Down ends the lab and removes what it had on disk.
func (l *Lab) Down(ctx context.Context) error {
	if l.lifeline != nil {
		defer l.lifeline.Close()
	}
	return Remove(ctx, l.name)
}

// Remove ends the lab of that name, of any maker, and clears up after a keeper
// that was killed. A lab that does not exist is no error.
func Remove(ctx context.Context, name string) error {
	dir, err := labDir(name)
	if err != nil {
		return err
	}
	if _, _, err := ask(dir, request{Op: opDown}); err != nil && !errors.Is(err, errDown) {
		return err
	}
	for {
		lock, err := cache.Lock(dir+".lock", unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			defer lock.Close()
			return errors.Join(clear(name, dir), os.Remove(lock.Name()))
		}
		if !errors.Is(err, cache.ErrBusy) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot see the end of lab %s: %w", name, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Info is one lab in a list.
type Info struct {
	Name  string       `json:"name"`
	Since time.Time    `json:"since"`
	Hosts []HostStatus `json:"hosts"`
}

// List returns the labs that are up. It removes what is left of those whose keeper
// was killed.
func List(ctx context.Context) ([]Info, error) {
	top, err := labsDir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(top)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot list the labs: %w", err)
	}
	var labs []Info
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir := filepath.Join(top, e.Name())
		r, _, err := ask(dir, request{Op: opStatus})
		if err == nil {
			labs = append(labs, Info{Name: e.Name(), Since: r.Since, Hosts: r.Hosts})
			continue
		}
		lock, err := cache.Lock(dir+".lock", unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, cache.ErrBusy) {
			continue // on its way up or down
		} else if err != nil {
			return nil, err
		}
		err = errors.Join(clear(e.Name(), dir), os.Remove(lock.Name()))
		lock.Close()
		if err != nil {
			return nil, err
		}
	}
	return labs, nil
}
