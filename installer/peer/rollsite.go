package peer

import (
	"bytes"
	"context"
	"crypto/md5" // #nosec G501 -- eggroll's own token
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Rollsite asks questions of eggroll's rollsite: the few commands it understands itself (EggSiteServicer.processCommand
// of eggroll 2.2 to 2.5), each of which a rollsite passes on when it is not the party they are for.
type Rollsite struct {
	Addr string      // host:port to connect to
	TLS  *tls.Config // nil: in clear text
	From string      // the party that asks

	dial func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the network's own
}

// unaryPath is the method of every command, knockPath one that no server has.
const (
	unaryPath = "/com.webank.ai.eggroll.api.networking.proxy.DataTransferService/unaryCall"
	knockPath = "/fate.installer.Nothing/knock"
)

// StatusError is the answer of a gRPC server that could not do what it was asked.
type StatusError struct {
	Code    int // https://grpc.github.io/grpc/core/md_doc_statuscodes.html
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("it answers with gRPC status %d: %s", e.Code, e.Message)
}

// The gRPC statuses that mean something here.
const (
	codeDeadline      = 4
	codeUnimplemented = 12
)

var errNotGRPC = errors.New("it does not speak gRPC")

// Ping asks the party's rollsite for a sign of life, and returns how long that took. Extra bytes are sent
// along, to try large packets. A real rollsite takes its time of one second before it answers.
func (r *Rollsite) Ping(ctx context.Context, party string, extra int) (time.Duration, error) {
	began := time.Now()
	answer, err := r.call(ctx, unaryPath, packet{
		From: topic{Party: r.From, Role: routeRole}, To: topic{Party: party, Role: routeRole}, Operator: "ping",
		Key: "ping", Value: make([]byte, extra),
	})
	if err != nil {
		return 0, err
	}
	if answer.Operator != "pong" && string(answer.Value) != "pong" {
		return 0, fmt.Errorf("it answers a ping with %q", answer.Operator)
	}
	return time.Since(began), nil
}

// routeRole is the role whose route a rollsite has for itself.
const routeRole = "default"

// saltLength is how many bytes a rollsite cuts off the front of the value.
const saltLength = 13

// Reload has the rollsite of the party read its route table from the disk now, instead of within a minute. The command
// for it is the one that replaces the table: given a table that is none, the rollsite writes nothing, and reads the
// file. It takes the key of the route table, and an address of its whitelist to come from.
func (r *Rollsite) Reload(ctx context.Context, party, key string) error {
	value := fmt.Sprintf("%0*d{}", saltLength, time.Now().UnixMilli())
	sum := md5.Sum([]byte(value + key)) // #nosec G401 -- eggroll's own token
	answer, err := r.call(ctx, unaryPath, packet{
		From: topic{Party: r.From, Role: routeRole}, To: topic{Party: party, Role: routeRole},
		Operator: "set_route_table", Key: hex.EncodeToString(sum[:]), Value: []byte(value),
	})
	if err != nil {
		return fmt.Errorf("cannot have the rollsite at %s read its routes: %w", r.Addr, err)
	}
	if text := string(answer.Value); !strings.Contains(text, "finished") {
		return fmt.Errorf("cannot have the rollsite at %s read its routes: it answers %q", r.Addr, text)
	}
	return nil
}

// knock succeeds when a gRPC server says that it does not have the method.
func (r *Rollsite) knock(ctx context.Context) error {
	transport, scheme := r.transport()
	defer transport.CloseIdleConnections()
	return r.knockOver(ctx, transport, scheme)
}

// knockOver is knock over a transport that may have a connection already.
func (r *Rollsite) knockOver(ctx context.Context, transport *http.Transport, scheme string) error {
	_, err := r.callOver(ctx, transport, scheme, knockPath, packet{})
	var status *StatusError
	if errors.As(err, &status) && status.Code == codeUnimplemented {
		return nil
	}
	return err
}

// call makes one gRPC call. The deadline of ctx travels with it, and from rollsite to rollsite: a message that runs in
// a circle, because every rollsite on the way takes another one for its receiver, ends with it.
func (r *Rollsite) call(ctx context.Context, method string, p packet) (packet, error) {
	transport, scheme := r.transport()
	defer transport.CloseIdleConnections()
	return r.callOver(ctx, transport, scheme, method, p)
}

// callOver is call over a transport that may have a connection already.
func (r *Rollsite) callOver(ctx context.Context, transport *http.Transport, scheme, method string, p packet) (packet,
	error) {
	message := p.encode()
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	target := url.URL{Scheme: scheme, Host: r.Addr, Path: method}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(),
		bytes.NewReader(append(frame, message...)))
	if err != nil {
		return packet{}, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	if until, ok := ctx.Deadline(); ok {
		req.Header.Set("Grpc-Timeout", strconv.FormatInt(max(1, time.Until(until).Milliseconds()), 10)+"m")
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return packet{}, err
	}
	defer resp.Body.Close()
	return readAnswer(resp)
}

// transport speaks HTTP/2 and nothing else, as gRPC does.
func (r *Rollsite) transport() (*http.Transport, string) {
	t := &http.Transport{Protocols: new(http.Protocols), DialContext: r.dial}
	if r.TLS == nil {
		t.Protocols.SetUnencryptedHTTP2(true)
		return t, "http"
	}
	t.Protocols.SetHTTP2(true)
	t.TLSClientConfig = r.TLS
	return t, "https"
}

// maxAnswer bounds what is read of an answer; a pong has a few bytes.
const maxAnswer = 1 << 20

func readAnswer(resp *http.Response) (packet, error) {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/grpc") {
		return packet{}, fmt.Errorf("%w: it answers %s with %q", errNotGRPC, resp.Status,
			resp.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return packet{}, err
	}
	status, message := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if status == "" { // an answer without a message has its status in front
		status, message = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	if status != "0" {
		code, _ := strconv.Atoi(status) // blank is as bad as any other
		if decoded, err := url.PathUnescape(message); err == nil {
			message = decoded
		}
		return packet{}, &StatusError{code, message}
	}
	if len(body) < 5 || uint64(binary.BigEndian.Uint32(body[1:])) != uint64(len(body)-5) || body[0] != 0 {
		return packet{}, fmt.Errorf("%w: its message has a wrong frame", errNotGRPC)
	}
	return parsePacket(body[5:])
}
