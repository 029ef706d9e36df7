package fate

import (
	"path"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/step"
	"fate-installer/payload"
)

// TestWhatRootRunsIsRoots walks, in the plans of all topologies, every file below the base that root runs, sources or
// obeys, and every directory on the way to it: all are made for root and closed to others. The other way round, nothing
// else below the base is root's: it would be something that root uses and the list does not have.
func TestWhatRootRunsIsRoots(t *testing.T) {
	specs := orderSpecs(t)
	for _, role := range []cluster.Role{cluster.RoleHost, cluster.RoleGuest, cluster.RoleExchange} {
		specs[string(role)] = fatetest.PlanSpec(t, role, map[cluster.Role]int{cluster.RoleHost: 10000,
			cluster.RoleGuest: 9999}[role])
	}
	for name, s := range specs {
		t.Run(name, func(t *testing.T) {
			in := planInput()
			in.Components = append(in.Components, payload.Component{Name: "mysql", Version: "8.0.28",
				Digest: "sha256-of-mysql"})
			plan, err := NewPlan(s, in)
			if err != nil {
				t.Fatal(err)
			}
			owned := map[string]bool{s.Layout.Base: true} // made as root's, or checked by the preflight
			for _, n := range plan.Nodes {
				switch made := n.Step.(type) {
				case step.Dir:
					owned[made.Path] = made.Owner == "root" && made.Group == "root" && made.Perm&0o022 == 0
				case step.File:
					owned[made.Path] = made.Owner == "root" && made.Group == "root" && made.Perm&0o022 == 0
				case step.Unpack:
					owned[made.Target] = false
				}
			}
			expected := map[string]bool{s.Layout.Base: true}
			for _, p := range preflight.RootPaths(s) {
				for at := p; at != path.Dir(s.Layout.Base); at = path.Dir(at) {
					expected[at] = true
					if isRoots, planned := owned[at]; planned && !isRoots || !planned && at != p {
						t.Errorf("%s is on the way to %s, and not root's", at, p)
					}
				}
			}
			for p, isRoots := range owned {
				if isRoots && strings.HasPrefix(p, s.Layout.Base+"/") && !expected[p] &&
					path.Dir(p) != s.Layout.State() {
					t.Errorf("%s is root's, and not in RootPaths", p)
				}
			}
		})
	}
}
