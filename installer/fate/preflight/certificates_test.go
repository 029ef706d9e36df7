package preflight

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/keys"
)

func TestCertificates(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	if !s.NeedsKeys() {
		t.Fatal("the host has no TLS")
	}
	at := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	of := func(name string, v keys.Validity, days int) keys.Certificate {
		return keys.Certificate{File: "/k/" + name, Validity: v, NotAfter: at.AddDate(0, 0, days)}
	}
	ca, server := of("host-ca.pem", keys.Valid, 4000), of("host-server.pem", keys.Valid, 300)
	soon, ended := of("host-server.pem", keys.Expiring, 3), of("host-client-client.pem", keys.Expired, -3)
	for name, tt := range map[string]struct {
		in       Input
		unknown  string
		want     Status
		measured string
	}{
		"none": {Input{}, "", "", ""},
		"valid": {Input{Certificates: []keys.Certificate{ca, server}}, "", StatusOK,
			"host-server.pem: it expires on 2027-09-26"},
		"soon": {Input{Certificates: []keys.Certificate{ca, soon}}, "", StatusWarning,
			"host-server.pem: it expires on 2026-12-03"},
		"expired": {Input{Certificates: []keys.Certificate{ca, soon, ended}}, "", StatusRefused,
			"host-client-client.pem: it expired on 2026-11-27; host-server.pem"},
		"rollback": {Input{Certificates: []keys.Certificate{ended}, Rollback: true}, "", StatusWarning, "it expired"},
		"unreadable": {Input{Certificates: []keys.Certificate{{File: "/k/host-ca.pem", Validity: keys.Unreadable,
			Problem: "it holds no PEM certificate"}}}, "", StatusRefused, "host-ca.pem: it holds no PEM"},
		"not known": {Input{}, "permission denied", StatusSkipped, "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			f := goodFacts(s)
			if tt.unknown != "" {
				f.Unknown["certificates"] = tt.unknown
			}
			results := Run(s, f, tt.in)
			i := slices.IndexFunc(results, func(r CheckResult) bool { return r.ID == "certificates" })
			if tt.want == "" {
				if i >= 0 {
					t.Errorf("%+v", results[i])
				}
				return
			}
			if i < 0 || results[i].Status != tt.want || !strings.Contains(results[i].Measured, tt.measured) ||
				results[i].Final || results[i].Bad() != (results[i].Remedy != "") {
				t.Errorf("%d: %+v", i, results)
			}
		})
	}
}
