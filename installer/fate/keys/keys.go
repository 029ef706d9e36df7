package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"strings"
	"time"
)

// Validity of what is made. A CA outlives its leaves, and a leaf never outlives its CA.
const (
	AuthorityValidity = 20 * 365 * 24 * time.Hour
	LeafValidity      = 10 * 365 * 24 * time.Hour
	clockSkew         = time.Hour // the peers' clocks may be behind
)

// Side is a side that uses TLS.
type Side struct {
	Role  string   // host, guest or exchange: file names and certificates begin with it
	Names []string // every address and name that a peer's route may have for its rollsite
}

// Request says what keys are to be made.
type Request struct {
	Sides    []Side // one, when the peer makes its own, or two, or three with one CA
	SharedCA bool   // one CA for all sides, or one for each
	Existing []Authority
	Now      time.Time
	Random   io.Reader // serial numbers
	FromPeer *Handover // with one side: what the peer handed over, or nil
}

// Authority is a CA with its key. The key stays where the keys are made and is never part of what a side gets.
type Authority struct {
	Name string // CN, for example fate_host-exchange
	Cert []byte // PEM
	Key  []byte // PEM, PKCS#8
}

// Handover has the files that a side gives to its peer: the CA that signed its server, and an identity for calling it.
type Handover struct {
	CA, Cert, Key []byte // PEM; upstream's names are ca.pem, client.pem and client.key
}

// File is a file by its name in the directory of keys.
type File struct {
	Name    string
	Content []byte
}

// Set is everything that was made.
type Set struct {
	Authorities []Authority
	Sides       map[string][]File // what to install on each side's rollsite hosts
	ForPeer     *Handover         // with one side: what to give to the peer
}

// New makes certificates under upstream's names, with what upstream's lack: every address in the server's SAN, a
// real name in the client's, and a CA that lives longer than what it signed. The leaves' keys are PKCS#8, the only
// form eggroll's TLS library reads.
func New(req Request) (*Set, error) {
	switch n := len(req.Sides); {
	case n == 0 || n > 3:
		return nil, fmt.Errorf("cannot make keys for %d sides: TLS joins two or three", n)
	case n == 3 && !req.SharedCA:
		return nil, errors.New("cannot make keys of three CAs: a rollsite knows one for all that it calls")
	}
	m := &maker{req: req}
	set := &Set{Sides: make(map[string][]File)}
	signers := make(map[string]*signer)
	for _, s := range req.Sides {
		ca, err := m.authority(s.Role)
		if err != nil {
			return nil, err
		}
		signers[s.Role] = ca
	}
	for _, ca := range m.made {
		set.Authorities = append(set.Authorities, ca.authority)
	}
	for i, s := range req.Sides {
		r := s.Role
		server, err := m.leaf(signers[s.Role], r+serverName, s.Names, x509.ExtKeyUsageServerAuth)
		if err != nil {
			return nil, err
		}
		out := []File{
			{r + "-ca.pem", signers[s.Role].authority.Cert},
			{r + "-server.pem", server.cert},
			{r + "-server.key", server.key},
		}
		// A side calls its peer with an identity that the peer's CA issued.
		client := req.FromPeer
		switch len(req.Sides) {
		case 1:
			set.ForPeer, err = m.handover(signers[s.Role], s.Role)
		case 2:
			peer := req.Sides[1-i]
			client, err = m.handover(signers[peer.Role], peer.Role)
		default: // with one CA, one identity does for all peers
			client, err = m.handover(signers[s.Role], s.Role)
		}
		if err != nil {
			return nil, err
		}
		if client != nil {
			out = append(out,
				File{r + "-client-ca.pem", client.CA}, File{r + "-client-client.pem", client.Cert},
				File{r + "-client-client.key", client.Key})
		}
		set.Sides[s.Role] = out
	}
	return set, nil
}

type maker struct {
	req  Request
	made []*signer
}

type signer struct {
	authority Authority
	cert      *x509.Certificate
	key       crypto.Signer
}

type leafPair struct{ cert, key []byte }

// authority finds or makes the CA of a side. Upstream names a shared CA after both sides.
func (m *maker) authority(role string) (*signer, error) {
	name := "fate_" + role
	if m.req.SharedCA {
		var names []string
		for _, s := range m.req.Sides {
			names = append(names, s.Role)
		}
		name = "fate_" + strings.Join(names, "-")
	}
	for _, ca := range m.made {
		if ca.authority.Name == name {
			return ca, nil
		}
	}
	for _, a := range m.req.Existing {
		if a.Name == name {
			ca, err := loadAuthority(a)
			if err != nil {
				return nil, err
			}
			if m.req.Now.After(ca.cert.NotAfter) {
				return nil, fmt.Errorf("cannot use the CA %s again: it expired on %s", name,
					ca.cert.NotAfter.Format(time.DateOnly))
			}
			m.made = append(m.made, ca)
			return ca, nil
		}
	}
	ca, err := m.newAuthority(name)
	if err != nil {
		return nil, fmt.Errorf("cannot make the CA %s: %w", name, err)
	}
	m.made = append(m.made, ca)
	return ca, nil
}

func (m *maker) newAuthority(name string) (*signer, error) {
	key, err := rsa.GenerateKey(m.req.Random, 2048)
	if err != nil {
		return nil, err
	}
	template, err := m.template(name, AuthorityValidity)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(m.req.Random, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return &signer{Authority{name, encodeCert(der), keyPEM}, cert, key}, nil
}

func (m *maker) template(cn string, validity time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(m.req.Random, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("cannot generate a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		// Upstream's subject, with its province and city the right way round.
		Subject: pkix.Name{
			Country: []string{"CN"}, Province: []string{"GuangDong"}, Locality: []string{"Shenzhen"},
			Organization: []string{"FATE"}, OrganizationalUnit: []string{"ops"}, CommonName: cn,
		},
		NotBefore: m.req.Now.Add(-clockSkew).UTC(), NotAfter: m.req.Now.Add(validity).UTC(),
	}, nil
}

func (m *maker) leaf(ca *signer, cn string, names []string, usage x509.ExtKeyUsage) (leafPair, error) {
	fail := func(err error) (leafPair, error) {
		return leafPair{}, fmt.Errorf("cannot make the certificate of %s: %w", cn, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), m.req.Random)
	if err != nil {
		return fail(err)
	}
	cert, err := m.certify(ca, cn, names, usage, key.Public())
	if err != nil {
		return fail(err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return fail(err)
	}
	return leafPair{cert, keyPEM}, nil
}

// certify makes the certificate of a key.
func (m *maker) certify(ca *signer, cn string, names []string, usage x509.ExtKeyUsage,
	key crypto.PublicKey) ([]byte, error) {
	template, err := m.template(cn, LeafValidity)
	if err != nil {
		return nil, err
	}
	if template.NotAfter.After(ca.cert.NotAfter) {
		template.NotAfter = ca.cert.NotAfter
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	template.BasicConstraintsValid = true
	for _, name := range names {
		if ip, err := netip.ParseAddr(name); err == nil {
			template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	if len(names) == 0 {
		template.DNSNames = []string{cn}
	}
	der, err := x509.CreateCertificate(m.req.Random, template, ca.cert, key, ca.key)
	if err != nil {
		return nil, fmt.Errorf("cannot sign %s: %w", cn, err)
	}
	return encodeCert(der), nil
}

// handover makes the identity with which the peer of a side calls it.
func (m *maker) handover(ca *signer, side string) (*Handover, error) {
	client, err := m.leaf(ca, side+clientName, nil, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, err
	}
	return &Handover{CA: ca.authority.Cert, Cert: client.cert, Key: client.key}, nil
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func loadAuthority(a Authority) (*signer, error) {
	cert, err := parseCert(a.Cert)
	if err != nil {
		return nil, fmt.Errorf("cannot use the CA %s: %w", a.Name, err)
	}
	key, err := parseKey(a.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot use the key of the CA %s: %w", a.Name, err)
	}
	if !cert.IsCA {
		return nil, fmt.Errorf("cannot use the CA %s: its certificate is not a CA's", a.Name)
	}
	if !samePublicKey(cert, key) {
		return nil, fmt.Errorf("cannot use the CA %s: its key belongs to another certificate", a.Name)
	}
	return &signer{a, cert, key}, nil
}

func parseCert(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it holds no PEM certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("its certificate cannot be read: %w", err)
	}
	return cert, nil
}

// parseKey reads an unencrypted PKCS#8 key, the only form that eggroll's TLS library accepts.
func parseKey(data []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("it holds no PEM key")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["Proc-Type"] != "":
		return nil, errors.New(
			"it is encrypted, and eggroll has no way to ask for the password; decrypt it with: openssl pkcs8 -topk8 " +
				"-nocrypt")
	case block.Type != "PRIVATE KEY":
		return nil, fmt.Errorf(
			"it is a %s, and eggroll reads only PKCS#8; convert it with: openssl pkcs8 -topk8 -nocrypt", block.Type)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("its key cannot be read: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("its key cannot sign")
	}
	return signer, nil
}

func samePublicKey(cert *x509.Certificate, key crypto.Signer) bool {
	public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(key.Public())
}
