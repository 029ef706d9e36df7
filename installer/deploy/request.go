package deploy

import (
	"errors"
	"fmt"
	"io/fs"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// ReadRequest merges what is asked of a host with what is installed below a base directory: flags and cluster files
// win, the stored site, which is nil when nothing is installed, fills in. With neither it fails with ErrNotInstalled
// and a hint. asked is called when what is installed is known.
func ReadRequest(h *host.Host, base string, asked func() (Site, error)) (site Site, stored *Site, err error) {
	stored, err = LoadSite(h, cluster.Layout{Base: base})
	if err != nil && !errors.Is(err, ErrNotInstalled) {
		return site, nil, err
	}
	site, err = asked()
	if err != nil {
		return site, nil, exit.With(err, exit.Usage)
	}
	if stored == nil {
		if site.Role == "" && len(site.Sources) == 0 {
			return site, nil, exit.With(
				exit.Hint(fmt.Errorf(
					"cannot tell what this host is: %w below %s, and neither --role nor --config was given",
					ErrNotInstalled, base),
					"fate-installer --role host --party 10000, or --config with a cluster file"), exit.Usage)
		}
		if site.Party == 0 && len(site.Sources) == 0 && site.Role != cluster.RoleExchange {
			return site, nil, exit.With(
				exit.Hint(fmt.Errorf("cannot tell which party this host is: --role %s was given without --party",
					site.Role),
					"fate-installer --role "+string(site.Role)+" --party 10000"), exit.Usage)
		}
		return site, nil, nil
	}
	if err := site.fillFrom(stored, WrittenInstall(site.Sources)); err != nil {
		return site, nil, exit.With(err, exit.Usage)
	}
	return site, stored, nil
}

// WrittenInstall returns the cluster files' settings for the installation itself. It is blank when there are none, and
// for files with mistakes, which are reported when the files are used.
func WrittenInstall(sources []Source) cluster.Install {
	if len(sources) == 0 {
		return cluster.Install{}
	}
	c, err := (&Site{Sources: sources}).writtenCluster(host.Identity{})
	if err != nil {
		return cluster.Install{}
	}
	return c.Install
}

// InstalledSpec gives the Spec of the installation below a base directory, for what works on one.
func InstalledSpec(h *host.Host, base string) (*cluster.Spec, error) {
	stored, err := LoadSite(h, cluster.Layout{Base: base})
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if err != nil {
		return nil, exit.With(exit.Hint(fmt.Errorf("cannot find an installation below %s: %w", base, err),
			"install first, or name the base directory with --base"), exit.Usage)
	}
	return storedSpec(h, base, stored)
}

// storedSpec is the Spec of a site on a host, with the passwords that are stored there.
func storedSpec(h *host.Host, base string, s *Site) (*cluster.Spec, error) {
	secrets, err := LoadSecrets(h, cluster.Layout{Base: base})
	if err != nil {
		return nil, err
	}
	return s.spec(base, host.Identify(h), secrets)
}
