package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/output"
	"fate-installer/installer/redact"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

// certificates says how long those that rollsite uses on this host are good for.
func (g *globals) certificates(now time.Time) ([]keys.Certificate, error) {
	h, err := g.openHost()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	return deploy.Certificates(h, g.layout(), now)
}

// hostGauges are what the metrics have besides programs.
func (g *globals) hostGauges() []rpc.Gauge {
	return append(g.certificateGauges(), g.backupGauges(time.Now())...)
}

// certificateGauges are read by the supervisor each time its metrics are asked for: they change with the files.
func (g *globals) certificateGauges() []rpc.Gauge {
	now := time.Now()
	list, _ := g.certificates(now) // what cannot be read has no value, and svc status says why
	return gaugesOf(list, now)
}

func gaugesOf(list []keys.Certificate, now time.Time) []rpc.Gauge {
	left := rpc.Gauge{Name: "fate_certificate_remaining_seconds",
		Help: "Time until the certificate of rollsite ends, negative when it has ended."}
	valid := rpc.Gauge{Name: "fate_certificate_valid", Help: "1 if peers accept the certificate by its dates."}
	for _, c := range list {
		labels := []rpc.Label{{Name: "file", Value: path.Base(c.File)}, {Name: "subject", Value: c.Subject}}
		usable := 1.0
		if c.Bad() {
			usable = 0
		}
		valid.Samples = append(valid.Samples, rpc.Sample{Labels: labels, Value: usable})
		if c.Validity != keys.Unreadable {
			left.Samples = append(left.Samples, rpc.Sample{Labels: labels,
				Value: float64(c.NotAfter.Unix() - now.Unix())})
		}
	}
	return []rpc.Gauge{left, valid}
}

// lookAtCertificates fills in the certificates, or why they are not known. They are rollsite's: who asks for other
// programs only does not learn of them.
func (r *svcStatusReport) lookAtCertificates(g *globals, names []string, now time.Time) {
	if len(names) > 0 && !slices.ContainsFunc(r.Programs, func(st supervisor.Status) bool {
		return st.Name == cluster.Rollsite.Program()
	}) {
		return
	}
	var err error
	if r.Certificates, err = g.certificates(now); err != nil {
		r.CertificatesProblem = redact.Printable(err.Error())
		r.hidden = errors.Is(err, fs.ErrPermission)
	}
	for i := range r.Certificates {
		c := &r.Certificates[i]
		c.Subject, c.Problem = redact.Printable(c.Subject), redact.Printable(c.Problem)
	}
}

// aCertificate is before a line about one.
//
//language:labels
const aCertificate = "certificate"

// writeCertificates writes a line for each certificate that needs attention, and nothing when none does.
func (g *globals) writeCertificates(r svcStatusReport) error {
	w := g.Stdout
	columns := deviceOf(w).Columns
	line := func(text string) error {
		_, err := fmt.Fprintln(w, output.Indented(g.language.Label(aCertificate)+" ", g.text(text), columns))
		return err
	}
	renew := false
	for _, c := range r.Certificates {
		if c.Validity == keys.Valid {
			continue
		}
		renew = true
		text := path.Base(c.File)
		if c.Subject != "" {
			text += " (" + c.Subject + ")"
		}
		if err := line(text + ": " + c.String()); err != nil {
			return err
		}
	}
	if r.CertificatesProblem != "" && !r.hidden {
		if err := line("not looked at: " + r.CertificatesProblem); err != nil {
			return err
		}
	}
	if renew {
		_, err := fmt.Fprintln(w, output.Indented("-> ", g.advice(keys.Renewal), columns))
		return err
	}
	return nil
}
