package deploy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/peer"
)

// RollsiteTLS gives what a side's rollsite shows and trusts as a client, and what one of its servers does.
func RollsiteTLS(spec *cluster.Spec, files []keys.File) (*peer.Identity, *tls.Config, error) {
	content := func(file string) []byte {
		want := string(spec.Role) + "-" + file
		i := slices.IndexFunc(files, func(f keys.File) bool { return f.Name == want })
		if i < 0 {
			return nil
		}
		return files[i].Content
	}
	id := &peer.Identity{Roots: x509.NewCertPool()}
	if !id.Roots.AppendCertsFromPEM(content("client-ca.pem")) {
		return nil, nil, errors.New("cannot use the keys: there is no certificate of the peer's CA among them")
	}
	client, err := tls.X509KeyPair(content("client-client.pem"), content("client-client.key"))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use the identity that this side shows: %w", err)
	}
	id.Certificate = &client
	own, err := tls.X509KeyPair(content("server.pem"), content("server.key"))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use the certificate of this side's rollsite: %w", err)
	}
	// As a rollsite does: who shows a certificate has to show a good one, and client_auth demands one.
	server := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12,
		ClientCAs: x509.NewCertPool(), ClientAuth: tls.VerifyClientCertIfGiven}
	server.ClientCAs.AppendCertsFromPEM(content("ca.pem"))
	if spec.Side.Rollsite.ClientAuth {
		server.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return id, server, nil
}
