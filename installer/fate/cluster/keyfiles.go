package cluster

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"fate-installer/installer/fate/keys"
)

// KeyFiles are the TLS files of a rollsite under upstream's names. "Client" is the identity this rollsite shows to its
// peer, which the peer's CA has issued.
type KeyFiles struct {
	CA         string // signs the clients we accept
	ServerCert string
	ServerKey  string // PKCS#8; eggroll reads no other form
	PeerCA     string // signs the peer's server
	ClientCert string
	ClientKey  string
}

// KeyFiles gives the paths on this host.
func (s *Spec) KeyFiles() KeyFiles {
	file := func(name string) string { return path.Join(s.Layout.Keys(), string(s.Role)+"-"+name) }
	return KeyFiles{
		CA: file("ca.pem"), ServerCert: file("server.pem"), ServerKey: file("server.key"),
		PeerCA: file("client-ca.pem"), ClientCert: file("client-client.pem"), ClientKey: file("client-client.key"),
	}
}

// Paths lists the six files.
func (k KeyFiles) Paths() []string {
	return []string{k.CA, k.ServerCert, k.ServerKey, k.PeerCA, k.ClientCert, k.ClientKey}
}

// NeedsKeys reports whether a rollsite that uses TLS runs on this host.
func (s *Spec) NeedsKeys() bool { return s.Runs(Rollsite) && s.Side.Secure() }

// KeyRequest collects the sides that use TLS and the addresses their certificates must be valid for.
func (c *Cluster) KeyRequest() (keys.Request, error) {
	var req keys.Request
	for _, s := range c.Sides() {
		if !s.Secure() {
			continue
		}
		side := keys.Side{Role: string(s.Role)}
		add := func(names ...string) {
			for _, n := range names {
				if n != "" && !slices.Contains(side.Names, n) {
					side.Names = append(side.Names, n)
				}
			}
		}
		add(s.Rollsite.IPs...)
		add(s.Rollsite.PublicNames...)
		// a balancer or a translated address in a peer's route is not among the side's own
		for _, peer := range c.Sides() {
			if peer != s && peer.Secure() {
				add(peer.securePeerAddress(s)...)
			}
		}
		req.Sides = append(req.Sides, side)
	}
	if len(req.Sides) == 0 {
		return req, errors.New("cannot make keys: no side of the cluster file uses TLS")
	}
	req.SharedCA = len(req.Sides) > 1
	return req, nil
}

// securePeerAddress lists the addresses under which a side's secure routes reach target.
func (s *Side) securePeerAddress(target *Side) []string {
	var out []string
	for _, p := range s.Rollsite.RouteTables {
		if p.ID != target.ID() && p.ID != partyDefault {
			continue
		}
		for _, r := range p.Routes {
			if r.IsSecure {
				out = append(out, r.IP)
			}
		}
	}
	return out
}

// KeyNames lists what the certificate of a side's rollsite has to be valid for.
func (c *Cluster) KeyNames(role Role) ([]string, error) {
	req, err := c.KeyRequest()
	if err != nil {
		return nil, err
	}
	for _, side := range req.Sides {
		if side.Role == string(role) {
			return side.Names, nil
		}
	}
	return nil, fmt.Errorf("cannot name the keys of the %s: it does not use TLS", role)
}
