package peer

import (
	"context"
	"crypto/md5" //nolint:gosec // eggroll's own token
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// rollsiteStub answers set_route_table as EggSiteServicer does.
func rollsiteStub(t *testing.T, key string, updates *[]string) string {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || len(body) < 5 {
			t.Errorf("%d bytes: %v", len(body), err)
			return
		}
		p, err := parsePacket(body[5:])
		if err != nil || p.To.Party != "10000" || p.Operator != "set_route_table" {
			t.Errorf("%+v: %v", p, err)
		}
		text := "setRouteTable failed. Token verification failed."
		sum := md5.Sum([]byte(string(p.Value) + key)) //nolint:gosec // as above
		if hex.EncodeToString(sum[:]) == p.Key {
			*updates = append(*updates, string(p.Value[saltLength:]))
			text = "setRouteTable finished"
		}
		answer := packet{Value: []byte(text)}.encode()
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(answer))), answer...))
		w.Header().Set("Grpc-Status", "0")
	})
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestReloadReplacesNothing: what is sent is no route table, so that a rollsite writes nothing and reads its file.
func TestReloadReplacesNothing(t *testing.T) {
	var updates []string
	r := &Rollsite{Addr: rollsiteStub(t, "the key", &updates), From: "10000"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.Reload(ctx, "10000", "the key"); err != nil {
		t.Fatal(err)
	}
	if len(updates) != 1 || updates[0] != "{}" {
		t.Errorf("the rollsite was given %q", updates)
	}
	if err := r.Reload(ctx, "10000", "another key"); err == nil ||
		!strings.Contains(err.Error(), "Token verification failed") {
		t.Errorf("with a wrong key: %v", err)
	}
}
