package main

import (
	"maps"
	"slices"
	"testing"

	"fate-installer/bundle"
	"fate-installer/installer/fate/cluster"
)

// TestBuilderKnowsTheDatabases: what builds an appliance takes the databases that the installer can run, and refuses a
// tree without the program that it starts.
func TestBuilderKnowsTheDatabases(t *testing.T) {
	servers := bundle.DatabaseServers()
	engines := slices.Sorted(slices.Values(cluster.DatabaseEngines))
	if built := slices.Sorted(maps.Keys(servers)); !slices.Equal(built, engines) {
		t.Fatalf("package bundle knows the databases %q, package fate %q", built, engines)
	}
	for _, engine := range engines {
		if servers[engine] != cluster.DatabaseServer(engine) {
			t.Errorf("%s: package bundle looks for %s, package fate starts %s", engine, servers[engine],
				cluster.DatabaseServer(engine))
		}
	}
}
