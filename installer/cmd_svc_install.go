package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/supervisor"

	"github.com/kardianos/service"
	"github.com/spf13/cobra"
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

func newSvcInstallCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "install",
		Short: "Have the host start the supervisor at boot, and start it now",
		Long: `Have the host's init start the supervisor at boot, and start it now: with systemd by the unit fate-supervisor, else by
what the host's init is (System V, upstart, OpenRC). Where process 1 starts no programs, as in a container, it is refused
with the line that is to be run instead. An existing one is replaced; a supervisor that runs goes on.

With --root only the systemd unit is written into that tree.

EXIT STATUS
  0    done
  1    the host's init refused`,
		Example: `  fate-installer svc install
  fate-installer --base /srv/fate svc install`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return installSupervisor(cmd.Context(), g) },
	}
}

func newSvcUninstallCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the supervisor with all programs, and take it out of the boot",
		Long: `Stop the supervisor and with it all programs, dependants first, and take it out of the boot.

EXIT STATUS
  0    done; also: it was not installed
  1    the host's init refused`,
		Example: `  fate-installer svc uninstall`,
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return uninstallSupervisor(g) },
	}
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
func (noProgram) Stop(service.Service) error  { return nil }

// installSupervisor registers the supervisor with the host's init and starts it.
func installSupervisor(ctx context.Context, g *globals) error {
	l := g.layout()
	h, err := host.New(g.Root, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	if !h.IsSystem() {
		return writeUnit(h, supervisorUnit(l))
	}
	if err := noBoot(h, l); err != nil {
		return err
	}
	s, err := newBootService(l)
	if err != nil {
		return err
	}
	if h.Exists(s.file.Path) {
		err = replaceUnit(ctx, h, s)
	} else {
		err = s.Install()
	}
	if err != nil {
		return fmt.Errorf("cannot install the boot unit for %s: %w", s.Platform(), err)
	}
	if !s.running() {
		began := time.Now().Truncate(time.Second)
		if err := s.Start(); err != nil {
			return exit.Hint(step.UnitFailure(ctx, h, supervisor.UnitName, l.SupervisorLog(), began, err), s.logHint())
		}
	}
	g.printf("the supervisor is running and starts at boot (%s)\n", s.Platform())
	return nil
}

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

// uninstallSupervisor stops the supervisor and removes it from the boot.
func uninstallSupervisor(g *globals) error {
	l := g.layout()
	h, err := host.New(g.Root, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	if !h.IsSystem() {
		if err := h.Remove(supervisorUnit(l).Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove the boot unit: %w", err)
		}
		return nil
	}
	s, err := newBootService(l)
	if err != nil {
		return err
	}
	if !h.Exists(s.file.Path) {
		g.printf("the supervisor is not installed\n")
		return nil
	}
	if s.running() {
		if err := s.Stop(); err != nil {
			return fmt.Errorf("cannot stop the supervisor: %w", err)
		}
	}
	if err := s.Uninstall(); err != nil {
		return fmt.Errorf("cannot remove the boot unit: %w", err)
	}
	if s.Platform() == systemVPlatform {
		if err := removeRunLevelLinks(h); err != nil {
			return err
		}
	}
	g.printf("the supervisor is stopped and no longer starts at boot\n")
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
