package deploy

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// place is a base directory of a host, as the command at hand works on it. It is what an [Installation] and a
// [Deployment] have in common.
type place struct {
	cmd    Command
	host   *host.Host
	report Reporter
}

// lockPath is held by the command that changes the installation. It is in /run, which a reboot empties.
const lockPath = "/run/fate-installer.lock"

// rootOnly is the mode of a file with passwords.
var rootOnly = host.FileMode{Perm: 0o600, Owner: "root", Group: "root"}

// Close closes the host.
func (p *place) Close() error { return p.host.Close() }

// Layout is where the files of the installation are.
func (p *place) Layout() cluster.Layout { return cluster.Layout{Base: p.cmd.Base} }

// Live reports whether this is the running machine, and no tree.
func (p *place) Live() bool { return p.host.Live() }

// SiteFile is where the stored request is.
func (p *place) SiteFile() string { return filepath.Join(p.Layout().State(), SiteName) }

// JournalPath is where the engine keeps what it did.
func (p *place) JournalPath() string { return journalPath(p.Layout()) }

// begin takes the lock for a command that changes the host; verb is what it cannot do without root.
func (p *place) begin(verb string) (unlock func() error, err error) {
	if err := p.NeedRoot(verb); err != nil {
		return nil, err
	}
	if unlock, err = p.lock(); err != nil {
		return nil, err
	}
	// Without its directory a database that was being exchanged would be taken for one that is yet to be made.
	if err := p.host.MendExchange(p.Layout().DatabaseData()); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot put the database back: %w", err), unlock())
	}
	return unlock, nil
}

// NeedRoot refuses to do what verb says on the running machine without root.
func (p *place) NeedRoot(verb string) error {
	if p.host.IsSystem() && os.Geteuid() != 0 {
		return exit.With(exit.Hint(fmt.Errorf("cannot %s: this needs root", verb), p.cmd.Sudo), exit.Usage)
	}
	return nil
}

// lock makes this the only run on the host, and removes the locks of the account files that an earlier run left: one
// that was killed while useradd ran may have made the account, so that no step runs useradd again.
func (p *place) lock() (unlock func() error, err error) {
	surviveHangup()
	unlock, err = engine.Lock(p.host, lockPath)
	var locked *engine.LockedError
	if errors.As(err, &locked) {
		return nil, exit.With(err, exit.Locked)
	}
	if err != nil || !p.host.Live() {
		return unlock, err
	}
	if _, err := host.ClearAccountLocks(p.host); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return unlock, nil
}

// surviveHangup lets a command that changes the host go on when its terminal is closed; what it did is in the journal.
func surviveHangup() { signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) }

// undoEnv gives an undo what it works with; the Spec of the installation need not be known any more.
func (p *place) undoEnv() *engine.Env {
	env := &engine.Env{Host: p.host, StateDir: p.Layout().State(), Log: p.cmd.Log}
	if client, err := p.cmd.Client(p.host, p.Layout().SupervisorSocket()); err == nil { // not of a tree
		env.Services = programs.NewServices(client, nil, nil, nil)
	}
	return env
}
