package flow

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"
)

// TestSignature compares with signatures that python's hmac module made.
func TestSignature(t *testing.T) {
	k := Key{App: "an app", Secret: "s3cret"}
	for body, want := range map[string]string{
		`{"module":"FATE"}`: "KxcOQmwLfP4FQiki/e9VfO3BU3U=",
		"":                  "V1FqTPaMJGa6xfCG39/XgzlxL+k=",
		"{}":                "V1FqTPaMJGa6xfCG39/XgzlxL+k=",
	} {
		if got := k.signature("1763769600000", "n0nce", "/v1/version/get", []byte(body)); got != want {
			t.Errorf("signature of %q is %s, want %s", body, got, want)
		}
	}
}

// TestRequestsAreSigned checks what arrives as Flow does, and that without a key nothing is added.
func TestRequestsAreSigned(t *testing.T) {
	key := Key{App: "an app", Secret: "s3cret"}
	nonces := map[string]bool{}
	flow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		retcode := RetcodeAuthentication
		sent, _ := strconv.ParseInt(h.Get("TIMESTAMP"), 10, 64)
		if h.Get("APP_KEY") == key.App && time.Since(time.UnixMilli(sent)).Abs() < time.Minute &&
			!nonces[h.Get("NONCE")] &&
			h.Get("SIGNATURE") == key.signature(h.Get("TIMESTAMP"), h.Get("NONCE"), r.URL.RequestURI(), body) {
			retcode = RetcodeSuccess
		}
		nonces[h.Get("NONCE")] = true
		_ = json.NewEncoder(w).Encode(map[string]any{"retcode": retcode, "retmsg": "",
			"data": map[string]string{"FATE": "1.11.4"}})
	}))
	defer flow.Close()
	signed := &Client{BaseURL: flow.URL, Key: key}
	for range 2 {
		if v, err := signed.Version(context.Background()); v != "1.11.4" {
			t.Errorf("version %q, %v", v, err)
		}
	}
	for _, k := range []Key{{}, {App: key.App}, {App: key.App, Secret: "other"}} {
		if _, err := (&Client{BaseURL: flow.URL, Key: k}).Version(context.Background()); err == nil {
			t.Errorf("key %q is let in", k.App)
		}
	}
}
