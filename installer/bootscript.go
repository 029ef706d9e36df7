package main

import (
	"errors"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/supervisor"
)

// initOf says what supervisor calls a kind of boot. Where nothing starts programs at boot, System V's script starts and
// stops the supervisor, and lies nowhere.
var initOf = map[host.Boot]supervisor.Init{
	host.BootSystemV: supervisor.SystemV, host.BootOpenRC: supervisor.OpenRC, host.BootUpstart: supervisor.Upstart,
	host.BootNone: supervisor.SystemV,
}

// bootScript is the step that has a host without systemd run the supervisor; nil with systemd.
func (d *deployment) bootScript() *step.BootScript {
	boot := host.BootOf(d.host)
	kind, ok := initOf[boot]
	if !ok {
		return nil
	}
	l := d.layout()
	b := &step.BootScript{Name: supervisor.UnitName, Boot: boot, Line: preflight.BootLine(l), Log: l.SupervisorLog()}
	b.Path, b.Content, b.Perm = unitOf(l).Script(kind)
	if boot == host.BootNone {
		b.Path, b.Perm = "", 0
	}
	return b
}

// noBoot refuses to register the supervisor where nothing starts programs at boot.
func noBoot(h *host.Host, l cluster.Layout) error {
	if host.BootOf(h) != host.BootNone {
		return nil
	}
	return exit.Hint(
		errors.New("cannot have the supervisor started at boot: process 1 of this host starts no programs"),
		"have the host run at boot: "+preflight.BootLine(l))
}
