package rpc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/config"
)

// ownFiles is a directory below which only this user may write, as root for the files of a test.
func ownFiles(t *testing.T) *beneath.Root { return rootIn(t, t.TempDir()) }

func rootIn(t *testing.T, dir string) *beneath.Root {
	t.Helper()
	root, err := beneath.Open(dir, os.Geteuid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	return root
}

// lines counts what is logged.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(string(l.text), part)
}

// TestReadOwn: a file is read that only this user or root may change; a pipe does not make it wait, and a file without
// an end takes no memory.
func TestReadOwn(t *testing.T) {
	dir := t.TempDir()
	root := rootIn(t, dir)
	in := func(name string) string { return filepath.Join(dir, name) }
	open := func(name string) error { // to others
		return errors.Join(os.Mkdir(in(name), 0o700), os.WriteFile(in(name+"/cert"), []byte("x"), 0o600),
			os.Chmod(in(name), 0o777))
	}
	for name, c := range map[string]struct {
		make func() error
		want error // nil: it is read
		text string
	}{
		"plain": {make: func() error { return os.WriteFile(in("plain"), []byte("x"), 0o644) }},
		"link":  {make: func() error { return os.Symlink("plain-too", in("link")) }, want: os.ErrNotExist},
		"linked": {make: func() error {
			return errors.Join(os.WriteFile(in("x"), []byte("x"), 0o600), os.Symlink("x", in("linked")))
		}},
		"pipe": {make: func() error { return syscall.Mkfifo(in("pipe"), 0o600) }, want: beneath.ErrNotFile},
		"directory": {make: func() error { return os.Mkdir(in("directory"), 0o700) },
			want: beneath.ErrNotFile},
		"of-group": {make: func() error {
			return errors.Join(os.WriteFile(in("of-group"), []byte("x"), 0o600), os.Chmod(in("of-group"), 0o660))
		}, want: errOthersFile},
		"open/cert": {make: func() error { return open("open") }, want: errOthersFile},
		"by-link": {make: func() error { return errors.Join(open("open-too"), os.Symlink("open-too/cert", in("by-link"))) },
			want: errOthersFile},
		"of-another": {make: func() error {
			err := os.WriteFile(in("of-another"), []byte("x"), 0o600)
			if os.Geteuid() == 0 {
				err = errors.Join(err, os.Chown(in("of-another"), 12345, 0))
			} else {
				err = errors.Join(err, os.Chmod(in("of-another"), 0o666))
			}
			return err
		}, want: errOthersFile},
		"endless": {make: func() error {
			return errors.Join(os.WriteFile(in("endless"), nil, 0o600), os.Truncate(in("endless"), 1<<40))
		}, text: "longer than 1048576 bytes"},
	} {
		if err := c.make(); err != nil {
			t.Fatal(err)
		}
		data, err := readOwn(root, "/"+name)
		switch {
		case c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)),
			c.text == "" && !errors.Is(err, c.want),
			err == nil && string(data) != "x":
			t.Errorf("%s: %q %v, want %v %s", name, data, err, c.want, c.text)
		}
	}
}

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key, a.pem, _ = a.issue(&x509.Certificate{IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign})
	return a
}

var serial int64

// issue makes a certificate, of itself when it has no parent yet.
func (a *authority) issue(c *x509.Certificate) (cert *x509.Certificate, key *ecdsa.PrivateKey, pemCert, pemKey []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial++
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(serial), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	c.Subject = pkix.Name{CommonName: "test"}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err = x509.ParseCertificate(der)
	raw, errKey := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err, errKey); err != nil {
		a.t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// pair makes the files of a certificate, and returns its number.
func (a *authority) pair(certFile, keyFile string) *big.Int {
	a.t.Helper()
	cert, _, c, k := a.issue(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	if err := errors.Join(os.WriteFile(certFile, c, 0o600), os.WriteFile(keyFile, k, 0o600)); err != nil {
		a.t.Fatal(err)
	}
	return cert.SerialNumber
}

// TestMetricsServerTLS: a certificate of the CA stands for the password, one of another CA does not, and a renewed
// certificate is shown without a restart.
func TestMetricsServerTLS(t *testing.T) {
	dir, ca, other := t.TempDir(), newAuthority(t), newAuthority(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("ca"), ca.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	first := ca.pair(in("cert"), in("key"))
	ca.pair(in("client"), in("client-key"))
	other.pair(in("foreign"), in("foreign-key"))
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	both := config.Metrics{CertFile: "/cert", KeyFile: "/key", ClientCA: "/ca", Username: "p", Password: "p"}
	root := rootIn(t, dir)
	certOnly := both
	certOnly.Username, certOnly.Password = "", ""
	var logged lines
	serve := func(c config.Metrics) string {
		m := newTestMetrics(t, c)
		m.files, m.log = root, zerolog.New(&logged)
		return serveMetricsOf(t, m)
	}
	for _, c := range []struct {
		config      config.Metrics
		cert        string
		name        string
		status      int
		handshakeOK bool
	}{
		{both, "client", "", http.StatusOK, true},
		{both, "", "p", http.StatusOK, true},
		{both, "", "", http.StatusUnauthorized, true},
		{both, "foreign", "p", 0, false},
		{certOnly, "client", "", http.StatusOK, true},
		{certOnly, "", "p", 0, false},
	} {
		addr := "https://" + serve(c.config)
		secure := &tls.Config{RootCAs: roots}
		if c.cert != "" {
			pair, err := tls.LoadX509KeyPair(in(c.cert), in(c.cert+"-key"))
			if err != nil {
				t.Fatal(err)
			}
			secure.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &pair, nil // also to a server that names another CA
			}
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: secure}}
		status, _, err := ask(t, client, "GET", addr+"/metrics", c.name, "p")
		if (err == nil) != c.handshakeOK || status != c.status {
			t.Errorf("certificate %q, name %q: %d %v", c.cert, c.name, status, err)
		}
		client.CloseIdleConnections()
	}

	addr := serve(both)
	shown := func() *big.Int {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber
	}
	if n := shown(); n.Cmp(first) != 0 {
		t.Errorf("certificate %v is shown, want %v", n, first)
	}
	second := ca.pair(in("cert"), in("key"))
	later := time.Now().Add(time.Hour)
	if err := errors.Join(os.Chtimes(in("cert"), later, later), os.Chtimes(in("key"), later, later)); err != nil {
		t.Fatal(err)
	}
	if n := shown(); n.Cmp(second) != 0 {
		t.Errorf("certificate %v is shown, want the new one, %v", n, second)
	}
	for name, spoil := range map[string]func() error{
		"empty":  func() error { return os.WriteFile(in("key"), nil, 0o600) },
		"a pipe": func() error { return syscall.Mkfifo(in("key"), 0o600) },
	} {
		before := logged.count("the metrics keep the last certificate")
		if err := errors.Join(os.RemoveAll(in("key")), spoil()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if n := shown(); n.Cmp(second) != 0 {
				t.Errorf("%s key: certificate %v is shown, want %v", name, n, second)
			}
		}
		if n := logged.count("the metrics keep the last certificate") - before; n != 1 {
			t.Errorf("%s key: it is logged %d times, want once", name, n)
		}
		m := newTestMetrics(t, both)
		m.files = root
		if _, err := m.listen(); err == nil {
			t.Errorf("%s key: it listens", name)
		}
	}
}
