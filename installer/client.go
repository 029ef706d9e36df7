package main

import (
	"sync"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/redact"
	"fate-installer/supervisor/rpc"
)

// newClient returns a client of a host's supervisor that takes secrets out of the lines of logs: the given ones, and
// those of the installation on this host.
func newClient(g *globals, h *host.Host, socket string, secrets ...cluster.Secret) (*rpc.Client, error) {
	c, err := rpc.ClientOf(h, socket)
	if err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	known := sync.OnceValue(func() redact.Redactor { return redact.New(append(hostSecrets(g), secrets...)) })
	c.CleanLogs(func(lines []string) []string {
		if len(lines) == 0 {
			return lines
		}
		return known().Lines(lines)
	})
	return c, nil
}

// hostSecrets lists the secrets of the installation on this host that this process may read: without root, none.
func hostSecrets(g *globals) []cluster.Secret {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return nil
	}
	defer h.Close()
	secrets, _ := deploy.KnownSecrets(h, g.Base) // what is known is better than nothing
	return secrets
}
