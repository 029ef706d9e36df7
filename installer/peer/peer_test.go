package peer_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/fate/keys"
	"fate-installer/installer/peer"
)

// makeKeys makes keys for a host and a guest at 127.0.0.1, and returns what the host's client and the guest's server
// use.
func makeKeys(t *testing.T, names ...string) (*peer.Identity, *tls.Config) {
	t.Helper()
	set, err := keys.New(keys.Request{
		Sides: []keys.Side{{Role: "host", Names: []string{"127.0.0.1"}},
			{Role: "guest", Names: names}},
		SharedCA: true, Now: time.Now(), Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := func(role, name string) []byte {
		t.Helper()
		i := slices.IndexFunc(set.Sides[role], func(f keys.File) bool { return f.Name == role+"-"+name })
		if i < 0 {
			t.Fatalf("no %s of the %s", name, role)
		}
		return set.Sides[role][i].Content
	}
	client, err := tls.X509KeyPair(file("host", "client-client.pem"), file("host", "client-client.key"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := tls.X509KeyPair(file("guest", "server.pem"), file("guest", "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots, clients := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM(file("host", "client-ca.pem")) ||
		!clients.AppendCertsFromPEM(file("guest", "ca.pem")) {
		t.Fatal("no CA")
	}
	return &peer.Identity{Roots: roots, Certificate: &client},
		&tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: clients,
			ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12}
}

// listen starts the other side and returns its address.
func listen(t *testing.T, l *peer.Listener, config *tls.Config) string {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if l.Now == nil {
		l.Now = time.Now
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, socket, config) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return socket.Addr().String()
}

// text prints results as status check: measured; remedy, one a line.
func text(results []peer.Result) string {
	var b bytes.Buffer
	for _, r := range results {
		b.WriteString(string(r.Direction) + " " + string(r.Status) + " " + r.Check + ": " + r.Measured +
			"; " + r.Remedy + "\n")
	}
	return b.String()
}

func guest() *peer.Listener { return &peer.Listener{Hello: peer.Hello{Role: "guest", Party: "9999"}} }

func prober(id *peer.Identity) *peer.Prober {
	return &peer.Prober{Party: "10000", Identity: id, Now: time.Now}
}

func wantLines(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("no %q in\n%s", w, got)
		}
	}
}

func TestPlainPeerThatListens(t *testing.T) {
	l := guest()
	asked := ""
	l.Back = func(_ context.Context, party string) []peer.Result {
		asked = party
		return []peer.Result{{Party: party, Check: "tcp", Status: peer.OK, Direction: peer.Out, Measured: "connected"}}
	}
	got := text(prober(nil).Test(t.Context(), peer.Target{Label: "default", Parties: []string{"9999"},
		Addr: listen(t, l, nil)}))
	wantLines(t, got, "out ok tcp:", "out ok mtu:", "out warning clear-text: messages are readable", "out ok grpc:",
		"out ok party: party 9999 answers",
		"out ok size: a message of 32 KiB", "out ok clock:", "back ok tcp: connected")
	if asked != "10000" {
		t.Errorf("the way back to party %q was tested", asked)
	}
}

func TestSecurePeer(t *testing.T) {
	id, server := makeKeys(t, "127.0.0.1")
	addr := listen(t, guest(), server)
	target := peer.Target{Label: "9999", Parties: []string{"9999"}, Addr: addr, Secure: true}
	got := text(prober(id).Test(t.Context(), target))
	wantLines(t, got, "out ok tls: TLS 1.3, guest-server.fate.fedai.org", "sha256 ",
		"out ok clear-text: the port refuses clear text", "out ok party:",
		"out warning tls-client: asks for a certificate, and lets in who has none",
		"out failed back: the other side has no route for party 10000")

	strict := server.Clone()
	strict.ClientAuth = tls.RequireAndVerifyClientCert
	target.Addr = listen(t, guest(), strict)
	wantLines(t, text(prober(id).Test(t.Context(), target)), "out ok tls-client: who shows no certificate is refused",
		"out ok party:")

	target.Plain = listen(t, guest(), nil)
	wantLines(t, text(prober(id).Test(t.Context(), target)), "out warning clear-text: "+target.Plain+
		" answers in clear text")
}

func TestWhatIsWrongWithTLS(t *testing.T) {
	id, server := makeKeys(t, "127.0.0.1")
	stranger, _ := makeKeys(t, "127.0.0.1")
	_, otherName := makeKeys(t, "192.168.9.9")
	strict := server.Clone()
	strict.ClientAuth = tls.RequireAndVerifyClientCert
	late := prober(id)
	late.Now = func() time.Time { return time.Now().Add(30 * 365 * 24 * time.Hour) }
	early := prober(id)
	early.Now = func() time.Time { return time.Now().Add(-30 * 365 * 24 * time.Hour) }
	wrongClient := &peer.Identity{Roots: id.Roots, Certificate: stranger.Certificate}
	for name, c := range map[string]struct {
		prober *peer.Prober
		addr   string
		want   []string
	}{
		"certificate of a stranger": {prober(stranger), listen(t, guest(), server),
			[]string{"failed tls: its certificate was issued by", "is not the CA that this side expects",
				"made together"}},
		"expired": {late, listen(t, guest(), server),
			[]string{"failed tls: its certificate expired on", "renew the keys"}},
		"clock far behind": {early, listen(t, guest(), server),
			[]string{"failed tls: its certificate is valid only from", "set the clock that is wrong"}},
		"plain port": {prober(id), listen(t, guest(), nil),
			[]string{"failed tls: the port does not speak TLS", "9370 instead of 9371",
				"failed clear-text: the port answers in clear text"}},
		"our certificate refused": {prober(wrongClient), listen(t, guest(), strict),
			[]string{"failed tls: it refuses this side's certificate"}},
		"no keys here": {prober(nil), listen(t, guest(), server),
			[]string{"warning tls: TLS 1.3", "not verified: there are no keys here"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantLines(t, text(c.prober.Test(t.Context(), peer.Target{Label: "9999", Parties: []string{"9999"},
				Addr: c.addr, Secure: true})), c.want...)
		})
	}
	t.Run("certificate for another address", func(t *testing.T) {
		trusting := &peer.Identity{Roots: otherName.ClientCAs, Certificate: id.Certificate} // both sides share one CA
		got := text(prober(trusting).Test(t.Context(), peer.Target{Label: "9999", Addr: listen(t, guest(), otherName),
			Secure: true}))
		wantLines(t, got, "failed tls: its certificate is for [192.168.9.9], and not for 127.0.0.1", "public_names")
	})
}

func TestPlainRouteToATLSPort(t *testing.T) {
	_, server := makeKeys(t, "127.0.0.1")
	got := text(prober(nil).Test(t.Context(), peer.Target{Label: "9999", Parties: []string{"9999"},
		Addr: listen(t, guest(), server)}))
	wantLines(t, got, "failed grpc: something answers, but not as gRPC", "the port speaks TLS")
}

func TestPartiesThatAreNotWhoTheyShouldBe(t *testing.T) {
	for name, c := range map[string]struct{ is, want string }{
		"another id": {"9998",
			"out failed party: the route is for party 9999, and it calls itself party 9998; compare the party ids"},
		"the own id": {"10000",
			"out failed party: it calls itself party 10000, which is the id of this side; give each party an id of " +
				"its own"},
		"an exchange":   {"", "out failed party: the rollsite there knows no party 9999; add the party there"},
		"the right one": {"9999", "out ok party: party 9999 answers"},
	} {
		t.Run(name, func(t *testing.T) {
			l := guest()
			l.Hello.Party = c.is
			wantLines(t, text(prober(nil).Test(t.Context(), peer.Target{Label: "default", Parties: []string{"9999"},
				Addr: listen(t, l, nil)})), c.want)
		})
	}
}

func TestClocks(t *testing.T) {
	for off, want := range map[time.Duration]string{
		0:                  "out ok clock:",
		20 * time.Second:   "out warning clock: the other clock is",
		-2 * time.Hour:     "out failed clock: the other clock is 2h0m0s behind",
		3 * 24 * time.Hour: "out failed clock: the other clock is 72h0m0s ahead",
	} {
		l := guest()
		l.Now = func() time.Time { return time.Now().Add(off) }
		got := text(prober(nil).Test(t.Context(), peer.Target{Label: "9999", Parties: []string{"9999"},
			Addr: listen(t, l, nil)}))
		wantLines(t, got, want)
	}
}

func TestNobodyThere(t *testing.T) {
	got := text(prober(nil).Test(t.Context(), peer.Target{Label: "9999", Parties: []string{"9999"},
		Addr: "127.0.0.1:1"}))
	wantLines(t, got, "out failed tcp: connection refused: the host is there, and nothing listens",
		"party test --listen")
	if strings.Contains(got, "grpc") {
		t.Errorf("more was tried than can succeed:\n%s", got)
	}
}

// TestSomethingElseListens: an ordinary web server, or a load balancer for one.
func TestSomethingElseListens(t *testing.T) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
			conn.Close()
		}
	}()
	got := text(prober(nil).Test(t.Context(), peer.Target{Label: "9999", Parties: []string{"9999"},
		Addr: socket.Addr().String()}))
	wantLines(t, got, "failed grpc: something answers, but not as gRPC", "load balancer")
}
