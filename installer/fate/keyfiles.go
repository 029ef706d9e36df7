package fate

import "path"

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
