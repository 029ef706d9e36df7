package fate

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/payload"
)

// TestWhatRootRunsIsRoots walks, in the plans of all topologies, every file below the base that root runs, sources or
// obeys, and every directory on the way to it: all are made for root and closed to others. The other way round, nothing
// else below the base is root's: it would be something that root uses and the list does not have.
func TestWhatRootRunsIsRoots(t *testing.T) {
	specs := orderSpecs(t)
	for _, role := range []Role{RoleHost, RoleGuest, RoleExchange} {
		specs[string(role)] = planSpec(t, role, map[Role]int{RoleHost: 10000, RoleGuest: 9999}[role])
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
			for _, p := range s.RootPaths() {
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

// TestRootPathsAreDocumented compares the list with SECURITY.md.
func TestRootPathsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	s := planSpec(t, RoleHost, 10000)
	for _, p := range s.RootPaths() {
		rel := strings.TrimPrefix(p, s.Layout.Base+"/")
		named := strings.Contains(string(text), path.Base(rel))
		for dir := rel; dir != "."; dir = path.Dir(dir) {
			named = named || strings.Contains(string(text), "`"+dir+"/`") ||
				strings.Contains(string(text), "`"+path.Base(dir)+"/*.conf`")
		}
		if !named {
			t.Errorf("SECURITY.md does not name %s", rel)
		}
	}
}

func TestBaseMustBeRoots(t *testing.T) {
	s := planSpec(t, RoleHost, 10000)
	s.Layout.Base = "/srv/fate/data"
	if got := s.Layout.aboveBase(); !slices.Equal(got, []string{"/srv", "/srv/fate", "/srv/fate/data"}) {
		t.Errorf("above the base: %v", got)
	}
	fact := func(p string, uid int, mode uint32) host.PathFact {
		return host.PathFact{Path: p, Exists: true, Directory: true, UID: uid, Mode: mode}
	}
	for name, c := range map[string]struct {
		paths []host.PathFact
		want  Status
		fix   string
	}{
		"root's":    {[]host.PathFact{fact("/srv", 0, 0o755), fact("/srv/fate/data", 0, 0o750)}, StatusOK, ""},
		"not there": {nil, StatusOK, ""},
		"service user's": {[]host.PathFact{fact("/srv", 0, 0o755), fact("/srv/fate/data", 1000, 0o755)}, StatusRefused,
			"chown root:root /srv/fate/data"},
		"open to a group": {[]host.PathFact{fact("/srv", 0, 0o775), fact("/srv/fate/data", 0, 0o755)}, StatusRefused,
			"chmod go-w /srv"},
	} {
		p := &preflight{s: s, f: &host.Facts{Paths: c.paths, Users: []host.User{{Name: "app", UID: 1000}}}}
		p.baseOwner()
		if r := p.results[0]; r.Status != c.want || !strings.Contains(r.Remedy, c.fix) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
