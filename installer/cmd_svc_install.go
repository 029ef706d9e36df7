package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/kardianos/service"
	"github.com/spf13/cobra"

	"fate-installer/installer/fate"
	"fate-installer/installer/host"
	"fate-installer/supervisor"
)

// bootUnit is the systemd unit that runs the supervisor.
type bootUnit struct {
	Name    string // with its suffix
	Path    string
	Content []byte
}

// supervisorUnit describes the supervisor's boot unit for the paths of an installation.
func supervisorUnit(l fate.Layout) bootUnit {
	file, content := unitOf(l).Systemd()
	return bootUnit{Name: supervisor.UnitName + ".service", Path: file, Content: content}
}

func unitOf(l fate.Layout) supervisor.Unit {
	return supervisor.Unit{Executable: l.Binary(), Base: l.Base}
}

func newSvcInstallCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "install",
		Short: "Have the host start the supervisor at boot, and start it now",
		Long: `Have the host's init start the supervisor at boot, and start it now: with systemd by the unit fate-supervisor, else by
what the host's init is (System V, upstart, OpenRC). An existing one is replaced; a supervisor that runs goes on.

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

// bootService is the supervisor as the host's init sees it.
func bootService(l fate.Layout) (service.Service, error) {
	u := unitOf(l)
	_, content := u.Systemd()
	s, err := service.New(noProgram{}, &service.Config{
		Name: supervisor.UnitName, DisplayName: "FATE supervisor", Description: "Supervisor of the FATE programs on this host",
		Executable: u.Executable, Arguments: u.Arguments(),
		Option: service.KeyValue{"SystemdScript": string(content), "LimitNOFILE": 1048576},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot find the host's init: %w", err)
	}
	return s, nil
}

// noProgram satisfies kardianos/service, which here only installs: the unit runs fate-installer svc run.
type noProgram struct{}

func (noProgram) Start(service.Service) error { return nil }
func (noProgram) Stop(service.Service) error  { return nil }

// installSupervisor registers the supervisor with the host's init and starts it.
func installSupervisor(ctx context.Context, g *globals) error {
	l := g.layout()
	if g.Root != "/" {
		return writeUnit(g, l)
	}
	s, err := bootService(l)
	if err != nil {
		return err
	}
	if status, err := s.Status(); !errors.Is(err, service.ErrNotInstalled) {
		return replaceUnit(ctx, g, l, s, status == service.StatusRunning)
	}
	if err := s.Install(); err != nil {
		return fmt.Errorf("cannot install the boot unit for %s: %w", s.Platform(), err)
	}
	if err := s.Start(); err != nil {
		return withHint(fmt.Errorf("cannot start the supervisor: %w", err), "systemctl status "+supervisor.UnitName)
	}
	g.printf("the supervisor is running and starts at boot (%s)\n", s.Platform())
	return nil
}

// replaceUnit brings an installed unit up to date. A running supervisor keeps running: what the unit says of it
// holds from its next start.
func replaceUnit(ctx context.Context, g *globals, l fate.Layout, s service.Service, running bool) error {
	if s.Platform() == "linux-systemd" {
		if err := writeUnit(g, l); err != nil {
			return err
		}
		h, err := host.New(g.Root, nil)
		if err != nil {
			return err
		}
		defer h.Close()
		for _, args := range [][]string{{"systemctl", "daemon-reload"}, {"systemctl", "enable", supervisor.UnitName}} {
			if _, err := h.Run(ctx, host.Cmd{Args: args}); err != nil {
				return fmt.Errorf("cannot register the boot unit: %w", err)
			}
		}
	}
	if !running {
		if err := s.Start(); err != nil {
			return withHint(fmt.Errorf("cannot start the supervisor: %w", err), "systemctl status "+supervisor.UnitName)
		}
	}
	g.printf("the supervisor is running and starts at boot (%s)\n", s.Platform())
	return nil
}

func writeUnit(g *globals, l fate.Layout) error {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return err
	}
	defer h.Close()
	unit := supervisorUnit(l)
	err = h.MkdirAll(path.Dir(unit.Path), host.FileMode{Perm: 0o755})
	if err == nil {
		err = h.WriteFile(unit.Path, unit.Content, host.FileMode{Perm: 0o644})
	}
	if err != nil {
		return fmt.Errorf("cannot write the boot unit: %w", err)
	}
	return nil
}

// uninstallSupervisor stops the supervisor and removes it from the boot.
func uninstallSupervisor(g *globals) error {
	l := g.layout()
	if g.Root != "/" {
		h, err := host.New(g.Root, nil)
		if err != nil {
			return err
		}
		defer h.Close()
		if err := h.Remove(supervisorUnit(l).Path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot remove the boot unit: %w", err)
		}
		return nil
	}
	s, err := bootService(l)
	if err != nil {
		return err
	}
	status, err := s.Status()
	if errors.Is(err, service.ErrNotInstalled) {
		g.printf("the supervisor is not installed\n")
		return nil
	}
	if status == service.StatusRunning {
		if err := s.Stop(); err != nil {
			return fmt.Errorf("cannot stop the supervisor: %w", err)
		}
	}
	if err := s.Uninstall(); err != nil {
		return fmt.Errorf("cannot remove the boot unit: %w", err)
	}
	g.printf("the supervisor is stopped and no longer starts at boot\n")
	return nil
}
