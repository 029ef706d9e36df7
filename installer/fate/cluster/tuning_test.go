package cluster_test

import (
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

// TestEggFormula: the guide's formula gives both of upstream's defaults on the machines they were chosen for.
func TestEggFormula(t *testing.T) {
	for _, tc := range []struct{ cores, jobs, want int }{{16, 3, 4}, {8, 3, 2}, {64, 3, 17}, {2, 3, 1}, {1, 3, 1},
		{16, 1, 12}, {16, 0, 12}} {
		if got := cluster.EggsFor(tc.cores, tc.jobs); got != tc.want {
			t.Errorf("%d cores, %d jobs: %d, want %d", tc.cores, tc.jobs, got, tc.want)
		}
	}
}

func TestSecretsHideThemselves(t *testing.T) {
	s := fatetest.Tuned(t, "host: {partyid: 10000, ip: 192.168.0.1, mysql: {dbpasswd: hidden-away}}", 0, 0)
	for _, v := range s.Cluster.Values() {
		if strings.Contains(v.Value, "hidden-away") {
			t.Errorf("%s shows %s", v.Path, v.Value)
		}
	}
	for _, text := range secretForms(t, s) {
		if strings.Contains(text, "hidden-away") {
			t.Errorf("a secret is shown: %.200s", text)
		}
	}
}
