package cluster_test

import (
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
)

// TestNeedOfAnOutsideModule names no command of ours.
func TestNeedOfAnOutsideModule(t *testing.T) {
	s := fatetest.HASpec(t, strings.Replace(fatetest.HACluster, "mysql: {dbpasswd: fate_deV2999}",
		"mysql: {type: outside, ips: [192.168.0.77], dbpasswd: x}", 1), "192.168.0.2")
	needs := s.Needs("fate-fateflow")
	if len(needs) == 0 || needs[0].Inside || !strings.Contains(needs[0].Remedy(), "start the mysql on 192.168.0.77") {
		t.Errorf("got %+v", needs)
	}
}
