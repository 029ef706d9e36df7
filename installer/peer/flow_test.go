package peer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/peer"
)

// flowStub is a gRPC server that hands its calls to answer.
func flowStub(t *testing.T, answer func(body []byte, w http.ResponseWriter)) string {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Protocols: new(http.Protocols),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || r.URL.Path != "/com.webank.ai.eggroll.api.networking.proxy.DataTransferService/unaryCall" {
				t.Errorf("%s: %v", r.URL.Path, err)
			}
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status")
			answer(body, w)
		})}
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(socket) }()
	t.Cleanup(func() { _ = server.Close() })
	return socket.Addr().String()
}

// TestAskFlow: any answer of a worker will do; a call that nothing takes is distinct from a port that nothing serves.
func TestAskFlow(t *testing.T) {
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	free := flowStub(t, func(body []byte, w http.ResponseWriter) {
		for _, want := range []string{"/v1/version/get", "POST", `{"module":"FATE"}`} {
			if !strings.Contains(string(body), want) {
				t.Errorf("the call %q has no %q", body, want)
			}
		}
		_, _ = w.Write(binary.BigEndian.AppendUint32([]byte{0}, 0)) // an empty packet
		w.Header().Set("Grpc-Status", "0")
	})
	throws := flowStub(t, func(_ []byte, w http.ResponseWriter) { w.Header().Set("Grpc-Status", "2") })
	taken := flowStub(t, func([]byte, http.ResponseWriter) { <-done })
	other := flowStub(t, func(_ []byte, w http.ResponseWriter) { w.Header().Set("Grpc-Status", "12") })
	for name, tt := range map[string]struct {
		addr     string
		noWorker bool
		want     string // in the error; blank: none
	}{
		"a worker answers":      {free, false, ""},
		"a worker throws":       {throws, false, ""},
		"all workers are taken": {taken, true, "no free worker: FATE-Flow at " + taken + " has not taken a call"},
		"something else":        {other, false, "takes no gRPC call: it answers with gRPC status 12"},
		"nothing listens":       {"127.0.0.1:1", false, "takes no gRPC call"},
	} {
		t.Run(name, func(t *testing.T) {
			limit := time.Minute
			if tt.noWorker {
				limit = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			err := peer.AskFlow(ctx, tt.addr)
			if (err == nil) != (tt.want == "") || errors.Is(err, peer.ErrNoWorker) != tt.noWorker {
				t.Fatalf("error %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}
