package flow

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- HMAC-SHA1 is FATE-Flow's own signature
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Key identifies a client to FATE-Flow when authentication.client is switched on: http_app_key and http_secret_key
// of service_conf.yaml. The zero value signs nothing.
type Key struct {
	App    string
	Secret string
}

// sign adds the headers that a Flow with authentication demands. Flow refuses requests whose time differs by more than
// 60 s from its own.
func (k Key) sign(req *http.Request, body []byte, now time.Time) {
	if k.App == "" || k.Secret == "" {
		return
	}
	timestamp, nonce := strconv.FormatInt(now.UnixMilli(), 10), rand.Text()
	// Underscores in names: nginx passes such headers on only because an option says so.
	req.Header.Set("TIMESTAMP", timestamp)
	req.Header.Set("NONCE", nonce)
	req.Header.Set("APP_KEY", k.App)
	req.Header.Set("SIGNATURE", k.signature(timestamp, nonce, req.URL.RequestURI(), body))
}

// signature is the one that Flow computes (fate_flow's client authentication): HMAC-SHA1 over lines, of which the last
// is for forms, which we never send. To Flow an empty JSON document is no body at all.
func (k Key) signature(timestamp, nonce, path string, body []byte) string {
	switch string(body) {
	case "{}", "[]", "null", `""`:
		body = nil
	}
	mac := hmac.New(sha1.New, []byte(k.Secret))
	mac.Write([]byte(strings.Join([]string{timestamp, nonce, k.App, path, string(body), ""}, "\n")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
