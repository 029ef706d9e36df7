package fate

import (
	"slices"
	"testing"

	"fate-installer/installer/database"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/payload"
)

// TestNodesAreKeptRight: before eggroll 2.5 the rows of nodes are complete. The status of nodemanagers is not the
// plan's. From 2.5 on rows are only added.
func TestNodesAreKeptRight(t *testing.T) {
	for release, rows := range map[string]int{"1.9.1": 2, "1.11.4": 1} {
		s := fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", release)
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
