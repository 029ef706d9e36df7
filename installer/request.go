package main

import (
	"errors"
	"fmt"
	"io/fs"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// request combines the flags, the cluster files and the stored site, before it is held against the host.
type request struct {
	site   deploy.Site
	stored *deploy.Site // what is installed, or nil
}

// readRequest merges the command line with what is installed: flags and cluster files win, the stored site fills in.
// With neither it fails with deploy.ErrNotInstalled and a hint.
func readRequest(g *globals, h *host.Host, opts wantedOptions) (*request, error) {
	layout := g.layout()
	stored, err := deploy.LoadSite(h, layout)
	if err != nil && !errors.Is(err, deploy.ErrNotInstalled) {
		return nil, err
	}
	sources, err := readSources(g)
	if err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	skipped, err := opts.skipped()
	if err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	asked := deploy.Site{Schema: deploy.SiteSchema, Role: g.Role, Party: g.Party, IP: g.IP, User: g.User,
		Group: g.Group, Peer: opts.peer, Sources: sources, SkipOS: skipped}
	if stored == nil {
		if g.Role == "" && len(sources) == 0 {
			return nil, exit.With(
				exit.Hint(fmt.Errorf(
					"cannot tell what this host is: %w below %s, and neither --role nor --config was given",
					deploy.ErrNotInstalled, g.Base),
					"fate-installer --role host --party 10000, or --config with a cluster file"), exit.Usage)
		}
		if g.Party == 0 && len(sources) == 0 && g.Role != string(cluster.RoleExchange) {
			return nil, exit.With(
				exit.Hint(fmt.Errorf("cannot tell which party this host is: --role %s was given without --party",
					g.Role),
					"fate-installer --role "+g.Role+" --party 10000"), exit.Usage)
		}
		return &request{site: asked}, nil
	}
	if err := asked.FillFrom(stored, installOf(sources)); err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	return &request{site: asked, stored: stored}, nil
}

// installed gives the Spec of the installation on this host, for the commands that work on one.
func installed(g *globals) (*cluster.Spec, error) {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	layout := g.layout()
	stored, err := deploy.LoadSite(h, layout)
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if err != nil {
		return nil, exit.With(exit.Hint(fmt.Errorf("cannot find an installation below %s: %w", g.Base, err),
			"install first, or name the base directory with --base"), exit.Usage)
	}
	secrets, err := deploy.LoadSecrets(h, layout)
	if err != nil {
		return nil, err
	}
	return stored.Spec(g.Base, host.Identify(h), secrets)
}

func configError(err error) error { return exit.With(err, exit.Usage) }
