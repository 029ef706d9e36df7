package rpc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"fate-installer/supervisor/config"
)

// Limits of the metrics endpoint, which other hosts may reach. A scrape is small on both ways.
const (
	scrapeHeaderTimeout = 5 * time.Second  // of a handshake, too
	scrapeTimeout       = 30 * time.Second // of a request with its answer
	scrapeHeaderBytes   = 8 << 10
	scrapesAtOnce       = 2
	refusalDelay        = 200 * time.Millisecond // of an answer to a wrong password, while it holds a connection
)

// metricsServer answers GET /metrics for those who show the password or a certificate, and nothing else.
type metricsServer struct {
	config config.Metrics
	show   http.HandlerFunc
	scrape turns
	delay  time.Duration
}

// openMetrics serves the metrics where the configuration says. A port that cannot be opened does not keep the
// supervisor from its work: it is in the log.
func (s *Server) openMetrics() {
	c := s.daemon.Config().Daemon.Metrics
	if c.Addr == "" {
		return
	}
	logger := s.daemon.Log()
	m := &metricsServer{config: c, show: s.serveMetrics, scrape: make(turns, scrapesAtOnce), delay: refusalDelay}
	l, err := m.listen()
	if err != nil {
		logger.Error().Err(err).Msg("the metrics are not served")
		return
	}
	logger.Info().Str("address", l.Addr().String()).Bool("tls", c.TLS()).Msg("serves the metrics")
	hs := m.server(s.ctx)
	s.servers = append(s.servers, hs)
	s.running.Go(func() {
		if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			logger.Error().Err(err).Msg("the metrics listener failed")
		}
	})
}

// listen opens the port. Its connections are counted apart from those of the API, which it cannot use up.
func (m *metricsServer) listen() (net.Listener, error) {
	var secure *tls.Config
	if m.config.TLS() {
		var err error
		if secure, err = m.tlsConfig(); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", m.config.Addr)
	if err != nil {
		return nil, err
	}
	l = slotListener{l, newSlots()}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	return l, nil
}

func (m *metricsServer) server(ctx context.Context) *http.Server {
	return &http.Server{
		Handler: m, ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			if t, ok := conn.(*tls.Conn); ok {
				conn = t.NetConn()
			}
			return withPeer(ctx, conn)
		},
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: scrapeHeaderTimeout, ReadTimeout: scrapeTimeout, WriteTimeout: scrapeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: scrapeHeaderBytes,
		// Who reaches the port could fill the log with failed handshakes.
		ErrorLog: log.New(io.Discard, "", 0),
		// No HTTP/2: a connection has one request at a time.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
}

// tlsConfig has the certificate of the files as they are at each handshake, so that a renewed one needs no restart.
func (m *metricsServer) tlsConfig() (*tls.Config, error) {
	files := &certificateFiles{cert: m.config.CertFile, key: m.config.KeyFile}
	if _, err := files.get(nil); err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: files.get}
	if m.config.ClientCA == "" {
		return c, nil
	}
	data, err := os.ReadFile(m.config.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("cannot read the CAs of clients: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("cannot use %s: it holds no PEM certificate", m.config.ClientCA)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	if m.config.Username != "" {
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c, nil
}

// certificateFiles is a certificate that is read again when its files have changed.
type certificateFiles struct {
	cert, key string

	mu    sync.Mutex
	times [2]time.Time
	pair  *tls.Certificate
}

func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var times [2]time.Time
	for i, name := range []string{f.cert, f.key} {
		if info, err := os.Stat(name); err == nil {
			times[i] = info.ModTime()
		}
	}
	if f.pair != nil && times == f.times {
		return f.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		if f.pair != nil { // one of two files is new: the next handshake tries again
			return f.pair, nil
		}
		return nil, fmt.Errorf("cannot use the certificate of the metrics: %w", err)
	}
	f.pair, f.times = &pair, times
	return f.pair, nil
}

// ServeHTTP implements [http.Handler].
func (m *metricsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why, refused := r.Context().Value(refusedKey{}).(string); refused {
		w.Header().Set("Connection", "close")
		http.Error(w, why, http.StatusServiceUnavailable)
		return
	}
	if !m.admits(r) {
		select {
		case <-time.After(m.delay):
		case <-r.Context().Done():
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="metrics"`)
		w.Header().Set("Connection", "close")
		http.Error(w, "wrong username or password", http.StatusUnauthorized)
		return
	}
	switch {
	case r.URL.Path != "/metrics":
		http.Error(w, "only /metrics is here", http.StatusNotFound)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET is answered", http.StatusMethodNotAllowed)
		return
	}
	done := m.scrape.take(r.Context())
	if done == nil {
		http.Error(w, "busy with other scrapes", http.StatusServiceUnavailable)
		return
	}
	defer done()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	m.show(w, r)
}

// admits reports whether the client has shown a certificate of the CAs, or the password. It takes as long for a wrong
// name as for a wrong password.
func (m *metricsServer) admits(r *http.Request) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true
	}
	name, password, ok := r.BasicAuth()
	if !ok || m.config.Username == "" {
		return false
	}
	want := string(m.config.Password)
	sum, hashed := strings.CutPrefix(want, "{SHA256}")
	if !hashed {
		sum = digestOf(want)
	}
	return subtle.ConstantTimeCompare([]byte(digestOf(name)), []byte(digestOf(m.config.Username)))&
		subtle.ConstantTimeCompare([]byte(digestOf(password)), []byte(strings.ToLower(sum))) == 1
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
