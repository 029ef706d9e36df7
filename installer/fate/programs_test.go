package fate

import (
	"slices"
	"testing"
)

// TestEveryModuleHasItsProgram holds that each module has a process, but for RabbitMQ, which others start.
func TestEveryModuleHasItsProgram(t *testing.T) {
	for _, m := range Modules {
		if has := programs[m] != nil; has == (m == RabbitMQ) {
			t.Errorf("%s has a program: %v", m, has)
		}
	}
	for m := range programs {
		if !slices.Contains(Modules, m) {
			t.Errorf("there is a program of %s, which is no module", m)
		}
	}
}
