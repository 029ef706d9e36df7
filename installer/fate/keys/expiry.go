package keys

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Validity says whether a certificate can be used now.
type Validity string

// The validities, from good to bad.
const (
	Valid      Validity = "valid"
	Expiring   Validity = "expiring"   // it ends within 30 days
	NotYet     Validity = "not_yet"    // it begins later than now: the clock is wrong, or that of its maker was
	Expired    Validity = "expired"    // no peer accepts it any more
	Unreadable Validity = "unreadable" // Problem says why
)

// Certificate says how long a certificate file is good for.
type Certificate struct {
	File      string    `json:"file"`                // its path
	Subject   string    `json:"subject,omitempty"`   // whose it is: the common name
	NotBefore time.Time `json:"not_before,omitzero"` // when it begins
	NotAfter  time.Time `json:"not_after,omitzero"`  // when it ends
	Validity  Validity  `json:"validity"`            // valid, expiring, not_yet, expired or unreadable
	DaysLeft  int       `json:"days_left"`           // whole days until it ends; negative when it has ended
	Problem   string    `json:"problem,omitempty"`   // why it cannot be read
}

// Bad reports whether a peer refuses the certificate.
func (c Certificate) Bad() bool { return c.Validity != Valid && c.Validity != Expiring }

// String says in a few words how long the certificate is good for, without its file.
func (c Certificate) String() string {
	switch c.Validity {
	case Unreadable:
		return c.Problem
	case NotYet:
		return "it is valid only from " + c.NotBefore.UTC().Format(time.DateTime) + " UTC"
	case Expired:
		return "it expired on " + c.NotAfter.UTC().Format(time.DateOnly)
	}
	return "it expires on " + c.NotAfter.UTC().Format(time.DateOnly)
}

// Expiries reads the certificates among files, those named .pem. Of a file with several certificates the one that ends
// first counts: a chain is as good as that.
func Expiries(files []File, now time.Time) []Certificate {
	var out []Certificate
	for _, f := range files {
		if path.Ext(f.Name) == ".pem" {
			out = append(out, expiryOf(f, now))
		}
	}
	return out
}

func expiryOf(f File, now time.Time) Certificate {
	c := Certificate{File: f.Name}
	cert, err := FirstToEnd(f.Content)
	if err != nil {
		c.Validity, c.Problem = Unreadable, err.Error()
		return c
	}
	c.Subject = strings.ToValidUTF8(cert.Subject.CommonName, "?")
	c.NotBefore, c.NotAfter = cert.NotBefore, cert.NotAfter
	c.judge(now)
	return c
}

// judge sets what follows from the clock.
func (c *Certificate) judge(now time.Time) {
	left := c.NotAfter.Sub(now)
	c.DaysLeft = int(left / (24 * time.Hour))
	switch {
	case left < 0:
		c.Validity = Expired
		c.DaysLeft = min(c.DaysLeft, -1)
	case now.Before(c.NotBefore):
		c.Validity = NotYet
	case left < ExpirySoon:
		c.Validity = Expiring
	default:
		c.Validity = Valid
	}
}

// FirstToEnd returns the certificate of a PEM file that ends first.
func FirstToEnd(data []byte) (*x509.Certificate, error) {
	var first *x509.Certificate
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("its certificate cannot be read: %w", err)
		}
		if first == nil || cert.NotAfter.Before(first.NotAfter) {
			first = cert
		}
	}
	if first == nil {
		return nil, errors.New("it holds no PEM certificate")
	}
	return first, nil
}
