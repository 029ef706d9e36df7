package main

import (
	"fate-installer/installer/deploy"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// installed gives the Spec of the installation on this host, for the commands that work on one.
func installed(g *globals) (*cluster.Spec, error) {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	return deploy.InstalledSpec(h, g.Base)
}
