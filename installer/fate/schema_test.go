package fate

import (
	"slices"
	"testing"

	"fate-installer/installer/database"
	"fate-installer/payload"
)

// TestWhoSeesToTables: the host of our own server to both databases, the others to none; each of an outside server's
// clients to its own.
func TestWhoSeesToTables(t *testing.T) {
	outside := Source{Name: "secrets.yaml", Data: []byte("secrets: {mysql_user: theirs, mysql_root: admins}\n")}
	c, err := Parse(append(sources(t, upstream+"/setup-conf/extra-modules-subset/setup.conf"), outside))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := c.Spec(Selection{IP: "192.168.0.2", Env: env1113, Versions: versions1113, Secrets: fixedSecrets})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name            string
		spec            *Spec
		here, elsewhere []string
	}{
		{"one host", specOf(t, oneHost, "192.168.0.1", "1.11.4"),
			[]string{"eggroll_meta eggroll 2.5.3", "fate_flow FATE 1.11.4"}, nil},
		{"the database's host", haSpec(t, haCluster, "192.168.0.1"),
			[]string{"eggroll_meta eggroll 2.5.2", "fate_flow FATE 1.11.3"}, nil},
		{"the second flow", haSpec(t, haCluster, "192.168.0.2"), nil, []string{"fate_flow FATE 1.11.3"}},
		{"a client of an outside server", foreign, clientsOf(foreign), nil},
		{"FATE 1.9.1", specOf(t, oneHost, "192.168.0.1", "1.9.1"),
			[]string{"eggroll_meta eggroll 2.4.6", "fate_flow FATE 1.9.1"}, nil},
	} {
		if got := namesOf(tc.spec.SchemaUpgrades()); !slices.Equal(got, tc.here) {
			t.Errorf("%s sees to %q, want %q", tc.name, got, tc.here)
		}
		if got := namesOf(tc.spec.SchemasElsewhere()); !slices.Equal(got, tc.elsewhere) {
			t.Errorf("%s uses %q, want %q", tc.name, got, tc.elsewhere)
		}
	}
}

func clientsOf(s *Spec) []string {
	var out []string
	if s.Runs(ClusterManager) {
		out = append(out, "eggroll_meta eggroll 2.5.2")
	}
	if s.Runs(FateFlow) {
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

// TestNodesAreKeptRight: before eggroll 2.5 the rows of nodes are complete. The status of nodemanagers is not the
// plan's. From 2.5 on rows are only added.
func TestNodesAreKeptRight(t *testing.T) {
	for release, rows := range map[string]int{"1.9.1": 2, "1.11.4": 1} {
		s := specOf(t, oneHost, "192.168.0.1", release)
		in := planInput()
		for name, version := range s.Versions {
			if !slices.ContainsFunc(in.Components, func(c payload.Component) bool { return c.Name == name }) {
				in.Components = append(in.Components, payload.Component{Name: name, Version: version})
			}
		}
		plan, err := NewPlan(s, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range plan.Nodes {
			d, ok := n.Step.(database.Contents)
			if !ok {
				continue
			}
			if len(d.Rows) != rows {
				t.Errorf("FATE %s: %d tables of rows", release, len(d.Rows))
			}
			for _, r := range d.Rows {
				if release == "1.11.4" {
					if !r.OnlyAdd || r.Scope != "" || len(r.Pinned) > 0 || r.Values[0][3] != "INIT" {
						t.Errorf("FATE %s: %+v", release, r)
					}
					continue
				}
				pinned := slices.Contains(r.Pinned, "status")
				if r.Scope != "node_type" || pinned != (r.Values[0][2] == "CLUSTER_MANAGER") {
					t.Errorf("FATE %s: %+v", release, r)
				}
			}
		}
	}
}
