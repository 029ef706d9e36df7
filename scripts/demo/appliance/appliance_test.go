package appliance

import (
	"slices"
	"testing"

	"fate-installer/bundle"
	"fate-installer/payload"
	"fate-installer/scripts/debian"
	"fate-installer/scripts/fatesim"
)

const sum = "bda81cb1c5b538e19eed27462fa8df577684b9cdc4fe40cee8d1da9cbc0fe76b"

// The lock file has to be one that package bundle understands, and nothing in it may
// come from a place that is not said.
func TestLockFile(t *testing.T) {
	all, err := components(fatesim.Newest)
	if err != nil {
		t.Fatal(err)
	}
	debs := make(map[string]debian.Package)
	for _, name := range packageNames(all) {
		debs[name] = debian.Package{Name: name, Version: "1.2-3", File: name + "_1.2-3_all.deb", Size: 1, SHA256: sum}
	}
	l := bundle.Lock{Release: payload.Release{FATE: fatesim.Newest.FATE, Platform: "linux/amd64",
		Env: map[string]string{"FATE": fatesim.Newest.FATE}}}
	for _, c := range all {
		l.Components = append(l.Components, c.lock(debs, debDir, variant{MariaDB, fatesim.Newest}.standInDir()))
	}
	parsed, err := bundle.ParseLock("demo.lock.yaml", l.Encode(lockComment))
	if err != nil {
		t.Fatal(err)
	}
	standIns := []string{"eggroll", "fate", "fateflow", "fateboard"}
	for _, c := range parsed.Components {
		if c.StandIn != slices.Contains(standIns, c.Name) {
			t.Errorf("component %s: stand_in is %v", c.Name, c.StandIn)
		}
		if c.License == "" || c.Version == "" {
			t.Errorf("component %s has license %q and version %q", c.Name, c.License, c.Version)
		}
		for _, s := range c.Sources {
			if s.Format == bundle.FormatDeb && !s.Locked() {
				t.Errorf("component %s: %s is not locked", c.Name, s.Path)
			}
		}
	}
}
