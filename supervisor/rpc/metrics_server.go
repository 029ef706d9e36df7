package rpc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/config"
)

// Limits of the metrics endpoint, which other hosts may reach. A scrape is small on both ways.
const (
	scrapeHeaderTimeout = 5 * time.Second  // of a handshake, too
	scrapeTimeout       = 30 * time.Second // of a request with its answer
	scrapeHeaderBytes   = 8 << 10
	scrapesAtOnce       = 2
	refusalDelay        = 200 * time.Millisecond // of an answer to a wrong password, while it holds a connection
	listenAgain         = time.Minute            // after a port could not be opened
)

// metricsServer answers GET /metrics for those who show the password or a certificate, and nothing else.
type metricsServer struct {
	config config.Metrics
	show   http.HandlerFunc
	scrape turns
	delay  time.Duration
	again  time.Duration
	files  *beneath.Root // below which certificates and keys are; nil: the machine's
	log    zerolog.Logger
}

// openMetrics serves the metrics where the configuration says. What is wrong with it or with the port does not keep the
// supervisor from its work: it is in the log.
func (s *Server) openMetrics() {
	c := s.daemon.Config().Daemon.Metrics
	logger := s.daemon.Log()
	if c.Fault != "" {
		logger.Error().Str("error", c.Fault).Msg(notServed)
	}
	if c.Addr == "" {
		return
	}
	m := &metricsServer{config: c, show: s.serveMetrics, scrape: make(turns, scrapesAtOnce), delay: refusalDelay,
		again: listenAgain, log: logger}
	hs := m.server(s.ctx)
	s.servers = append(s.servers, hs)
	s.running.Go(func() { m.run(s.ctx, hs) })
}

// notServed is in the log of a supervisor whose configuration asks for metrics that cannot be served.
const notServed = "the metrics are not served"

// run serves once the port can be opened: its address may come up after the supervisor, and the files of the
// certificate may be on a file system that is mounted later. A reason is logged once.
func (m *metricsServer) run(ctx context.Context, hs *http.Server) {
	for reason := ""; ; {
		l, err := m.listen()
		if err == nil {
			m.log.Info().Str("address", l.Addr().String()).Bool("tls", m.config.TLS()).Msg("serves the metrics")
			if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				m.log.Error().Err(err).Msg("the metrics listener failed")
			}
			return
		}
		if err.Error() != reason {
			reason = err.Error()
			m.log.Error().Err(err).Msg(notServed)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(m.again):
		}
	}
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
	slots := newSlots()
	slots.ofHost = maxScrapers
	l = slotListener{l, slots}
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
	files := &certificateFiles{cert: m.config.CertFile, key: m.config.KeyFile, root: m.files, log: m.log}
	if _, err := files.get(nil); err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: files.get}
	if m.config.ClientCA == "" {
		return c, nil
	}
	data, err := readOwn(m.files, m.config.ClientCA)
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
	sum, hashed := m.config.Password.SHA256()
	if !hashed {
		sum = digestOf(string(m.config.Password))
	}
	return subtle.ConstantTimeCompare(digestOf(name), digestOf(m.config.Username))&
		subtle.ConstantTimeCompare(digestOf(password), sum) == 1
}

func digestOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
