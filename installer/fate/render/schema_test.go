package render

import (
	"slices"
	"testing"

	"fate-installer/installer/database"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

// TestWhoSeesToTables: the host of our own server to both databases, the others to none; each of an outside server's
// clients to its own.
func TestWhoSeesToTables(t *testing.T) {
	outside := cluster.Source{Name: "secrets.yaml", Data: []byte("secrets: {mysql_user: theirs, mysql_root: admins}\n")}
	c, err := cluster.Parse(append(fatetest.Sources(t,
		fatetest.Upstream+"/setup-conf/extra-modules-subset/setup.conf"), outside))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := c.Spec(cluster.Selection{IP: "192.168.0.2", Env: fatetest.Env1113, Versions: fatetest.Versions1113,
		Secrets: fatetest.FixedSecrets})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name            string
		spec            *cluster.Spec
		here, elsewhere []string
	}{
		{"one host", fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", "1.11.4"),
			[]string{"eggroll_meta eggroll 2.5.3", "fate_flow FATE 1.11.4"}, nil},
		{"the database's host", fatetest.HASpec(t, fatetest.HACluster, "192.168.0.1"),
			[]string{"eggroll_meta eggroll 2.5.2", "fate_flow FATE 1.11.3"}, nil},
		{"the second flow", fatetest.HASpec(t, fatetest.HACluster, "192.168.0.2"), nil,
			[]string{"fate_flow FATE 1.11.3"}},
		{"a client of an outside server", foreign, clientsOf(foreign), nil},
		{"FATE 1.9.1", fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", "1.9.1"),
			[]string{"eggroll_meta eggroll 2.4.6", "fate_flow FATE 1.9.1"}, nil},
	} {
		if got := namesOf(SchemaUpgrades(tc.spec)); !slices.Equal(got, tc.here) {
			t.Errorf("%s sees to %q, want %q", tc.name, got, tc.here)
		}
		if got := namesOf(SchemasElsewhere(tc.spec)); !slices.Equal(got, tc.elsewhere) {
			t.Errorf("%s uses %q, want %q", tc.name, got, tc.elsewhere)
		}
	}
}

func clientsOf(s *cluster.Spec) []string {
	var out []string
	if s.Runs(cluster.ClusterManager) {
		out = append(out, "eggroll_meta eggroll 2.5.2")
	}
	if s.Runs(cluster.FateFlow) {
		out = append(out, "fate_flow FATE 1.11.3")
	}
	return out
}

func namesOf(ups []database.SchemaUpgrade) []string {
	var out []string
	for _, u := range ups {
		program := "FATE "
		if u.Part == "eggroll" {
			program = "eggroll "
		}
		out = append(out, u.Schema+" "+program+u.Release)
	}
	return out
}
