package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Two organisations make the keys of their rollsites without having each other's. Each makes its own CA and private
// keys, and sends a request, which has no secret. The peer's answer is a certificate, of the peer's CA, for calling
// the peer. Where a side calls several, as an exchange does, the CA of that side signs the servers of all that it
// calls, too.

// caDirectory has what signs, below the directory of a side's keys. It is not installed.
const caDirectory = "ca/"

// Names in certificates and requests, after the role.
const (
	serverName = "-server.fate.fedai.org"
	clientName = "-client.fate.fedai.org"
)

// roles are those that a request may be of.
var roles = []string{"host", "guest", "exchange"}

// Own makes a side's own CA and keys, and the request for its peer. With shared, the CA is also the one of its
// peers, so that nothing has to be requested; the request is empty then.
func Own(side Side, shared bool, now time.Time, random io.Reader) (files []File, request []byte,
	err error) {
	m := &maker{req: Request{Sides: []Side{side}, Now: now, Random: random}}
	ca, err := m.authority(side.Role)
	if err != nil {
		return nil, nil, err
	}
	r := side.Role
	server, err := m.leaf(ca, r+serverName, side.Names, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return nil, nil, err
	}
	files = []File{
		{caDirectory + ca.authority.Name + ".pem", ca.authority.Cert}, {caDirectory + ca.authority.Name + ".key",
			ca.authority.Key},
		{r + "-ca.pem", ca.authority.Cert}, {r + "-server.pem", server.cert}, {r + "-server.key", server.key},
	}
	if shared {
		client, err := m.handover(ca, side.Role)
		if err != nil {
			return nil, nil, err
		}
		return append(files, File{r + "-client-ca.pem", client.CA}, File{r + "-client-client.pem",
			client.Cert},
			File{r + "-client-client.key", client.Key}), nil, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a key: %w", err)
	}
	clientKey, err := encodeKey(key)
	if err != nil {
		return nil, nil, err
	}
	serverKey, err := parseKey(server.key)
	if err != nil {
		return nil, nil, err
	}
	for _, one := range []struct {
		cn    string
		names []string
		key   crypto.Signer
	}{{r + clientName, nil, key}, {r + serverName, side.Names, serverKey}} {
		text, err := certificateRequest(one.cn, one.names, one.key, random)
		if err != nil {
			return nil, nil, err
		}
		request = append(request, text...)
	}
	return append(files, File{r + "-client-client.key", clientKey}), request, nil
}

func certificateRequest(cn string, names []string, key crypto.Signer, random io.Reader) ([]byte, error) {
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: cn}}
	for _, name := range names {
		if ip, err := netip.ParseAddr(name); err == nil {
			template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificateRequest(random, template, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make the request of %s: %w", cn, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// PeerRequest is a peer's request, taken apart and checked to be made with the keys that it is for.
type PeerRequest struct {
	Role           string   // of the peer
	Names          []string // that its server is to be called by
	client, server *x509.CertificateRequest
}

// ParsePeerRequest reads what Own made.
func ParsePeerRequest(data []byte) (*PeerRequest, error) {
	out := &PeerRequest{}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			return nil, errors.New(
				"it has a private key, which must never be sent: have the peer make new keys, and use this one nowhere")
		}
		csr, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("it cannot be read: %w", err)
		}
		if err := csr.CheckSignature(); err != nil {
			return nil, fmt.Errorf("it is not signed by its own key: %w", err)
		}
		role, target := out.slot(csr.Subject.CommonName)
		if target == nil || *target != nil || out.Role != "" && out.Role != role {
			return nil, fmt.Errorf("it has a request for %q, which is none of fate-installer keys request",
				csr.Subject.CommonName)
		}
		out.Role, *target = role, csr
	}
	if out.client == nil || out.server == nil {
		return nil, errors.New("it is no request of fate-installer keys request")
	}
	for _, ip := range out.server.IPAddresses {
		out.Names = append(out.Names, ip.String())
	}
	out.Names = append(out.Names, out.server.DNSNames...)
	return out, nil
}

// slot says which of the two requests has a common name.
func (p *PeerRequest) slot(cn string) (string, **x509.CertificateRequest) {
	for suffix, target := range map[string]**x509.CertificateRequest{clientName: &p.client, serverName: &p.server} {
		if name, ok := strings.CutSuffix(cn, suffix); ok {
			if slices.Contains(roles, name) {
				return name, target
			}
		}
	}
	return "", nil
}

// Sign answers a request with certificates of the CA: one for calling this side and, with shared, one for the peer's
// server, valid for those names only that are known to be the peer's.
func (p *PeerRequest) Sign(a Authority, shared bool, known []string, now time.Time, random io.Reader) ([]byte,
	error) {
	ca, err := loadAuthority(a)
	if err != nil {
		return nil, err
	}
	m := &maker{req: Request{Now: now, Random: random}}
	client, err := m.certify(ca, p.Role+clientName, nil, x509.ExtKeyUsageClientAuth, p.client.PublicKey)
	if err != nil {
		return nil, err
	}
	answer := append(bytes.Clone(a.Cert), client...)
	if !shared {
		return answer, nil
	}
	for _, name := range p.Names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("cannot sign for %s: it is no address of the %s in the cluster files (%s)", name,
				p.Role, strings.Join(known, ", "))
		}
	}
	server, err := m.certify(ca, p.Role+serverName, p.Names, x509.ExtKeyUsageServerAuth, p.server.PublicKey)
	return append(answer, server...), err
}

// ownNames are the files of a side that no answer replaces, and the certificates that one may replace.
var ownNames = []string{"ca.pem", "server.pem", "server.key", "client-client.key"}

// Complete adds a peer's answer to a side's own keys. Only what is to be installed is returned. Without shared, an
// answer with a certificate for the own server is refused: the peer's CA would then say whom this side accepts.
func Complete(role string, files []File, answer []byte, shared bool) ([]File, error) {
	certs := map[string][]byte{}
	for rest := answer; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		text := pem.EncodeToMemory(block)
		cert, err := parseCert(text)
		if err != nil {
			return nil, fmt.Errorf("cannot use the answer: %w", err)
		}
		switch {
		case cert.IsCA:
			certs["client-ca.pem"] = text
		case cert.Subject.CommonName == role+clientName:
			certs["client-client.pem"] = text
		case cert.Subject.CommonName == role+serverName:
			certs["server.pem"] = text
		default:
			return nil, fmt.Errorf("cannot use the answer: it is for %s, and these are keys of the %s",
				cert.Subject.CommonName, role)
		}
	}
	if certs["client-ca.pem"] == nil || certs["client-client.pem"] == nil {
		return nil, errors.New("cannot use the answer: it is none of fate-installer keys sign")
	}
	switch signed := certs["server.pem"] != nil; {
	case signed && !shared:
		return nil, errors.New(
			"cannot use the answer: the peer has signed this side's server, too, so that its CA would say whom this " +
				"side accepts")
	case !signed && shared:
		return nil, errors.New("cannot use the answer: it has no certificate for this side's server")
	case signed: // of the peer's CA, which then also signs the clients that this side accepts
		certs["ca.pem"] = certs["client-ca.pem"]
	}
	var out []File
	for _, f := range files {
		if name, ours := strings.CutPrefix(f.Name, role+"-"); ours && slices.Contains(ownNames, name) &&
			certs[name] == nil {
			out = append(out, f)
		}
	}
	for name, content := range certs {
		out = append(out, File{role + "-" + name, content})
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}
