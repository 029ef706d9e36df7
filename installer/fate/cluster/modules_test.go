package cluster

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestModuleTable holds that what is installed has all that is asked of it, and that a module needs only modules before
// it, as they start in the order of the table.
func TestModuleTable(t *testing.T) {
	before := []Module{}
	for _, e := range moduleTable {
		if slices.Contains(before, e.module) {
			t.Errorf("%s has two entries", e.module)
		}
		before = append(before, e.module)
		for _, m := range e.jobsWant {
			if m.entry().port == nil {
				t.Errorf("%s needs %s for jobs, which has no entry", e.module, m)
			}
		}
		if e.module == RabbitMQ {
			continue
		}
		if e.conf == nil && e.addresses == nil || e.components == nil || e.port == nil && e.instances == nil {
			t.Errorf("the entry of %s is not complete", e.module)
		}
		if e.home == nil || e.logs == "" || e.memory == nil {
			t.Errorf("the process of %s is not described", e.module)
		}
		old := e.old
		if len(old.Block) > 0 && old.Address.Key == "" || len(old.Secrets) > 0 && old.Conf == nil ||
			old.Jar != "" && old.Home == nil || (old.Program == nil) != (old.Process == nil) {
			t.Errorf("how AnsibleFATE installs %s is not described whole", e.module)
		}
	}
}

func TestKeptPathsAreInsideTrees(t *testing.T) {
	for _, c := range allComponents() {
		for _, p := range c.kept {
			if filepath.IsAbs(p) || strings.HasPrefix(p, "..") {
				t.Errorf("%s: %s is not a path inside the tree", c.name, p)
			}
		}
	}
}
