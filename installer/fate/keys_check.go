package fate

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// expirySoon is how long before its end a certificate is worth a remark.
const expirySoon = 30 * 24 * time.Hour

// CheckKeys examines the key files of a side, from any source, before they are installed: each is there and readable,
// keys belong to certificates, chains end at the right CA, dates hold, usages fit, and the server's certificate is
// valid for every name a peer calls it by. The second result are remarks that stop nothing.
func CheckKeys(role Role, names []string, files []NamedFile, now time.Time) (problems, remarks Problems) {
	k := &keyChecker{role: role, files: files, now: now}
	if !slices.ContainsFunc(files, func(f NamedFile) bool { return strings.HasPrefix(f.Name, k.name("")) }) {
		problems.add(Pos{}, "use the archive or directory of the "+string(role), "there are no keys of the %s: its files have names such as %s", role, k.name("server.pem"))
		return problems, nil
	}
	ca, peerCA := k.cert("ca.pem"), k.cert("client-ca.pem")
	server, client := k.pair("server.pem", "server.key"), k.pair("client-client.pem", "client-client.key")
	k.authority("ca.pem", ca)
	k.authority("client-ca.pem", peerCA)
	k.chain("server.pem", server, "ca.pem", ca, x509.ExtKeyUsageServerAuth)
	k.chain("client-client.pem", client, "client-ca.pem", peerCA, x509.ExtKeyUsageClientAuth)
	if server != nil {
		for _, name := range names {
			if err := server.VerifyHostname(name); err != nil {
				k.bad("server.pem", "issue it again with "+name+" among its subject alternative names", "it is not valid for %s, by which the peer calls this side", name)
			}
		}
	}
	return k.problems.sorted(), k.remarks.sorted()
}

type keyChecker struct {
	role              Role
	files             []NamedFile
	now               time.Time
	problems, remarks Problems
}

func (k *keyChecker) name(file string) string { return string(k.role) + "-" + file }

func (k *keyChecker) bad(file, fix, format string, args ...any) {
	k.problems.add(Pos{File: k.name(file)}, fix, format, args...)
}

func (k *keyChecker) content(file string) []byte {
	i := slices.IndexFunc(k.files, func(f NamedFile) bool { return f.Name == k.name(file) })
	if i < 0 {
		k.bad(file, "add it under this name", "the file is missing")
		return nil
	}
	return k.files[i].Content
}

func (k *keyChecker) cert(file string) *x509.Certificate {
	data := k.content(file)
	if data == nil {
		return nil
	}
	cert, err := parseCert(data)
	if err != nil {
		k.bad(file, "replace it by a PEM certificate", "%v", err)
		return nil
	}
	switch left := cert.NotAfter.Sub(k.now); {
	case left < 0:
		k.bad(file, "renew it", "it expired on %s", cert.NotAfter.Format(time.DateOnly))
	case k.now.Before(cert.NotBefore):
		k.bad(file, "check the clock of this host", "it is valid only from %s", cert.NotBefore.Format(time.DateTime))
	case left < expirySoon:
		k.remarks.add(Pos{File: k.name(file)}, "renew it", "it expires on %s", cert.NotAfter.Format(time.DateOnly))
	}
	return cert
}

func (k *keyChecker) pair(certFile, keyFile string) *x509.Certificate {
	cert := k.cert(certFile)
	data := k.content(keyFile)
	if cert == nil || data == nil {
		return cert
	}
	key, err := parseKey(data)
	if err != nil {
		k.bad(keyFile, "", "%v", err)
	} else if !samePublicKey(cert, key) {
		k.bad(keyFile, "use the key the certificate was requested with", "it is not the key of %s", k.name(certFile))
	}
	return cert
}

func (k *keyChecker) authority(file string, ca *x509.Certificate) {
	if ca != nil && !ca.IsCA {
		k.bad(file, "put the certificate of the CA here", "it is not the certificate of a CA")
	}
}

func (k *keyChecker) chain(file string, cert *x509.Certificate, caFile string, ca *x509.Certificate, usage x509.ExtKeyUsage) {
	if cert == nil || ca == nil {
		return
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	at := k.now // dates are complained about above, each at its own file
	if at.After(cert.NotAfter) || at.After(ca.NotAfter) || at.Before(cert.NotBefore) || at.Before(ca.NotBefore) {
		at = cert.NotBefore
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
		k.bad(file, "use a certificate that "+k.name(caFile)+" issued for this purpose", "it does not verify: %v", err)
	}
	if cert.NotAfter.After(ca.NotAfter) {
		k.remarks.add(Pos{File: k.name(file)}, "renew the CA before", "it outlives its CA, which ends on %s", ca.NotAfter.Format(time.DateOnly))
	}
}

// KeyNames lists what the certificate of a side's rollsite has to be valid for.
func (c *Cluster) KeyNames(role Role) ([]string, error) {
	req, err := c.KeyRequest()
	if err != nil {
		return nil, err
	}
	for _, side := range req.Sides {
		if side.Role == role {
			return side.Names, nil
		}
	}
	return nil, fmt.Errorf("cannot name the keys of the %s: it does not use TLS", role)
}

// String describes a side of a request: "host: 192.168.0.1, fate.example.com".
func (s KeySide) String() string { return fmt.Sprintf("%s: %s", s.Role, strings.Join(s.Names, ", ")) }
