package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/supervisor"

	"github.com/kardianos/service"
)

// bootUnit is the file by which the host's init runs the supervisor.
type bootUnit struct {
	Name    string // with its suffix
	Path    string
	Content []byte
	Perm    uint32
}

// supervisorUnit describes the supervisor's unit of systemd for the paths of an installation.
func supervisorUnit(l cluster.Layout) bootUnit {
	file, content := unitOf(l).Systemd()
	return bootUnit{Name: supervisor.UnitName + ".service", Path: file, Content: content, Perm: 0o644}
}

func unitOf(l cluster.Layout) supervisor.Unit {
	return supervisor.Unit{Executable: l.Binary(), Base: l.Base}
}

// bootService is the supervisor as the host's init sees it, and the file that registers it there.
type bootService struct {
	service.Service
	file bootUnit
}

// Names of inits in kardianos/service.
const (
	systemdPlatform = "linux-systemd"
	upstartPlatform = "linux-upstart"
	openRCPlatform  = "linux-openrc"
	systemVPlatform = "unix-systemv"
)

// otherInits are the inits besides systemd: what supervisor calls them, and the option of kardianos/service for a
// script.
var otherInits = map[string]struct {
	kind   supervisor.Init
	option string
}{
	upstartPlatform: {supervisor.Upstart, "UpstartScript"},
	openRCPlatform:  {supervisor.OpenRC, "OpenRCScript"},
	systemVPlatform: {supervisor.SystemV, "SysvScript"},
}

// newBootService finds out which init the host has.
func newBootService(l cluster.Layout) (*bootService, error) {
	b := &bootService{file: supervisorUnit(l)}
	options := service.KeyValue{"SystemdScript": string(b.file.Content)}
	platform := service.Platform()
	if platform != systemdPlatform {
		other, ok := otherInits[platform]
		if !ok {
			return nil, exit.Hint(fmt.Errorf("cannot start the supervisor at boot: this host's init is %q", platform),
				"have the host run at boot: "+preflight.BootLine(l))
		}
		b.file.Path, b.file.Content, b.file.Perm = unitOf(l).Script(other.kind)
		options[other.option] = string(b.file.Content)
	}
	u := unitOf(l)
	var err error
	b.Service, err = service.New(noProgram{}, &service.Config{
		Name: supervisor.UnitName, DisplayName: "FATE supervisor",
		Description: "Supervisor of the FATE programs on this host",
		Executable:  u.Executable, Arguments: u.Arguments(), Option: options,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot find the host's init: %w", err)
	}
	return b, nil
}

// running reports whether the host's init runs the supervisor. Some fail for a service that does not run.
func (b *bootService) running() bool {
	status, err := b.Status()
	return err == nil && status == service.StatusRunning
}

// logHint says where the init tells more of a start that failed.
func (b *bootService) logHint() string {
	if b.Platform() == systemdPlatform {
		return "systemctl status " + supervisor.UnitName
	}
	return "what it says in the foreground: fate-installer svc run"
}

// noProgram satisfies kardianos/service, which here only installs: the unit runs fate-installer svc run.
type noProgram struct{}

func (noProgram) Start(service.Service) error { return nil }

func (noProgram) Stop(service.Service) error { return nil }

// replaceUnit brings an installed unit up to date. A running supervisor keeps running: what the unit says of it
// holds from its next start.
func replaceUnit(ctx context.Context, h *host.Host, s *bootService) error {
	if err := writeUnit(h, s.file); err != nil {
		return err
	}
	if s.Platform() != systemdPlatform {
		return nil
	}
	for _, args := range [][]string{{"systemctl", "daemon-reload"}, {"systemctl", "enable", supervisor.UnitName}} {
		if _, err := h.Run(ctx, host.Cmd{Args: args}); err != nil {
			return err
		}
	}
	return nil
}

func writeUnit(h *host.Host, u bootUnit) error {
	err := h.MkdirAll(path.Dir(u.Path), host.FileMode{Perm: 0o755})
	if err == nil {
		err = h.WriteFile(u.Path, u.Content, host.FileMode{Perm: fs.FileMode(u.Perm)})
	}
	if err != nil {
		return fmt.Errorf("cannot write the boot unit: %w", err)
	}
	return nil
}

// removeRunLevelLinks removes the links to System V's script, which kardianos/service makes and then leaves behind.
func removeRunLevelLinks(h *host.Host) error {
	for _, level := range []string{"K02:0", "K02:1", "S50:2", "S50:3", "S50:4", "S50:5", "K02:6"} {
		order, n, _ := strings.Cut(level, ":")
		err := h.Remove("/etc/rc" + n + ".d/" + order + supervisor.UnitName)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot take the supervisor out of the run levels: %w", err)
		}
	}
	return nil
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
