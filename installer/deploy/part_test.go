package deploy

import (
	"slices"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
)

// TestParsePart reads what --only and --mode say, and refuses what they cannot.
func TestParsePart(t *testing.T) {
	p, err := ParsePart([]string{"eggroll", "mysql"}, "install")
	want := []cluster.Module{cluster.MySQL, cluster.ClusterManager, cluster.NodeManager, cluster.Rollsite}
	if err != nil || !slices.Equal(p.Modules, want) || p.Mode != fate.ModeInstall {
		t.Errorf("got %+v, %v", p, err)
	}
	if p, err := ParsePart(nil, "deploy"); err != nil || len(p.Modules) > 0 || p.Mode != fate.ModeDeploy {
		t.Errorf("all of it is %+v, %v", p, err)
	}
	for _, c := range []struct {
		only []string
		mode string
	}{{[]string{"flow"}, "deploy"}, {nil, "upgrade"}, {nil, ""}} {
		if p, err := ParsePart(c.only, c.mode); exit.CodeOf(t.Context(), err) != exit.Usage {
			t.Errorf("%v: got %+v, %v", c, p, err)
		}
	}
}
