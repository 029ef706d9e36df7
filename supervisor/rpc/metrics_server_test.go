package rpc

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"fate-installer/supervisor/config"
)

// serveTestMetrics serves a text as metrics, and returns the address.
func serveTestMetrics(t *testing.T, c config.Metrics) string {
	t.Helper()
	return serveMetricsOf(t, newTestMetrics(t, c))
}

// newTestMetrics has the files of its certificate in the test's directory, which only this user may write.
func newTestMetrics(t *testing.T, c config.Metrics) *metricsServer {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	return &metricsServer{config: c, scrape: make(turns, 1), again: time.Millisecond, files: ownFiles(t),
		show: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fate_program_up 1\n") }}
}

func serveMetricsOf(t *testing.T, m *metricsServer) string {
	t.Helper()
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
		hex.EncodeToString(digestOf("pass: word"))))} {
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

// TestMetricsServerWaitsForItsPort: a port that is opened later than the supervisor starts is served then.
func TestMetricsServerWaitsForItsPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := newTestMetrics(t, config.Metrics{Addr: taken.Addr().String(), Username: "p", Password: "p"})
	var logged lines
	m.log = zerolog.New(&logged)
	ctx, cancel := context.WithCancel(t.Context())
	hs := m.server(ctx)
	ended := make(chan struct{})
	go func() { m.run(ctx, hs); close(ended) }()
	until(t, func() bool { return logged.count(notServed) > 0 })
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		status, _, err := ask(t, http.DefaultClient, "GET", "http://"+m.config.Addr+"/metrics", "p", "p")
		return err == nil && status == http.StatusOK
	})
	if n := logged.count(notServed); n != 1 {
		t.Errorf("the reason is logged %d times", n)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := hs.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-ended
}

// until waits for what comes soon.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for ctx := testContext(t); !done(); time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
	}
}

// TestMetricsConnectionsOfOneAddress: a client's address cannot take all connections.
func TestMetricsConnectionsOfOneAddress(t *testing.T) {
	addr := serveTestMetrics(t, config.Metrics{Username: "p", Password: "p"})
	from := func(ip string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
		conn, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	status := func(conn net.Conn) int {
		if _, err := io.WriteString(conn, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	for range maxScrapers {
		_ = from("127.0.0.1")
	}
	if got := status(from("127.0.0.1")); got != http.StatusServiceUnavailable {
		t.Errorf("one connection too many of an address gets %d", got)
	}
	if got := status(from("127.0.0.2")); got != http.StatusUnauthorized {
		t.Errorf("another address gets %d", got)
	}
}

// TestDaemonWithoutMetrics: with a mistake in the section for metrics the programs run, a reload is carried out, and
// the mistake is in the log as an error once.
func TestDaemonWithoutMetrics(t *testing.T) {
	for name, section := range map[string]string{
		"no password":   "port=127.0.0.1:0\n",
		"relative path": "port=127.0.0.1:0\nusername=p\npassword=p\ncertfile=c\nkeyfile=k\n",
		"no host":       "port=9180\nusername=p\npassword=p\n",
	} {
		section = "[metrics_http_server]\n" + section
		d := startDaemon(t, section, func(d *daemon) string { return d.program("a") })
		d.untilReady("a")
		d.untilLogged(notServed)
		d.write(section + d.program("a") + d.program("b"))
		if _, err := d.client.Update(testContext(t)); err != nil {
			t.Errorf("%s: reload: %v", name, err)
		}
		d.untilReady("a", "b")
		log, err := os.ReadFile(filepath.Join(d.dir, "daemon.log"))
		if err != nil || strings.Count(string(log), notServed) != 1 {
			t.Errorf("%s: %v\n%s", name, err, log)
		}
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
