package preflight

import (
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
)

const outsideHA = `
host:
  partyid: 10000
  ip: 192.168.0.1
  fate_flow: {ips: [192.168.0.1, 192.168.0.2]}
  mysql: {type: outside, ips: [192.168.0.9], dbpasswd: secret}
  zk: {lists: [{ip: 192.168.0.1}], passwd: secret}
  nginx: {ips: [192.168.0.1]}
`

// TestHighAvailabilityNeedsMySQL: the model store's locks are not to be had from MariaDB, ours or another's.
func TestHighAvailabilityNeedsMySQL(t *testing.T) {
	mariadb := map[string]string{"mariadb": "10.11.6", "mysql": ""}
	for name, tt := range map[string]struct {
		text     string
		versions map[string]string
		greeting []byte
		config   bool // refused by config check
		want     Status
		measured string
	}{
		"our MariaDB": {fatetest.OrderHA, mariadb, nil, true, StatusRefused, "mariadb 10.11.6"},
		"our MySQL":   {fatetest.OrderHA, nil, nil, false, StatusOK, "mysql 8.0.28"},
		"an outside MariaDB": {outsideHA, nil, fatetest.Greeting("5.5.5-10.6.16-MariaDB"), false, StatusRefused,
			"10.6.16-MariaDB"},
		"an outside MySQL": {outsideHA, mariadb, fatetest.Greeting("8.0.36"), false, StatusOK, "MySQL 8.0.36"},
		"an outside one that is away": {outsideHA, mariadb, nil, false, StatusSkipped,
			"192.168.0.9:3306 does not say"},
		"one FATE-Flow": {oneFlow, mariadb, nil, false, "", ""},
		"one FATE-Flow, a model store": {oneFlow + "  model_store: {enable: true}\n", mariadb, nil, true,
			StatusRefused, "mariadb"},
	} {
		t.Run(name, func(t *testing.T) {
			s := fatetest.HASpec(t, tt.text, "192.168.0.1")
			versions := fatetest.Merged(s.Versions, tt.versions)
			s.Versions = versions
			problems := CheckDatabase(s.Cluster, versions)
			if (len(problems) > 0) != tt.config {
				t.Errorf("config check: %v", problems)
			}
			for _, p := range problems {
				if text := p.String(); !strings.Contains(text, "GET_LOCK(name, -1)") ||
					!strings.Contains(text, "MySQL 8") {
					t.Errorf("config check says %q", text)
				}
			}
			facts := &host.Facts{}
			for _, target := range targets(s) {
				reach := host.Reach{Target: target, Connected: true}
				if target.Greets {
					reach.Greeting = tt.greeting
				}
				facts.Peers = append(facts.Peers, reach)
			}
			checkModelStore(t, Run(s, facts, Input{}), tt.want, tt.measured)
		})
	}
}

const oneFlow = `
host:
  partyid: 10000
  ip: 192.168.0.1
  mysql: {dbpasswd: secret}
`

func checkModelStore(t *testing.T, results []CheckResult, want Status, measured string) {
	t.Helper()
	for _, r := range results {
		if r.ID != "model-store" {
			continue
		}
		if r.Status != want || !strings.Contains(r.Measured, measured) {
			t.Errorf("status %s, measured %q; want %s, %q", r.Status, r.Measured, want, measured)
		}
		if want == StatusRefused && (!strings.Contains(r.Remedy, "MySQL 8") ||
			!strings.Contains(r.Remedy, "GET_LOCK")) {
			t.Errorf("remedy %q", r.Remedy)
		}
		return
	}
	if want != "" {
		t.Error("it is not checked")
	}
}

func TestGreetingVersion(t *testing.T) {
	for _, tt := range []struct {
		packet []byte
		want   string
	}{
		{fatetest.Greeting("8.0.28"), "MySQL 8.0.28"},
		{fatetest.Greeting("8.0.36-28"), "MySQL 8.0.36-28"},
		{fatetest.Greeting("5.5.5-10.11.6-MariaDB-0+deb12u1"), "10.11.6-MariaDB-0+deb12u1"},
		{fatetest.Greeting("11.4.2-MariaDB"), "11.4.2-MariaDB"},
		{nil, ""},
		{fatetest.Greeting(""), ""},
		{[]byte("HTTP/1.1 400 Bad Request\r\n"), ""},
		{fatetest.Greeting("8.0\x1b[2J"), ""},
		{[]byte("\x45\x00\x00\x00\xffHost '192.0.2.1' is not allowed to connect"), ""},
		{[]byte{5, 0, 0, 0, 10, '8'}, ""}, // cut off
	} {
		if got := greetingVersion(tt.packet); got != tt.want {
			t.Errorf("version in %q is %q, want %q", tt.packet, got, tt.want)
		}
	}
}
