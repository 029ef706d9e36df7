package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/supervisor"

	"github.com/spf13/cobra"
)

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
