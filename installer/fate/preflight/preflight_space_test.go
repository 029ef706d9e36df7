package preflight

import (
	"slices"
	"testing"

	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
)

// TestFullFileSystemIsSaidOnce: where the components do not fit, one check refuses, and its waiver is enough.
func TestFullFileSystemIsSaidOnce(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	f := goodFacts(s)
	eachPath(f, func(p *host.PathFact) { p.Free = 100 << 20 })
	in := Input{Components: fatetest.Components, Platform: "linux/amd64"}
	var refused []string
	for _, r := range Run(s, f, in) {
		if r.Status == StatusRefused {
			refused = append(refused, r.ID)
		}
	}
	if want := []string{"disk:/"}; !slices.Equal(refused, want) {
		t.Errorf("refused by %q, want %q", refused, want)
	}
}
