package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/host"
)

// Bounds of what is read of the service user's files: a certificate has a few KiB, eggroll.properties hardly more.
const (
	certificateLimit = 256 << 10
	propertiesLimit  = 1 << 20
)

// securitySettings begin the names of the settings that name the files of rollsite's TLS.
const securitySettings = "eggroll.core.security."

// Certificates says how long the certificates that rollsite uses on this host are good for, by the files that its
// configuration names. A host without TLS has none. Only what is read is known: with an error the list may lack some.
func Certificates(h *host.Host, l cluster.Layout, now time.Time) ([]keys.Certificate, error) {
	settings, err := h.ReadPlain(l.EggrollProperties(), propertiesLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read which certificates rollsite uses: %w", err)
	}
	names := certificateNames(string(settings))
	if len(names) == 0 {
		return nil, nil
	}
	var files []keys.File
	var errs []error
	for _, name := range names {
		name = path.Join(l.Keys(), name)
		content, err := h.ReadPlain(name, certificateLimit)
		switch {
		case errors.Is(err, fs.ErrNotExist): // of a side without a peer's identity, or without a rollsite here
		case err != nil:
			errs = append(errs, fmt.Errorf("cannot read a certificate: %w", err))
		default:
			files = append(files, keys.File{Name: name, Content: content})
		}
	}
	return keys.Expiries(files, now), errors.Join(errs...)
}

// mostCertificates is how many files are read: a rollsite names six. The service user writes the configuration.
const mostCertificates = 16

// certificateNames are the names of the certificate files that a text of eggroll.properties refers to. Their directory
// is known; how its path is escaped there is of no matter.
func certificateNames(settings string) []string {
	var names []string
	for line := range strings.Lines(settings) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, securitySettings) || !strings.HasSuffix(line, ".pem") {
			continue
		}
		name := path.Base(line)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) == mostCertificates {
			break
		}
	}
	return names
}

// certificates are those that the rollsite of this host uses, or will use when new ones are being installed.
func (d *Deployment) certificates(now time.Time) ([]keys.Certificate, error) {
	if !d.spec.NeedsKeys() {
		return nil, nil
	}
	files := d.spec.Keys
	if len(files) == 0 {
		var err error
		if files, _, err = InstalledKeys(d.host, d.spec); err != nil {
			return nil, err
		}
	}
	return keys.Expiries(files, now), nil
}
