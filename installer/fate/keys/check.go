package keys

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/problem"
)

// ExpirySoon is how long before its end a certificate is worth a remark.
const ExpirySoon = 30 * 24 * time.Hour

// Renewal is the remedy for certificates that have ended or end soon.
const Renewal = "make new ones with fate-installer keys --renew CA, then fate-installer install --keys; the other party " +
	"needs its part of them, too"

// Check examines the key files of a side, from any source, before they are installed: each is there and readable,
// keys belong to certificates, chains end at the right CA, dates hold, usages fit, and the server's certificate is
// valid for every name a peer calls it by. The second result are remarks that stop nothing.
func Check(role string, names []string, files []File, now time.Time) (problems, remarks problem.Problems) {
	k := &checker{role: role, files: files, now: now}
	if !slices.ContainsFunc(files, func(f File) bool { return strings.HasPrefix(f.Name, k.name("")) }) {
		problems.Add(problem.Pos{}, "use the archive or directory of the "+role,
			"there are no keys of the %s: its files have names such as %s", role, k.name("server.pem"))
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
				k.bad("server.pem", "issue it again with "+name+" among its subject alternative names",
					"it is not valid for %s, by which the peer calls this side", name)
			}
		}
	}
	return k.problems.Sorted(), k.remarks.Sorted()
}

type checker struct {
	role              string
	files             []File
	now               time.Time
	problems, remarks problem.Problems
}

func (k *checker) name(file string) string { return k.role + "-" + file }

func (k *checker) bad(file, fix, format string, args ...any) {
	k.problems.Add(problem.Pos{File: k.name(file)}, fix, format, args...)
}

func (k *checker) content(file string) []byte {
	i := slices.IndexFunc(k.files, func(f File) bool { return f.Name == k.name(file) })
	if i < 0 {
		k.bad(file, "add it under this name", "the file is missing")
		return nil
	}
	return k.files[i].Content
}

func (k *checker) cert(file string) *x509.Certificate {
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
	case left < ExpirySoon:
		k.remarks.Add(problem.Pos{File: k.name(file)}, "renew it", "it expires on %s",
			cert.NotAfter.Format(time.DateOnly))
	}
	return cert
}

func (k *checker) pair(certFile, keyFile string) *x509.Certificate {
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

func (k *checker) authority(file string, ca *x509.Certificate) {
	if ca != nil && !ca.IsCA {
		k.bad(file, "put the certificate of the CA here", "it is not the certificate of a CA")
	}
}

func (k *checker) chain(file string, cert *x509.Certificate, caFile string, ca *x509.Certificate,
	usage x509.ExtKeyUsage) {
	if cert == nil || ca == nil {
		return
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	at := k.now // dates are complained about above, each at its own file
	if at.After(cert.NotAfter) || at.After(ca.NotAfter) || at.Before(cert.NotBefore) || at.Before(ca.NotBefore) {
		at = cert.NotBefore
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
		k.bad(file, "use a certificate that "+k.name(caFile)+" issued for this purpose", "it does not verify: %v", err)
	}
	if cert.NotAfter.After(ca.NotAfter) {
		k.remarks.Add(problem.Pos{File: k.name(file)}, "renew the CA before", "it outlives its CA, which ends on %s",
			ca.NotAfter.Format(time.DateOnly))
	}
}

// String describes a side of a request: "host: 192.168.0.1, fate.example.com".
func (s Side) String() string { return fmt.Sprintf("%s: %s", s.Role, strings.Join(s.Names, ", ")) }
