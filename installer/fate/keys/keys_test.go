package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/problem"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// twoSides are a host with a public name and an exchange, as a cluster with TLS between them.
func twoSides(shared bool) Request {
	return Request{
		Sides: []Side{
			{"host", []string{"192.168.0.1", "fate.example.com"}},
			{"exchange", []string{"192.168.0.88", "192.168.0.89"}},
		},
		SharedCA: shared, Now: testNow, Random: rand.Reader,
	}
}

func mustKeys(t *testing.T, req Request) *Set {
	t.Helper()
	set, err := New(req)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func file(t *testing.T, files []File, name string) []byte {
	t.Helper()
	i := slices.IndexFunc(files, func(f File) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no file %s", name)
	}
	return files[i].Content
}

func TestKeysHaveUpstreamsNames(t *testing.T) {
	set := mustKeys(t, twoSides(true))
	for role, prefix := range map[string]string{"host": "host-", "exchange": "exchange-"} {
		var got []string
		for _, f := range set.Sides[role] {
			got = append(got, strings.TrimPrefix(f.Name, prefix))
		}
		slices.Sort(got)
		want := []string{"ca.pem", "client-ca.pem", "client-client.key", "client-client.pem",
			"server.key", "server.pem"}
		if !slices.Equal(got, want) {
			t.Errorf("%s gets %v", role, got)
		}
	}
	if len(set.Authorities) != 1 || set.Authorities[0].Name != "fate_host-exchange" {
		t.Errorf("authorities: %v", len(set.Authorities))
	}
}

// TestFault06CertificateParameters holds the certificates against what upstream's lack.
func TestFault06CertificateParameters(t *testing.T) {
	set := mustKeys(t, twoSides(false))
	host := set.Sides["host"]
	parse := func(name string) *x509.Certificate {
		c, err := parseCert(file(t, host, name))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ca, server, client := parse("host-ca.pem"), parse("host-server.pem"), parse("host-client-client.pem")
	if server.NotAfter.After(ca.NotAfter) || client.NotAfter.After(parse("host-client-ca.pem").NotAfter) {
		t.Error("a leaf outlives its CA")
	}
	if ca.Subject.Province[0] != "GuangDong" || ca.Subject.Locality[0] != "Shenzhen" {
		t.Errorf("subject is %v", ca.Subject)
	}
	if err := server.VerifyHostname("192.168.0.1"); err != nil {
		t.Error(err)
	}
	if err := server.VerifyHostname("fate.example.com"); err != nil {
		t.Error(err)
	}
	if len(client.DNSNames) != 1 || client.DNSNames[0] != "exchange-client.fate.fedai.org" {
		t.Errorf("the client's names are %q", client.DNSNames)
	}
	if !slices.Equal(server.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) ||
		!slices.Equal(client.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) {
		t.Error("wrong usages")
	}
	for _, name := range []string{"host-server.key", "host-client-client.key"} {
		if _, err := parseKey(file(t, host, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFault04AuthorityKeyStaysHome checks that no side is given the key of a CA.
func TestFault04AuthorityKeyStaysHome(t *testing.T) {
	for _, shared := range []bool{true, false} {
		set := mustKeys(t, twoSides(shared))
		for _, a := range set.Authorities {
			for role, files := range set.Sides {
				for _, f := range files {
					if slices.Equal(f.Content, a.Key) {
						t.Errorf("%s of the %s is the key of %s", f.Name, role, a.Name)
					}
				}
			}
		}
	}
}

func TestRollsitesShakeHands(t *testing.T) {
	for _, shared := range []bool{true, false} {
		set := mustKeys(t, twoSides(shared))
		for _, dir := range []struct {
			from, to, name string
		}{
			{"host", "exchange", "192.168.0.89"}, {"exchange", "host", "192.168.0.1"},
			{"exchange", "host", "fate.example.com"},
		} {
			if err := handshake(t, set, dir.from, dir.to, dir.name); err != nil {
				t.Errorf("shared CA %v: %s calls %s as %s: %v", shared, dir.from, dir.to, dir.name, err)
			}
		}
		if err := handshake(t, set, "host", "exchange", "192.168.0.90"); err == nil {
			t.Error("a certificate is valid for an address it was not made for")
		}
	}
}

// TestThreeSidesShakeHands: a rollsite has one identity and one CA for all that it calls, which is enough when
// everybody's is the same.
func TestThreeSidesShakeHands(t *testing.T) {
	req := Request{
		Sides: []Side{{"host", []string{"192.168.0.1"}}, {"guest", []string{"192.168.0.2"}},
			{"exchange", []string{"192.168.0.88"}}},
		SharedCA: true, Now: testNow, Random: rand.Reader,
	}
	set := mustKeys(t, req)
	if len(set.Authorities) != 1 {
		t.Errorf("%d CAs", len(set.Authorities))
	}
	for _, pair := range [][2]string{{"host", "exchange"}, {"guest", "exchange"}, {"exchange", "host"},
		{"exchange", "guest"}} {
		to := slices.IndexFunc(req.Sides, func(s Side) bool { return s.Role == pair[1] })
		if err := handshake(t, set, pair[0], pair[1], req.Sides[to].Names[0]); err != nil {
			t.Errorf("%s calls %s: %v", pair[0], pair[1], err)
		}
	}
	req.SharedCA = false
	if _, err := New(req); err == nil || !strings.Contains(err.Error(), "three CAs") {
		t.Errorf("with a CA for each: %v", err)
	}
}

// handshake connects two rollsites with the files they are given, both asking for the other's certificate.
func handshake(t *testing.T, set *Set, from, to string, name string) error {
	t.Helper()
	load := func(r string, cert, key, ca string) (tls.Certificate, *x509.CertPool) {
		files, prefix := set.Sides[r], r+"-"
		pair, err := tls.X509KeyPair(file(t, files, prefix+cert), file(t, files, prefix+key))
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(file(t, files, prefix+ca))
		return pair, pool
	}
	clock := func() time.Time { return testNow.Add(24 * time.Hour) }
	serverPair, clients := load(to, "server.pem", "server.key", "ca.pem")
	clientPair, servers := load(from, "client-client.pem", "client-client.key", "client-ca.pem")
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{serverPair}, ClientCAs: clients,
		ClientAuth: tls.RequireAndVerifyClientCert, Time: clock})
	client := tls.Client(b, &tls.Config{Certificates: []tls.Certificate{clientPair}, RootCAs: servers,
		ServerName: name, Time: clock})
	result := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, server)
		result <- err
	}()
	_, err := client.Write([]byte("hello"))
	err = errors.Join(err, client.CloseWrite())
	b.Close()
	return errors.Join(err, ignoreClosed(<-result))
}

// ignoreClosed accepts the end that a pipe gives a reader.
func ignoreClosed(err error) error {
	if errors.Is(err, io.ErrClosedPipe) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func TestOpenSSLVerifies(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl on this machine")
	}
	for _, shared := range []bool{true, false} {
		set := mustKeys(t, twoSides(shared))
		for role, files := range set.Sides {
			dir := t.TempDir()
			for _, f := range files {
				if err := os.WriteFile(filepath.Join(dir, f.Name), f.Content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			path := func(name string) string { return filepath.Join(dir, role+"-"+name) }
			at := []string{"-attime", "1772400000"} // 2026-03-01 21:20 UTC
			for _, args := range [][]string{
				append([]string{"verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", path("ca.pem")},
					append(at, path("server.pem"))...),
				append([]string{"verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", path("client-ca.pem")},
					append(at, path("client-client.pem"))...),
				{"pkey", "-in", path("server.key"), "-noout", "-check"},
			} {
				if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
					t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
				}
			}
			// A key in any other form than PKCS#8 is refused by eggroll.
			if block, _ := pem.Decode(file(t, files, role+"-server.key")); block.Type != "PRIVATE KEY" {
				t.Errorf("server.key is a %s", block.Type)
			}
		}
	}
}

func TestRenewalKeepsTheAuthority(t *testing.T) {
	old := mustKeys(t, twoSides(false))
	req := twoSides(false)
	req.Existing, req.Now = old.Authorities, testNow.Add(19*365*24*time.Hour)
	renewed := mustKeys(t, req)
	for _, role := range []string{"host", "exchange"} {
		r := role
		if !slices.Equal(file(t, old.Sides[role], r+"-ca.pem"), file(t, renewed.Sides[role], r+"-ca.pem")) {
			t.Errorf("the CA of the %s has changed", role)
		}
		leaf, err := parseCert(file(t, renewed.Sides[role], r+"-server.pem"))
		if err != nil {
			t.Fatal(err)
		}
		ca, err := parseCert(file(t, renewed.Sides[role], r+"-ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		if !leaf.NotAfter.Equal(ca.NotAfter) {
			t.Errorf("a leaf made near the end of its CA ends on %s, its CA on %s", leaf.NotAfter, ca.NotAfter)
		}
	}
	req.Now = testNow.Add(21 * 365 * 24 * time.Hour)
	if _, err := New(req); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired CA signs: %v", err)
	}
}

func TestOneSideHandsOverAndTakesFromItsPeer(t *testing.T) {
	host := mustKeys(t, Request{Sides: []Side{{"host", []string{"10.0.0.1"}}}, Now: testNow, Random: rand.Reader})
	if host.ForPeer == nil || len(host.Sides["host"]) != 3 {
		t.Fatalf("the first side gets %d files and hands over %v", len(host.Sides["host"]), host.ForPeer)
	}
	guest := mustKeys(t, Request{Sides: []Side{{"guest", []string{"10.0.0.2"}}}, Now: testNow, Random: rand.Reader,
		FromPeer: host.ForPeer})
	if problems, _ := Check("guest", []string{"10.0.0.2"}, guest.Sides["guest"], testNow); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestCheckFindsEveryFault(t *testing.T) {
	good := func() []File { return slices.Clone(mustKeysOnce(t).Sides["host"]) }
	names := []string{"192.168.0.1"}
	if problems, remarks := Check("host", names, good(), testNow); len(problems)+len(remarks) > 0 {
		t.Fatalf("good keys: %v %v", problems, remarks)
	}
	replace := func(name string, content []byte) []File {
		files := good()
		for i := range files {
			if files[i].Name == name {
				files[i].Content = content
			}
		}
		return files
	}
	other := mustKeys(t, twoSides(false))
	sec1 := sec1Key(t)
	for _, tc := range []struct {
		name  string
		files []File
		names []string
		now   time.Time
		want  []string
	}{
		{"missing", good()[1:], names, testNow, []string{"host-ca.pem", "missing"}},
		{"other CA", replace("host-server.pem", file(t, other.Sides["host"], "host-server.pem")), names, testNow,
			[]string{"host-server.pem", "does not verify"}},
		{"wrong key", replace("host-server.key", file(t, other.Sides["host"], "host-server.key")), names, testNow,
			[]string{"host-server.key", "not the key of"}},
		{"sec1 key", replace("host-server.key", sec1), names, testNow, []string{"host-server.key", "PKCS#8"}},
		{"not PEM", replace("host-client-ca.pem", []byte("x")), names, testNow,
			[]string{"host-client-ca.pem", "no PEM"}},
		{"leaf as CA", replace("host-ca.pem", file(t, good(), "host-server.pem")), names, testNow,
			[]string{"host-ca.pem", "not the certificate of a CA"}},
		{"name", good(), []string{"10.9.9.9"}, testNow, []string{"host-server.pem", "not valid for 10.9.9.9"}},
		{"expired", good(), names, testNow.Add(30 * 365 * 24 * time.Hour), []string{"host-ca.pem", "expired"}},
		{"early", good(), names, testNow.Add(-48 * time.Hour), []string{"valid only from"}},
		{"client as server", replace("host-server.pem", file(t, good(), "host-client-client.pem")), names, testNow,
			[]string{"host-server.pem", "does not verify"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			problems, _ := Check("host", tc.names, tc.files, tc.now)
			if !slices.ContainsFunc(problems, func(p problem.Problem) bool {
				return !slices.ContainsFunc(tc.want,
					func(word string) bool { return !strings.Contains(p.String(), word) })
			}) {
				t.Errorf("no problem with %q in:\n%v", tc.want, problems)
			}
		})
	}
}

var oneKeySet *Set

func mustKeysOnce(t *testing.T) *Set {
	if oneKeySet == nil {
		oneKeySet = mustKeys(t, twoSides(true))
	}
	return oneKeySet
}

// sec1Key is a key in the form openssl ecparam writes.
func sec1Key(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}
