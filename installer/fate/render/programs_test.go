package render

import (
	"slices"
	"testing"

	"fate-installer/installer/fate/cluster"
)

// TestEveryModuleHasItsProgram holds that each module has a process, but for RabbitMQ, which others start.
func TestEveryModuleHasItsProgram(t *testing.T) {
	for _, m := range cluster.Modules() {
		if has := programs[m] != nil; has == (m == cluster.RabbitMQ) {
			t.Errorf("%s has a program: %v", m, has)
		}
	}
	for m := range programs {
		if !slices.Contains(cluster.Modules(), m) {
			t.Errorf("there is a program of %s, which is no module", m)
		}
	}
}
