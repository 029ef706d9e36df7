package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/state"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

// exampleStatusReport has a certificate that ends soon.
var exampleStatusReport = svcStatusReport{
	Programs: []supervisor.Status{exampleStatus}, Phase: state.Upgrading,
	Interrupted: "an upgrade was interrupted; fate-installer upgrade completes it",
	Certificates: []keys.Certificate{{File: "/data/projects/data/fate/keys/host-server.pem", Subject: "host-server",
		NotBefore: exampleTime, NotAfter: exampleTime.AddDate(0, 0, 20), Validity: keys.Expiring, DaysLeft: 20}},
	Backups: &exampleBackups,
}

// keysMadeAt writes the key files of the exchange of threeSides as they were made at a time.
func keysMadeAt(t *testing.T, dir string, made time.Time) {
	t.Helper()
	set, err := keys.New(keys.Request{Now: made, Random: rand.Reader, SharedCA: true, Sides: []keys.Side{
		{Role: "host", Names: []string{"192.168.0.1"}},
		{Role: "exchange", Names: []string{"192.168.0.88"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set.Sides["exchange"] {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// exchangeWithTLS installs the exchange of threeSides, with new keys.
func exchangeWithTLS(t *testing.T) (root string, install func(args ...string) (stdout, stderr string, code int)) {
	t.Helper()
	root, appliance, dir := machine(t), smallAppliance(t), t.TempDir()
	clusterFile := mustRunCLI(t, root, "", threeSides...)
	install = func(args ...string) (stdout, stderr string, code int) {
		t.Helper()
		return runCLI(t, root, clusterFile,
			append([]string{"--payload", appliance, "--config", "-", "--ip", "192.168.0.88"}, args...)...)
	}
	keysMadeAt(t, dir, time.Now())
	if out, stderr, code := install("--keys", dir); code != exit.OK {
		t.Fatalf("exit code %d\n%s%s", code, out, stderr)
	}
	return root, install
}

// TestCertificatesOfAHost follows the certificates of an installed rollsite from new to expired, in what check,
// install, svc status and the metrics say of them.
func TestCertificatesOfAHost(t *testing.T) {
	root, install := exchangeWithTLS(t)
	dir := filepath.Join(root, installedKeysDir)
	for _, tt := range []struct {
		name     string
		made     time.Duration // before now
		validity keys.Validity // of the server's certificate
		check    preflight.Status
		code     int // of check
	}{
		{"new", 0, keys.Valid, preflight.StatusOK, exit.OK},
		{"31 days left", keys.LeafValidity - 31*24*time.Hour, keys.Valid, preflight.StatusOK, exit.OK},
		{"29 days left", keys.LeafValidity - 29*24*time.Hour, keys.Expiring, preflight.StatusWarning, exit.OK},
		{"expired", keys.LeafValidity + 24*time.Hour, keys.Expired, preflight.StatusRefused, exit.Preflight},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keysMadeAt(t, dir, time.Now().Add(-tt.made))
			var doc struct{ Checks []preflight.CheckResult }
			out, stderr, code := runCLI(t, root, "", "check", "-o", "json")
			if err := json.Unmarshal([]byte(out), &doc); err != nil {
				t.Fatalf("%v: %s%s", err, out, stderr)
			}
			i := slices.IndexFunc(doc.Checks, func(r preflight.CheckResult) bool { return r.ID == "certificates" })
			if i < 0 || doc.Checks[i].Status != tt.check || code != tt.code {
				t.Fatalf("check %d: exit code %d: %+v", i, code, doc.Checks)
			}
			if r := doc.Checks[i]; (r.Remedy != "") != (tt.check != preflight.StatusOK) ||
				!strings.Contains(r.Measured, "exchange-server.pem") {
				t.Errorf("%+v", r)
			}

			g := &globals{Root: root, Base: "/data"}
			var r svcStatusReport
			r.lookAtCertificates(g, nil, time.Now())
			if r.CertificatesProblem != "" || len(r.Certificates) != 4 {
				t.Fatalf("%+v", r)
			}
			for _, c := range r.Certificates {
				want := tt.validity
				if strings.HasSuffix(c.File, "ca.pem") {
					want = keys.Valid // a CA lives 20 years
				}
				if c.Validity != want || c.Subject == "" {
					t.Errorf("%+v is not %s", c, want)
				}
			}
			if got, want := statusCode(r) != nil, tt.validity == keys.Expired; got != want {
				t.Errorf("svc status fails: %v", got)
			}
			r = svcStatusReport{Programs: []supervisor.Status{{Name: "fate-mysql", Ready: true}}}
			if r.lookAtCertificates(g, []string{"fate-mysql"}, time.Now()); len(r.Certificates) != 0 {
				t.Errorf("who asks for the database gets %+v", r)
			}
			gauges := g.certificateGauges()
			if len(gauges[0].Samples) != 4 || len(gauges[1].Samples) != 4 {
				t.Fatalf("%+v", gauges)
			}
			for _, s := range gauges[0].Samples {
				if (s.Value < 0) != (tt.validity == keys.Expired && !strings.HasSuffix(s.Labels[0].Value, "ca.pem")) {
					t.Errorf("%+v", s)
				}
			}
		})
	}

	// An expired certificate keeps install from going on, its renewal does not.
	if _, stderr, code := install(); code != exit.Preflight || !strings.Contains(stderr, "certificates: ") {
		t.Errorf("install with expired certificates: exit code %d\n%s", code, stderr)
	}
	if _, stderr, code := install("--waive", "certificates=renewed tomorrow"); code != exit.OK {
		t.Errorf("install with a waiver: exit code %d\n%s", code, stderr)
	}
	renewed := t.TempDir()
	keysMadeAt(t, renewed, time.Now())
	if _, stderr, code := install("--keys", renewed); code != exit.OK {
		t.Errorf("install with new keys: exit code %d\n%s", code, stderr)
	}
}

// TestCertificatesThatCannotBeRead: a link to root's file is not followed, what is no certificate is named, and a host
// without TLS has none, also when old files are there.
func TestCertificatesThatCannotBeRead(t *testing.T) {
	root, _ := exchangeWithTLS(t)
	dir := filepath.Join(root, installedKeysDir)
	server, ca := filepath.Join(dir, "exchange-server.pem"), filepath.Join(dir, "exchange-ca.pem")
	if err := os.WriteFile(server, []byte("\x1b[2Jnothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(ca); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/shadow", ca); err != nil {
		t.Fatal(err)
	}
	g := &globals{Root: root, Base: "/data"}
	var r svcStatusReport
	r.lookAtCertificates(g, nil, time.Now())
	i := slices.IndexFunc(r.Certificates, func(c keys.Certificate) bool { return c.Validity == keys.Unreadable })
	if len(r.Certificates) != 3 || i < 0 || !strings.HasSuffix(r.Certificates[i].File, "/exchange-server.pem") ||
		!strings.Contains(r.CertificatesProblem, "exchange-ca.pem") || statusCode(r) == nil {
		t.Errorf("%+v", r)
	}
	properties := filepath.Join(root, "data/projects/fate/eggroll/conf/eggroll.properties")
	text, err := os.ReadFile(properties)
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.ReplaceAll(string(text), "eggroll.core.security.", "#eggroll.core.security.")
	if err := os.WriteFile(properties, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	r = svcStatusReport{}
	if r.lookAtCertificates(g, nil, time.Now()); len(r.Certificates) != 0 || r.CertificatesProblem != "" {
		t.Errorf("without TLS: %+v", r)
	}
}

// TestCertificateMetrics is the text that Prometheus reads, of a chosen clock.
func TestCertificateMetrics(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	got := fmt.Sprintf("%+v", gaugesOf([]keys.Certificate{
		{File: "/k/host-server.pem", Subject: "host-server", NotAfter: now.Add(time.Hour), Validity: keys.Expiring},
		{File: "/k/host-ca.pem", Subject: "ca", NotAfter: now.Add(-time.Minute), Validity: keys.Expired},
		{File: "/k/x.pem", Validity: keys.Unreadable, Problem: "no"},
	}, now))
	of := func(file, subject string) []rpc.Label {
		return []rpc.Label{{Name: "file", Value: file}, {Name: "subject", Value: subject}}
	}
	want := fmt.Sprintf("%+v", []rpc.Gauge{
		{Name: "fate_certificate_remaining_seconds",
			Help: "Time until the certificate of rollsite ends, negative when it has ended.",
			Samples: []rpc.Sample{{Labels: of("host-server.pem", "host-server"), Value: 3600},
				{Labels: of("host-ca.pem", "ca"), Value: -60}}},
		{Name: "fate_certificate_valid", Help: "1 if peers accept the certificate by its dates.",
			Samples: []rpc.Sample{{Labels: of("host-server.pem", "host-server"), Value: 1},
				{Labels: of("host-ca.pem", "ca"), Value: 0}, {Labels: of("x.pem", ""), Value: 0}}},
	})
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
