package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
)

// Metrics describes where the supervisor serves its metrics to others than those on its socket. It shows what runs, and
// changes nothing.
type Metrics struct {
	Addr     string // host:port; "": nowhere
	Username string
	Password Password // or {SHA256} and the digest of the password, in hex
	CertFile string   // with KeyFile: served over TLS
	KeyFile  string
	ClientCA string // file with the CAs of clients that need no password
	Plain    bool   // without TLS also at addresses that other hosts reach

	Fault string // why nothing is served although the section is there; then the rest is empty
}

// metricsSection is the section with the settings of [Metrics]: an addition to supervisord's dialect.
const metricsSection = "metrics_http_server"

var metricsKeys = []key[Daemon]{
	added("port", "", "host:port where GET /metrics is answered",
		text(func(d *Daemon) *string { return &d.Metrics.Addr })),
	added("username", "", "user name that a client has to give",
		text(func(d *Daemon) *string { return &d.Metrics.Username })),
	added("password", "", "password of clients, or {SHA256} and its digest",
		secret(func(d *Daemon) *Password { return &d.Metrics.Password })),
	added("certfile", "", "PEM file with the certificate, for TLS",
		text(func(d *Daemon) *string { return &d.Metrics.CertFile })),
	added("keyfile", "", "PEM file with its key",
		text(func(d *Daemon) *string { return &d.Metrics.KeyFile })),
	added("client_ca", "", "PEM file with the CAs of clients that need no password",
		text(func(d *Daemon) *string { return &d.Metrics.ClientCA })),
	added("plaintext", "false", "allow a port without TLS that other hosts reach",
		boolean(func(d *Daemon) *bool { return &d.Metrics.Plain })),
}

// TLS reports whether the metrics are served over TLS.
func (m *Metrics) TLS() bool { return m.CertFile != "" }

// problems says why the settings cannot be used.
func (m *Metrics) problems() (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	host, port, err := net.SplitHostPort(m.Addr)
	if err != nil || port == "" {
		add("port: %q is no host:port", m.Addr)
	}
	for _, file := range []string{m.CertFile, m.KeyFile, m.ClientCA} {
		if file != "" && !filepath.IsAbs(file) {
			add("%s is no absolute path", file)
		}
	}
	if (m.CertFile == "") != (m.KeyFile == "") {
		add("needs certfile and keyfile, or neither")
	}
	if m.ClientCA != "" && m.CertFile == "" {
		add("client_ca needs certfile and keyfile: a client shows its certificate over TLS only")
	}
	if (m.Username == "") != (m.Password == "") || m.Username == "" && m.ClientCA == "" {
		add("needs username and password, or client_ca")
	}
	if digest, ok := m.Password.SHA256(); ok && len(digest) != sha256.Size {
		add("password: {SHA256} takes the 64 hexadecimal digits of the digest and nothing else")
	}
	if strings.ContainsAny(m.Username, ":") {
		add("username: a colon ends the name in what clients send")
	}
	if err == nil && !m.TLS() && !m.Plain && !isLoopback(host) {
		add("other hosts reach %s: it needs certfile and keyfile, or plaintext=true, which sends the password in clear",
			m.Addr)
	}
	return out
}

// SHA256 is the digest of a password that is written as {SHA256} and 64 hexadecimal digits. It reports whether the
// password is written so; what is no digest then gives nil, which is that of no password.
func (p Password) SHA256() (digest []byte, ok bool) {
	text, ok := strings.CutPrefix(string(p), "{SHA256}")
	if !ok {
		return nil, false
	}
	digest, err := hex.DecodeString(text)
	if err != nil || len(digest) != sha256.Size {
		return nil, true
	}
	return digest, true
}

// isLoopback reports whether only this host reaches an address.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// MetricsKeys lists the keys of the section for metrics.
func MetricsKeys() []Key {
	var out []Key
	for _, k := range metricsKeys {
		out = append(out, Key{k.name, k.about, k.def})
	}
	return out
}
