package preflight

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
)

// TestRootPathsAreDocumented compares the list with SECURITY.md.
func TestRootPathsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	s := fatetest.PlanSpec(t, cluster.RoleHost, 10000)
	for _, p := range RootPaths(s) {
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
	s := fatetest.PlanSpec(t, cluster.RoleHost, 10000)
	s.Layout.Base = "/srv/fate/data"
	if got := aboveBase(s.Layout); !slices.Equal(got, []string{"/srv", "/srv/fate", "/srv/fate/data"}) {
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
