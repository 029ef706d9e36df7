package render

import (
	"path/filepath"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/golden"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestGoldenTrees compares every file of a host with the ones kept in testdata/golden, for each generation of FATE and
// each kind of topology. go test -run GoldenTrees -update rewrites them; read the diff.
func TestGoldenTrees(t *testing.T) {
	for _, tc := range []struct {
		name    string
		sources []string // files of testdata, or
		text    string
		fate    string
		ip      string
		adjust  func(*cluster.Selection)
	}{
		{name: "1.5.0-host-tls-with-exchange",
			sources: []string{fatetest.Upstream + "/var-files-1.5/host-exchange-guest-tls-host-exchange"},
			fate:    "1.5.0",
			ip:      "192.168.0.1"},
		{name: "1.5.0-exchange", sources: []string{fatetest.Upstream +
			"/var-files-1.5/host-exchange-guest-tls-host-exchange"},
			fate: "1.5.0", ip: "192.168.0.88"},
		{name: "1.7.2-guest", sources: []string{fatetest.Upstream + "/var-files-1.7/host-guest-plain"}, fate: "1.7.2",
			ip: "192.168.1.1"},
		{name: "1.9.0-host", sources: []string{fatetest.Upstream + "/setup-conf/scenario1-host-only/setup.conf"},
			fate: "1.9.0",
			ip:   "192.168.0.1"},
		{name: "1.11.1-host", sources: []string{fatetest.Upstream + "/setup-conf/scenario5-host-guest-tls/setup.conf"},
			fate: "1.11.1", ip: "192.168.0.1"},
		{name: "1.11.4-guest-plain",
			sources: []string{fatetest.Upstream + "/setup-conf/scenario6-three-sides-tls-host-exchange/setup.conf"},
			fate:    "1.11.4", ip: "192.168.1.1"},
		{name: "1.11.4-exchange-tls",
			sources: []string{fatetest.Upstream + "/setup-conf/scenario6-three-sides-tls-host-exchange/setup.conf"},
			fate:    "1.11.4", ip: "192.168.0.88"},
		{name: "1.11.4-polling-exchange",
			sources: []string{fatetest.Upstream + "/setup-conf/extra-polling-two-sides/setup.conf"}, fate: "1.11.4",
			ip: "192.168.0.88"},
		{name: "1.11.4-second-of-two-exchanges",
			sources: []string{fatetest.Upstream + "/setup-conf/extra-multi-exchange-rollsite-list/setup.conf"},
			fate:    "1.11.4",
			ip:      "192.168.0.89"},
		{name: "1.11.4-spark-host",
			sources: []string{fatetest.Upstream + "/setup-conf/scenario4-host-guest-spark-empty/setup.conf"},
			fate:    "1.11.4",
			ip:      "192.168.0.1"},
		{name: "1.11.4-standalone", sources: []string{fatetest.Upstream +
			"/setup-conf/extra-standalone-engine/setup.conf"},
			fate: "1.11.4", ip: "192.168.0.1"},
		{name: "1.11.4-ha-second-host", text: fatetest.HACluster, fate: "1.11.4", ip: "192.168.0.2"},
		{name: "1.11.4-small-host-mariadb-java17", text: "host: {partyid: 10000, ip: 192.168.0.1}", fate: "1.11.4",
			ip: "192.168.0.1", adjust: func(s *cluster.Selection) {
				delete(s.Versions, "mysql")
				s.Versions["mariadb"], s.Versions["jdk"] = "10.11.6", "17.0.15"
				s.LibraryPaths = map[string][]string{"mariadb": {"lib", "lib/private"}, "jdk": {"lib/server"},
					"python": {"lib"}}
				s.Memory, s.CPUs = 4<<30, 2
			}},
		{name: "1.11.4-nodemanager-only",
			text: "host: {partyid: 10000, ip: 192.168.0.1, nodemanager: {ips: [192.168.0.1, 192.168.0.7]}}",
			fate: "1.11.4", ip: "192.168.0.7"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := fatetest.ParseText(tc.text)
			if tc.text == "" {
				c, err = cluster.Parse(fatetest.Sources(t, tc.sources...))
			}
			if err != nil {
				t.Fatal(err)
			}
			env, versions, err := cluster.Release(tc.fate)
			if err != nil {
				t.Fatal(err)
			}
			sel := cluster.Selection{IP: tc.ip, Env: env, Versions: versions, Secrets: fatetest.FixedSecrets}
			if tc.adjust != nil {
				tc.adjust(&sel)
			}
			s, err := c.Spec(sel)
			if err != nil {
				t.Fatal(err)
			}
			files, err := Files(s)
			if err != nil {
				t.Fatal(err)
			}
			got := &txtar.Archive{Comment: []byte(tc.name + ": every file of " + tc.ip +
				", without those that are the same everywhere\n")}
			for _, f := range files {
				if base := filepath.Base(f.Path); base == "log4j2.properties" || base == "service.sh" ||
					base == "supervisord.conf" {
					continue
				}
				got.Files = append(got.Files, txtar.File{Name: f.Path + " " + f.Perm.String(), Data: f.Content})
			}
			golden.Compare(t, "testdata/golden/"+tc.name+".txtar", txtar.Format(got))
		})
	}
}
