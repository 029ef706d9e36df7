package peer

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"

	"time"
)

// Paths of the listener besides the rollsite's own method.
const (
	helloPath = "/fate-installer/party-test"
	backPath  = "/fate-installer/party-test/back"
)

// TestPort is where a listener can be found on a host whose rollsite runs, and so has the port of the route.
const TestPort = 9377

// Hello describes a listener.
type Hello struct {
	Role    string    `json:"role"`
	Party   string    `json:"party"` // blank for an exchange
	Version string    `json:"version"`
	Time    time.Time `json:"time"`

	base   string        // URL to ask for more; set by the one who was greeted
	client *http.Client  // to ask with
	trip   time.Duration // how long the answer took
}

// Listener stands in for a rollsite that is not installed yet, and answers the questions of a test on the other side.
// It tells nothing but who it is and what time it has, and tests on request only the ways that its own side has anyway.
type Listener struct {
	Hello Hello                                            // but for the time
	Back  func(ctx context.Context, party string) []Result // tests the way to a party of its own route table
	Heard func(remote, what string)                        // called for each question; may be nil
	Now   func() time.Time
}

// Serve answers on a socket until ctx ends. With a configuration it speaks TLS, otherwise HTTP and gRPC in clear text.
func (l *Listener) Serve(ctx context.Context, socket net.Listener, config *tls.Config) error {
	server := &http.Server{
		Handler: l.handler(), ReadHeaderTimeout: answerTimeout, Protocols: new(http.Protocols),
		ErrorLog: log.New(io.Discard, "", 0), // handshakes that fail are the other side's to report
	}
	server.Protocols.SetHTTP1(true)
	if config == nil {
		server.Protocols.SetUnencryptedHTTP2(true)
	} else {
		config = config.Clone()
		config.NextProtos = []string{"h2", "http/1.1"}
		server.Protocols.SetHTTP2(true)
		server.TLSConfig = config
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	var err error
	if config == nil {
		err = server.Serve(socket)
	} else {
		err = server.ServeTLS(socket, "", "")
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("cannot listen on %s: %w", socket.Addr(), err)
}

func (l *Listener) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+helloPath, func(w http.ResponseWriter, r *http.Request) {
		l.tell(r, "asked who this is")
		hello := l.Hello
		hello.Time = l.Now()
		writeJSON(w, hello)
	})
	mux.HandleFunc("POST "+backPath, func(w http.ResponseWriter, r *http.Request) {
		party := r.URL.Query().Get("party")
		l.tell(r, "asked for a test of the way back to party "+party)
		results := []Result{}
		if l.Back != nil {
			results = append(results, l.Back(r.Context(), party)...)
		}
		writeJSON(w, results)
	})
	mux.HandleFunc("POST /", l.unary)
	return mux
}

func (l *Listener) tell(r *http.Request, what string) {
	if l.Heard != nil {
		l.Heard(r.RemoteAddr, what)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who has hung up needs no answer
}

// unary answers gRPC calls as the rollsite of the party would, as far as a test goes.
func (l *Listener) unary(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	end := func(code int, message string) {
		w.Header().Set("Grpc-Status", strconv.Itoa(code))
		w.Header().Set("Grpc-Message", message)
	}
	if r.URL.Path != unaryPath {
		end(codeUnimplemented, "this is fate-installer party test, not a rollsite")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil || len(body) < 5 {
		end(3, "the message cannot be read") // INVALID_ARGUMENT
		return
	}
	question, err := parsePacket(body[5:])
	if err != nil || question.Operator != "ping" {
		end(3, "this is fate-installer party test, which understands only ping")
		return
	}
	l.tell(r, fmt.Sprintf("a ping for party %s, from party %s", question.To.Party, question.From.Party))
	if question.To.Party != l.Hello.Party {
		end(13, "The routing table not have current party="+question.To.Party) // INTERNAL, in the words of a rollsite
		return
	}
	answer := packet{Operator: "pong"}.encode()
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(answer)))
	if _, err := w.Write(append(frame, answer...)); err == nil {
		end(0, "")
	}
}

// roleExchange is the role of a side that is no party.
const roleExchange = "exchange"

func baseURL(addr string, config *tls.Config) string {
	if config != nil {
		return "https://" + addr
	}
	return "http://" + addr
}

// greet asks whether an installer listens at the target, or on the test port next to the rollsite that is there.
func (p *Prober) greet(ctx context.Context, r *report, config *tls.Config) (*Hello, time.Time) {
	host, _, _ := net.SplitHostPort(r.target.Addr)
	if config != nil {
		config = config.Clone()
		config.NextProtos = []string{"http/1.1"}
	}
	for _, base := range []string{baseURL(r.target.Addr, config),
		"http://" + net.JoinHostPort(host, strconv.Itoa(TestPort))} {
		client := &http.Client{Timeout: answerTimeout, Transport: &http.Transport{TLSClientConfig: config,
			DisableKeepAlives: true}}
		hello := &Hello{base: base, client: client}
		began := time.Now()
		if err := hello.get(ctx, http.MethodGet, helloPath, hello); err == nil {
			hello.trip = time.Since(began)
			return hello, p.Now()
		}
	}
	return nil, time.Time{}
}

// maxReport bounds what another side's test may say.
const maxReport = 1 << 20

func (h *Hello) get(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, h.base+path, nil)
	if err != nil {
		return err
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxReport)).Decode(into)
}

// Clocks that are further apart fail: FATE-Flow refuses signed requests that are a minute off.
const (
	clockWarn = 5 * time.Second
	clockFail = time.Minute
)

func (p *Prober) clock(r *report, hello *Hello, heard time.Time) {
	if hello == nil {
		r.add("clock", Skipped, "run fate-installer party test --listen on the other side at the same time",
			"the peer reports no clock")
		return
	}
	off := hello.Time.Sub(heard.Add(-hello.trip / 2))
	text := fmt.Sprintf("the other clock is %s ahead, give or take %s", round(off), round(hello.trip/2))
	if off < 0 {
		text = fmt.Sprintf("the other clock is %s behind, give or take %s", round(-off), round(hello.trip/2))
	}
	const remedy = "set the clock that is wrong; for good, let both sides follow a time server (chrony)"
	switch {
	case off.Abs() > clockFail:
		r.add("clock", Failed, remedy, text)
	case off.Abs() > clockWarn:
		r.add("clock", Warning, remedy, text)
	default:
		r.add("clock", OK, "", text)
	}
}

// backTimeout is for the whole test of the way back, which may run into every time limit of its own.
const backTimeout = time.Minute

// askBack has the listener test the way back, and returns its results as ours.
func (p *Prober) askBack(ctx context.Context, r *report, hello *Hello) []Result {
	ctx, cancel := context.WithTimeout(ctx, backTimeout)
	defer cancel()
	hello.client.Timeout = backTimeout
	var results []Result
	if err := hello.get(ctx, http.MethodPost, backPath+"?party="+p.Party, &results); err != nil {
		r.add("back", Failed, "run fate-installer party test on the other side",
			"the other side does not report: "+reason(err))
		return nil
	}
	if len(results) == 0 {
		r.add("back", Failed, "add a route for this party on the other side: fate-installer party add",
			fmt.Sprintf("the other side has no route for party %s", p.Party))
		return nil
	}
	for i := range results {
		results[i].Direction = Back
	}
	return results
}
