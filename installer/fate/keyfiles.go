package fate

import (
	"path"
	"slices"
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
func (s *Spec) NeedsKeys() bool { return s.Runs(Rollsite) && s.Side.secure() }

// InstalledKeys turns key files that CheckKeys has accepted into files of this host. Others are left out.
func (s *Spec) InstalledKeys(files []NamedFile) []File {
	var out []File
	for _, f := range files {
		name := path.Join(s.Layout.Keys(), f.Name)
		if !slices.Contains(s.KeyFiles().Paths(), name) {
			continue
		}
		out = append(out, File{
			Path: name, Content: f.Content, Perm: permSecret, Given: true,
			Secret: path.Ext(f.Name) == ".key", Component: "eggroll", Programs: s.running(Rollsite),
		})
	}
	return out
}
