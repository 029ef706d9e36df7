package peer

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"fate-installer/installer/fate/keys"
)

// tls shakes hands with a port that is to speak TLS, and returns the configuration for what follows.
func (p *Prober) tls(ctx context.Context, r *report) (config *tls.Config, ok bool) {
	if !r.target.Secure {
		return nil, true
	}
	host, _, _ := net.SplitHostPort(r.target.Addr) // name has parsed it
	asked := false
	config = &tls.Config{
		ServerName: host, NextProtos: []string{"h2"}, Time: p.Now, MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			if p.Identity == nil || p.Identity.Certificate == nil {
				return &tls.Certificate{}, nil
			}
			return p.Identity.Certificate, nil
		},
	}
	if p.Identity != nil {
		config.RootCAs = p.Identity.Roots
	} else {
		// #nosec G402 -- shown, and reported as unverified
		config.InsecureSkipVerify = true // shown, and reported as unverified
	}
	state, err := handshake(ctx, r.target.Addr, config)
	if err != nil {
		measured, remedy := p.explainTLS(err)
		r.add("tls", Failed, remedy, measured)
		return nil, false
	}
	leaf := state.PeerCertificates[0]
	text := fmt.Sprintf("%s, %s, issued by %s, until %s, sha256 %x", tls.VersionName(state.Version),
		leaf.Subject.CommonName, leaf.Issuer.CommonName,
		leaf.NotAfter.UTC().Format(time.DateOnly), sha256.Sum256(leaf.Raw))
	switch {
	case p.Identity == nil:
		r.add("tls", Warning, "give the keys of this side, with --keys, or install them",
			text+"; not verified: there are no keys here")
	case leaf.NotAfter.Sub(p.Now()) < keys.ExpirySoon:
		r.add("tls", Warning, "the other side has to renew its certificate", text)
	default:
		r.add("tls", OK, "", text)
	}
	p.clientCertificate(ctx, r, config, asked)
	return config, true
}

func handshake(ctx context.Context, addr string, config *tls.Config) (tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	raw, err := dial(ctx, addr)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer raw.Close()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, err
	}
	// In TLS 1.3 a server that does not like our certificate says so after the handshake; a server that does, begins.
	if err := raw.SetReadDeadline(time.Now().Add(answerTimeout)); err != nil {
		return tls.ConnectionState{}, err
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil && isAlert(err) {
		return tls.ConnectionState{}, err
	}
	return conn.ConnectionState(), nil
}

// speaksTLS reports whether a port completes a TLS handshake with any certificate.
func speaksTLS(ctx context.Context, addr string) bool {
	// #nosec G402 -- only whether the port speaks TLS; nothing is sent
	state, err := handshake(ctx, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"},
		MinVersion: tls.VersionTLS12})
	return err == nil && len(state.PeerCertificates) > 0
}

func isAlert(err error) bool {
	var alert tls.AlertError
	var op *net.OpError
	return errors.As(err, &alert) || errors.As(err, &op) && op.Op == "remote error"
}

// clientCertificate finds out whether the server lets in who shows no certificate, as upstream's configuration does.
func (p *Prober) clientCertificate(ctx context.Context, r *report, config *tls.Config, asked bool) {
	bare := config.Clone()
	bare.GetClientCertificate = nil
	_, err := handshake(ctx, r.target.Addr, bare)
	switch {
	case err != nil:
		r.add("tls-client", OK, "", "who shows no certificate is refused")
	case asked:
		r.add("tls-client", Warning, "rollsite.client_auth: true in the other side's cluster file makes it demand one",
			"asks for a certificate, and lets in who has none")
	default:
		r.add("tls-client", Warning, "rollsite.client_auth: true in the other side's cluster file makes it demand one",
			"asks for no certificate: only one side is proven")
	}
}

// explainTLS says what is wrong with the other side's certificate, or with ours.
func (p *Prober) explainTLS(err error) (measured, remedy string) {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if now := p.Now(); now.Before(invalid.Cert.NotBefore) {
			return fmt.Sprintf("its certificate is valid only from %s, and here it is %s",
					stamp(invalid.Cert.NotBefore), stamp(now)),
				"set the clock that is wrong, this host's or the one where the certificate was made"
		}
		return fmt.Sprintf("its certificate expired on %s; here it is %s",
				stamp(invalid.Cert.NotAfter), stamp(p.Now())),
			"renew the keys of both sides: fate-installer keys; if the date here is wrong, set this host's clock"
	case errors.As(err, &name):
		return fmt.Sprintf("its certificate is for %s, and not for %s", certificateNames(name.Certificate), name.Host),
			"make keys with this address among the other side's rollsite.public_names, or correct the route"
	case errors.As(err, &authority):
		return fmt.Sprintf("its certificate was issued by %q, which is not the CA that this side expects",
				issuer(authority.Cert)),
			"install keys that were made together: fate-installer keys, one archive for each side"
	case errors.As(err, &record):
		return "the port does not speak TLS",
			"one side has is_secure and the other has not, or the port is the plain one (9370 instead of 9371)"
	case isAlert(err):
		return "it refuses this side's certificate: " + reason(err),
			"install keys that were made together: fate-installer keys, one archive for each side; compare the clocks"
	}
	return "no TLS handshake: " + reason(err), "look whether a rollsite with TLS listens there"
}

func issuer(c *x509.Certificate) string {
	if c == nil {
		return "no known name"
	}
	return c.Issuer.CommonName
}

func certificateNames(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return fmt.Sprint(names)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// http2Preface is how a client begins to speak HTTP/2 in clear text, and an empty SETTINGS frame (RFC 9113, 3.4 and
// 6.5).
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// settingsFrame is the type of the frame that a server answers with.
const settingsFrame = 4

// speaksClear reports whether a port answers HTTP/2 in clear text.
func speaksClear(ctx context.Context, addr string) (bool, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return false, err
	}
	if _, err := io.WriteString(conn, http2Preface); err != nil {
		return false, nil // it has hung up
	}
	head := make([]byte, 9)
	if _, err := io.ReadFull(conn, head); err != nil {
		return false, nil // it has hung up, or waits for something else
	}
	return head[3] == settingsFrame, nil
}

// clearText checks that what is to be encrypted cannot be had in clear text.
func (p *Prober) clearText(ctx context.Context, r *report) {
	if !r.target.Secure {
		r.add("clear-text", Warning, "use TLS if the network between is not your own: fate-installer init --tls",
			"messages are readable on the way: the route is plain")
		return
	}
	if clear, err := speaksClear(ctx, r.target.Addr); err == nil && clear {
		r.add("clear-text", Failed, "it is no TLS port: compare rollsite.secure_port of the other side",
			"the port answers in clear text")
	} else {
		r.add("clear-text", OK, "", "the port refuses clear text")
	}
	if r.target.Plain == "" {
		return
	}
	if clear, err := speaksClear(ctx, r.target.Plain); err == nil && clear {
		r.add("clear-text", Warning,
			"a rollsite needs it for its own party: let no other host through the firewall in front of it",
			r.target.Plain+" answers in clear text, also to this host")
	} else {
		r.add("clear-text", OK, "", r.target.Plain+" cannot be reached in clear text from here")
	}
}
