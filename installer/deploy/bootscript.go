package deploy

import (
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
func (d *Deployment) bootScript() *step.BootScript {
	boot := host.BootOf(d.host)
	kind, ok := initOf[boot]
	if !ok {
		return nil
	}
	l := d.Layout()
	b := &step.BootScript{Name: supervisor.UnitName, Boot: boot, Line: preflight.BootLine(l), Log: l.SupervisorLog()}
	b.Path, b.Content, b.Perm = supervisor.Unit{Executable: l.Binary(), Base: l.Base}.Script(kind)
	if boot == host.BootNone {
		b.Path, b.Perm = "", 0
	}
	return b
}
