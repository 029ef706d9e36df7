package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ochinchina/supervisord/faults"

	"fate-installer/supervisor"
)

// Timeouts of clients. A call may take long because a program does; a client may not.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	idleTimeout   = 60 * time.Second
	closeTimeout  = 2 * time.Second
)

// Server answers the API until it is closed.
type Server struct {
	daemon  *supervisor.Daemon
	sup     *supervisor.Supervisor
	servers []*http.Server
	ctx     context.Context // ends with Close; long calls and streams live by it
	cancel  context.CancelFunc
	running sync.WaitGroup

	large, largeOfRoot turns

	gauges func() []Gauge // see ServeWith
}

// Serve answers the API on a unix socket and, if tcp is not nil, on TCP. Its signature is that of DaemonOptions.Serve.
func Serve(d *supervisor.Daemon, unix *net.UnixListener, tcp net.Listener) (io.Closer, error) {
	return ServeWith(nil)(d, unix, tcp)
}

// ServeWith returns a function as Serve, whose metrics have those gauges, too: what the host has besides programs. They
// are asked for at each call of the metrics, by several goroutines at once.
func ServeWith(gauges func() []Gauge) func(*supervisor.Daemon, *net.UnixListener, net.Listener) (io.Closer, error) {
	return func(d *supervisor.Daemon, unix *net.UnixListener, tcp net.Listener) (io.Closer, error) {
		return serve(d, unix, tcp, gauges)
	}
}

func serve(d *supervisor.Daemon, unix *net.UnixListener, tcp net.Listener, gauges func() []Gauge) (io.Closer, error) {
	s := &Server{daemon: d, sup: d.Supervisor(), large: make(turns, largeAnswers),
		largeOfRoot: make(turns, largeAnswers), gauges: gauges}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	handler := newGuard(&d.Config().Daemon, s.routes())
	slots := newSlots()
	for _, l := range []net.Listener{unix, tcp} {
		if l == nil {
			continue
		}
		hs := &http.Server{
			Handler: handler, ConnContext: withPeer,
			BaseContext:       func(net.Listener) context.Context { return s.ctx },
			ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
			MaxHeaderBytes: 16 << 10, ErrorLog: nil,
		}
		s.servers = append(s.servers, hs)
		bl := slotListener{l, slots}
		s.running.Go(func() {
			if err := hs.Serve(bl); !errors.Is(err, http.ErrServerClosed) {
				log := d.Log()
				log.Error().Err(err).Msg("the API listener failed")
			}
		})
	}
	s.openMetrics()
	return s, nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /RPC2", s.serveRPC)
	mux.HandleFunc("GET /logtail/{name}", s.serveLog)
	mux.HandleFunc("GET /logtail/{name}/{stream}", s.serveLog)
	mux.HandleFunc("GET /mainlogtail", s.serveMainLog)
	mux.HandleFunc("GET /metrics", s.serveMetrics)
	return mux
}

// Close ends the listeners and gives calls in progress a moment to end.
func (s *Server) Close() error {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	for _, hs := range s.servers {
		if err := hs.Shutdown(ctx); err != nil {
			errs = append(errs, hs.Close())
		}
	}
	s.running.Wait()
	return errors.Join(errs...)
}

// serveRPC answers one XML-RPC call.
func (s *Server) serveRPC(w http.ResponseWriter, r *http.Request) {
	name, params, err := decodeCall(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		http.Error(w, "cannot read the call: "+err.Error(), http.StatusBadRequest)
		return
	}
	p, _ := r.Context().Value(peerKey{}).(peer)
	if isLarge(name) {
		turns := s.large
		if p.admin() {
			turns = s.largeOfRoot
		}
		done := turns.take(r.Context())
		if done == nil {
			http.Error(w, "the supervisor is busy with other large answers: try again, or ask for less",
				http.StatusServiceUnavailable)
			return
		}
		defer done()
	}
	var body []byte
	if v, err := s.call(r.Context(), p, name, params); err != nil {
		body = encodeFault(faultOf(err))
	} else {
		body = encodeResponse(v)
	}
	if len(body) > maxAnswerBytes+maxAnswerBytes/16 { // what a multicall has around its parts is not counted there
		body = encodeFault(&Fault{faults.Failed,
			fmt.Sprintf("FAILED: the answer has %d bytes, more than %d: ask for less", len(body), maxAnswerBytes)})
	}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = pace(w, answerTimeout).Write(body) // a client that has gone misses nothing
}
