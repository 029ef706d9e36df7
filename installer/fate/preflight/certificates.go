package preflight

import (
	"path"
	"strings"

	"fate-installer/installer/fate/keys"
)

// certificates are looked at 30 days ahead: the other party has to act, too. An expired one lets no message through.
func (p *preflight) certificates() {
	if !p.s.NeedsKeys() || p.notMeasured("certificates", "the certificates of rollsite are valid", "certificates") ||
		len(p.in.Certificates) == 0 { // that there are none is a note of what install wants
		return
	}
	r := p.check("certificates", "the certificates of rollsite are valid", "valid for 30 days or more")
	var bad, soon []string
	first := p.in.Certificates[0]
	for _, c := range p.in.Certificates {
		text := path.Base(c.File) + ": " + c.String()
		switch {
		case c.Bad():
			bad = append(bad, text)
		case c.Validity == keys.Expiring:
			soon = append(soon, text)
		}
		if c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	switch {
	case len(bad) > 0:
		r.measured("%s", strings.Join(append(bad, soon...), "; "))
		if p.in.Rollback {
			r.warn("%s", keys.Renewal)
			return
		}
		r.refuse("%s", keys.Renewal)
	case len(soon) > 0:
		r.measured("%s", strings.Join(soon, "; ")).warn("%s", keys.Renewal)
	default:
		r.measured("%s: %s", path.Base(first.File), first).ok()
	}
}
