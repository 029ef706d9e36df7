package rpc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fate-installer/supervisor/config"
)

// serveTestMetrics serves a text as metrics, and returns the address.
func serveTestMetrics(t *testing.T, c config.Metrics) string {
	t.Helper()
	c.Addr = "127.0.0.1:0"
	m := &metricsServer{config: c, scrape: make(turns, 1), show: func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "fate_program_up 1\n")
	}}
	l, err := m.listen()
	if err != nil {
		t.Fatal(err)
	}
	server := m.server(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), ignoreClosed(<-ended)); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// ask makes one request; blank for the name gives no credentials.
func ask(t *testing.T, client *http.Client, method, url, name, password string) (status int, body string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if name != "" {
		r.SetBasicAuth(name, password)
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

// TestMetricsServer: who gives the password gets the metrics, and nothing else is answered.
func TestMetricsServer(t *testing.T) {
	for _, password := range []config.Password{"pass: word", config.Password("{SHA256}" + strings.ToUpper(
		digestOf("pass: word")))} {
		addr := "http://" + serveTestMetrics(t, config.Metrics{Username: "prom", Password: password})
		client := &http.Client{Transport: &http.Transport{}}
		for _, c := range []struct {
			method, path, name, password string
			status                       int
		}{
			{"GET", "/metrics", "prom", "pass: word", http.StatusOK},
			{"HEAD", "/metrics", "prom", "pass: word", http.StatusOK},
			{"GET", "/metrics", "", "", http.StatusUnauthorized},
			{"GET", "/metrics", "prom", "", http.StatusUnauthorized},
			{"GET", "/metrics", "prom", "pass: wor", http.StatusUnauthorized},
			{"GET", "/metrics", "prom", string(password) + "x", http.StatusUnauthorized},
			{"GET", "/metrics", "root", "pass: word", http.StatusUnauthorized},
			{"GET", "/RPC2", "", "", http.StatusUnauthorized},
			{"POST", "/metrics", "prom", "pass: word", http.StatusMethodNotAllowed},
			{"POST", "/RPC2", "prom", "pass: word", http.StatusNotFound},
			{"GET", "/logtail/fate-mysql", "prom", "pass: word", http.StatusNotFound},
			{"GET", "/mainlogtail", "prom", "pass: word", http.StatusNotFound},
			{"GET", "/", "prom", "pass: word", http.StatusNotFound},
		} {
			status, body, err := ask(t, client, c.method, addr+c.path, c.name, c.password)
			shown := strings.Contains(body, "fate_program_up")
			if err != nil || status != c.status || shown != (status == http.StatusOK && c.method == "GET") {
				t.Errorf("%+v: %d %v\n%s", c, status, err, body)
			}
		}
		client.CloseIdleConnections()
	}
}

// TestMetricsServerLimits: a long header is refused, a busy server says so, and no time is unlimited.
func TestMetricsServerLimits(t *testing.T) {
	m := &metricsServer{config: config.Metrics{Username: "p", Password: "p"}, scrape: make(turns, 1)}
	s := m.server(context.Background())
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 {
		t.Errorf("%+v", s)
	}
	addr := serveTestMetrics(t, config.Metrics{Username: "p", Password: "p"})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 64<<10)+
		"\r\n\r\n"); err != nil {
		t.Log(err) // it may be closed by then
	}
	answer, _ := io.ReadAll(conn)
	if len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 431") {
		t.Errorf("%s", answer)
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
	both := config.Metrics{CertFile: in("cert"), KeyFile: in("key"), ClientCA: in("ca"), Username: "p", Password: "p"}
	certOnly := both
	certOnly.Username, certOnly.Password = "", ""
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
		addr := "https://" + serveTestMetrics(t, c.config)
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

	addr := serveTestMetrics(t, both)
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
	if err := os.WriteFile(in("key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := shown(); n.Cmp(second) != 0 {
		t.Errorf("certificate %v is shown while the files are being replaced, want %v", n, second)
	}
	if _, err := (&metricsServer{config: both}).listen(); err == nil {
		t.Error("it listens without a key")
	}
}

// TestDaemonServesMetrics: the daemon answers where its configuration says, and works without when it cannot.
func TestDaemonServesMetrics(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := startDaemon(t, "[metrics_http_server]\nport="+l.Addr().String()+"\nusername=p\npassword=p\n",
		func(d *daemon) string { return d.program("a") })
	d.untilLogged("the metrics are not served")
	if _, err := d.client.Status(testContext(t)); err != nil {
		t.Errorf("with a port that is in use: %v", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	d = startDaemon(t, "[metrics_http_server]\nport="+addr+"\nusername=p\npassword=p\n",
		func(d *daemon) string { return d.program("a") })
	d.untilLogged("serves the metrics")
	status, body, err := ask(t, http.DefaultClient, "GET", "http://"+addr+"/metrics", "p", "p")
	if err != nil || status != http.StatusOK || !strings.Contains(body, `fate_program_up{name="a",group="a"} `) {
		t.Errorf("%d %v\n%s", status, err, body)
	}
}
